package storetest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"peal/internal/peal"
)

// Devices are the installations of users, and the keys that sign users' tokens.
type Devices interface {
	PutDevice(ctx context.Context, d peal.Device) (peal.Device, error)
	Devices(ctx context.Context, tenantID string, ids []string) ([]peal.Device, error)
	UserDevices(ctx context.Context, tenantID, userID string) ([]peal.Device, error)
	DevicesOf(ctx context.Context, tenantID string, userIDs []string) ([]peal.Device, error)
	Device(ctx context.Context, tenantID, id string) (peal.Device, error)
	DeleteDevice(ctx context.Context, tenantID, userID, id string) error
	RetireDevices(ctx context.Context, all []peal.Retirement) (n int, err error)
	RetireUnseen(ctx context.Context, kind peal.DeviceKind, before time.Time, limit int) (n int64, err error)
	DevicesOK(ctx context.Context, tenantID string, ids []string, when time.Time) error
	DevicesSeen(ctx context.Context, tenantID string, ids []string, when time.Time) error
	CreateUserKey(ctx context.Context, k peal.UserKey) error
	UserKey(ctx context.Context, id string) (peal.UserKey, error)
	UserKeys(ctx context.Context, tenantID string) ([]peal.UserKey, error)
	RevokeUserKey(ctx context.Context, tenantID, id string) error
}

func deviceCases() []testCase {
	return []testCase{
		{"what is registered reads back", deviceReadsBack},
		{"a new address supersedes the old one", deviceSupersedes},
		{"a device moves to another user", deviceMoves},
		{"an address is on one installation only", deviceOneAddress},
		{"a user's stalest device gives way", deviceTwenty},
		{"a device is forgotten, and with its user", deviceForgotten},
		{"what is retired is what was called", deviceRetired},
		{"what registered since it was found dead stays", deviceDeadSince},
		{"a suspect is active again when something got through", deviceSuspect},
		{"what is not heard of is retired", deviceUnseen},
		{"whatever happens at once, an address is on one installation", deviceRace},
		{"a race of a retirement and a registration", deviceRetireRace},
		{"no tenant has another's devices", deviceIsolation},
		{"the devices of many users at once", devicesOfMany},
		{"keys of user tokens", userKeys},
	}
}

func fcm(tenant, user, id, token string) peal.Device {
	return peal.Device{
		TenantID: tenant, UserID: user, ID: id, Kind: peal.DeviceFCMToken, Address: token, Platform: "android", Permission: peal.Granted,
	}
}

func (b *bundle) put(d peal.Device) peal.Device {
	b.Helper()
	got, err := b.PutDevice(b.Context(), d)
	b.ok(err)
	return got
}

// devicesOf gives a user's devices as "id kind:address state".
func (b *bundle) devicesOf(tenant, user string) []string {
	b.Helper()
	ds, err := b.UserDevices(b.Context(), tenant, user)
	b.ok(err)
	var all []string
	for i := range ds {
		all = append(all, fmt.Sprintf("%s %s:%s %s", ds[i].ID, ds[i].Kind, ds[i].Address, ds[i].State))
	}
	return all
}

func (b *bundle) retire(want int, rs ...peal.Retirement) {
	b.Helper()
	n, err := b.RetireDevices(b.Context(), rs)
	b.ok(err)
	if n != want {
		b.Errorf("%d devices changed, want %d", n, want)
	}
}

func retirement(d *peal.Device, at time.Time) peal.Retirement {
	return peal.Retirement{
		TenantID: d.TenantID, DeviceID: d.ID, Kind: d.Kind, Address: d.Address, Verdict: peal.DeviceDead, Reason: "UNREGISTERED", At: at,
	}
}

func deviceReadsBack(b *bundle) {
	d := peal.Device{
		TenantID: "a", UserID: "u", ID: "i", Kind: peal.DeviceWebPush, Address: "https://push.example/1", P256dh: "p", Auth: "s",
		AppID: "https://shop.example", Platform: "web", Locale: "en-IN", TimeZone: "Asia/Kolkata", AppVersion: "1.2", Permission: peal.Granted,
	}
	want := d
	want.State = peal.DeviceActive
	want.CreatedAt, want.RegisteredAt, want.LastSeenAt = b.clock.now(), b.clock.now(), b.clock.now()
	b.same("put", b.put(d), want)
	got, err := b.Device(b.Context(), "a", "i")
	b.ok(err)
	b.same("device", got, want)
	u, err := b.User(b.Context(), "a", "u") // was made with it
	b.ok(err)
	b.same("user", u, peal.User{ID: "u", UpdatedAt: b.clock.now()})
	other := b.put(fcm("a", "u", "j", "t"))
	all, err := b.Devices(b.Context(), "a", []string{"j", "nobody's", "i", "j"})
	b.ok(err)
	b.same("devices", all, []peal.Device{want, other})
	all, err = b.Devices(b.Context(), "a", nil)
	b.ok(err)
	b.same("none", all, []peal.Device(nil))
	_, err = b.Device(b.Context(), "a", "nobody's")
	b.refused(err, peal.NotFound)

	at := b.clock.advance(time.Minute) // the full truth again: what it does not say is no more
	want.P256dh, want.Auth, want.Locale, want.TimeZone, want.AppVersion, want.AppID = "", "", "", "", "", "com.shop"
	want.Kind, want.Address, want.Environment, want.Platform, want.Permission = peal.DeviceAPNs, "0a", peal.Sandbox, "ios", peal.Denied
	want.RegisteredAt, want.LastSeenAt = at, at
	b.same("stated again", b.put(want), want)
}

func deviceSupersedes(b *bundle) {
	first := b.put(fcm("a", "u", "i", "t1"))
	b.ok(b.DevicesOK(b.Context(), "a", []string{"i"}, b.clock.now()))
	b.clock.advance(time.Minute)
	again := b.put(fcm("a", "u", "i", "t1"))
	if !again.LastOKAt.Equal(first.RegisteredAt) {
		b.Errorf("with the same address it forgot that it was reached: %v", again.LastOKAt)
	}
	second := b.put(fcm("a", "u", "i", "t2"))
	b.ok(b.DevicesOK(b.Context(), "a", []string{"i"}, second.RegisteredAt.Add(-time.Second))) // of the address that is no more
	if got, err := b.Device(b.Context(), "a", "i"); err != nil || !got.LastOKAt.IsZero() {
		b.Errorf("the new address is said to have been reached: %v, %v", got.LastOKAt, err)
	}
	b.same("devices", b.devicesOf("a", "u"), []string{"i fcm_token:t2 active"})
	if !second.CreatedAt.Equal(first.CreatedAt) || !second.LastOKAt.IsZero() {
		b.Errorf("made at %v, reached at %v", second.CreatedAt, second.LastOKAt)
	}
	b.retire(0, retirement(&first, b.clock.now())) // it is about the address that is no more
	b.same("devices", b.devicesOf("a", "u"), []string{"i fcm_token:t2 active"})
}

func deviceMoves(b *bundle) {
	b.put(fcm("a", "u", "i", "t"))
	b.put(fcm("a", "v", "i", "t")) // somebody else logs in on the same phone
	b.same("of u", b.devicesOf("a", "u"), []string(nil))
	b.same("of v", b.devicesOf("a", "v"), []string{"i fcm_token:t active"})
}

func deviceOneAddress(b *bundle) {
	b.put(fcm("a", "u", "i", "t"))
	b.put(fcm("a", "v", "j", "t")) // the app was installed again, and has its token still
	b.same("of u", b.devicesOf("a", "u"), []string(nil))
	b.same("of v", b.devicesOf("a", "v"), []string{"j fcm_token:t active"})
	fid := fcm("a", "u", "i", "t")
	fid.Kind = peal.DeviceFCMFID
	b.put(fid) // of another kind it is another address
	b.put(fcm("c", "u", "i", "t"))
	b.same("of u", b.devicesOf("a", "u"), []string{"i fcm_fid:t active"})
	b.same("of v", b.devicesOf("a", "v"), []string{"j fcm_token:t active"})
	b.same("of another tenant", b.devicesOf("c", "u"), []string{"i fcm_token:t active"})
}

func deviceTwenty(b *bundle) {
	for i := range 20 {
		b.put(fcm("a", "u", fmt.Sprintf("i%02d", i), fmt.Sprintf("t%02d", i)))
		b.clock.advance(2 * time.Hour)
	}
	b.put(fcm("a", "v", "other", "other"))
	b.put(fcm("a", "u", "i00", "t00")) // it is heard of again
	b.put(fcm("a", "u", "new", "new"))
	left, err := b.Devices(b.Context(), "a", []string{"i00", "i01", "i02", "new", "other"})
	b.ok(err)
	var ids []string
	for i := range left {
		ids = append(ids, left[i].ID)
	}
	b.same("left", ids, []string{"i00", "i02", "new", "other"})
	d := fcm("a", "u", "i10", "t10")
	b.retire(1, retirement(&d, b.clock.now()))
	b.put(fcm("a", "u", "newer", "newer")) // what is retired goes first
	_, err = b.Device(b.Context(), "a", "i10")
	b.refused(err, peal.NotFound)
	_, err = b.Device(b.Context(), "a", "i02")
	b.ok(err)
	b.put(fcm("a", "u", "other", "other")) // one that moves here counts
	if n := len(b.devicesOf("a", "u")); n != 20 {
		b.Errorf("%d devices", n)
	}
}

func deviceForgotten(b *bundle) {
	b.put(fcm("a", "u", "i", "t"))
	b.put(fcm("a", "u", "j", "s"))
	b.put(fcm("a", "v", "k", "r"))
	b.refused(b.DeleteDevice(b.Context(), "a", "v", "i"), peal.NotFound)
	b.ok(b.DeleteDevice(b.Context(), "a", "u", "i"))
	b.refused(b.DeleteDevice(b.Context(), "a", "u", "i"), peal.NotFound)
	b.same("left", b.devicesOf("a", "u"), []string{"j fcm_token:s active"})
	b.ok(b.DeleteUser(b.Context(), "a", "u"))
	b.same("of u", b.devicesOf("a", "u"), []string(nil))
	b.same("of v", b.devicesOf("a", "v"), []string{"k fcm_token:r active"})
}

func deviceRetired(b *bundle) {
	d := b.put(fcm("a", "u", "i", "t"))
	at := b.clock.advance(time.Second)
	for _, change := range []func(r *peal.Retirement){
		func(r *peal.Retirement) { r.Address = "s" },
		func(r *peal.Retirement) { r.Kind = peal.DeviceFCMFID },
		func(r *peal.Retirement) { r.DeviceID = "j" },
		func(r *peal.Retirement) { r.TenantID = "c" },
		func(r *peal.Retirement) { r.Verdict = peal.DeviceFine },
	} {
		r := retirement(&d, at)
		change(&r)
		b.retire(0, r)
		r.Verdict = peal.DeviceDoubts
		if r.Address != d.Address || r.Kind != d.Kind || r.DeviceID != d.ID || r.TenantID != d.TenantID {
			b.retire(0, r)
		}
	}
	b.same("before", b.devicesOf("a", "u"), []string{"i fcm_token:t active"})
	b.retire(1, retirement(&d, at), retirement(&d, at.Add(time.Second))) // the first word counts
	got, err := b.Device(b.Context(), "a", "i")
	b.ok(err)
	want := d
	want.State, want.RetiredReason, want.RetiredAt = peal.DeviceRetired, "UNREGISTERED", at
	b.same("retired", got, want)
	doubt := retirement(&d, at)
	doubt.Verdict = peal.DeviceDoubts
	b.retire(0, doubt) // retired is more than suspect
	at = b.clock.advance(time.Second)
	want = d
	want.RegisteredAt, want.LastSeenAt = at, at
	b.same("registered again", b.put(d), want)
}

func deviceDeadSince(b *bundle) {
	d := b.put(fcm("a", "u", "i", "t"))
	for _, tt := range []struct {
		dead time.Time
		want int
	}{{d.RegisteredAt.Add(-time.Second), 0}, {d.RegisteredAt, 0}, {d.RegisteredAt.Add(time.Millisecond), 1}} {
		for _, verdict := range []peal.DeviceVerdict{peal.DeviceDoubts, peal.DeviceDead} {
			r := retirement(&d, b.clock.now())
			r.Dead, r.Verdict = tt.dead, verdict
			b.retire(tt.want, r)
		}
	}
}

func deviceSuspect(b *bundle) {
	d := b.put(fcm("a", "u", "i", "t"))
	other := b.put(fcm("a", "u", "j", "s"))
	doubt := retirement(&d, b.clock.now())
	doubt.Verdict = peal.DeviceDoubts
	b.retire(1, doubt)
	b.retire(0, doubt)
	b.retire(1, retirement(&other, b.clock.now()))
	b.same("devices", b.devicesOf("a", "u"), []string{"i fcm_token:t suspect", "j fcm_token:s retired"})
	at := b.clock.advance(time.Minute)
	b.ok(b.DevicesOK(b.Context(), "a", []string{"i", "j", "nobody's"}, at))
	b.ok(b.DevicesOK(b.Context(), "a", nil, at))
	b.same("devices", b.devicesOf("a", "u"), []string{"i fcm_token:t active", "j fcm_token:s retired"})
	got, err := b.Device(b.Context(), "a", "i")
	b.ok(err)
	b.same("reached at", got.LastOKAt, at)
	b.retire(1, doubt)
	b.ok(b.DevicesOK(b.Context(), "a", []string{"i"}, b.clock.advance(time.Second)))
	b.same("devices", b.devicesOf("a", "u"), []string{"i fcm_token:t active", "j fcm_token:s retired"})
}

func deviceUnseen(b *bundle) {
	b.put(fcm("a", "u", "i", "t"))
	b.put(fcm("c", "u", "j", "s"))
	b.put(fcm("a", "u", "seen", "r"))
	apns := fcm("a", "u", "apple", "0a")
	apns.Kind = peal.DeviceAPNs
	b.put(apns)
	at := b.clock.advance(24 * time.Hour)
	b.ok(b.DevicesSeen(b.Context(), "a", []string{"seen"}, at))
	sweep := func(limit int, want int64) {
		b.Helper()
		n, err := b.RetireUnseen(b.Context(), peal.DeviceFCMToken, at, limit)
		b.ok(err)
		if n != want {
			b.Errorf("%d retired, want %d", n, want)
		}
	}
	sweep(1, 1)
	sweep(5, 1)
	sweep(5, 0)
	b.same("of a", b.devicesOf("a", "u"), []string{"apple apns:0a active", "i fcm_token:t retired", "seen fcm_token:r active"})
	got, err := b.Device(b.Context(), "c", "j")
	b.ok(err)
	if got.State != peal.DeviceRetired || got.RetiredReason != peal.RetiredUnseen || !got.RetiredAt.Equal(at) {
		b.Errorf("it is %+v", got)
	}
}

// deviceRace has few users with few phones state few addresses, all at once, while they are retired and forgotten.
func deviceRace(b *bundle) {
	const rounds = 25
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for r := range rounds {
				user, id, token := fmt.Sprintf("u%d", (w+r)%3), fmt.Sprintf("i%d", (w*r)%4), fmt.Sprintf("t%d", (w+r*r)%3)
				d := fcm("a", user, id, token)
				if _, err := b.PutDevice(b.Context(), d); err != nil {
					b.Error(err)
					return
				}
				switch r % 5 {
				case 1:
					if _, err := b.RetireDevices(b.Context(), []peal.Retirement{retirement(&d, b.clock.now())}); err != nil {
						b.Error(err)
					}
				case 2:
					if err := b.DeleteUser(b.Context(), "a", user); err != nil && peal.KindOf(err) != peal.NotFound {
						b.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	on := map[string]string{}
	for _, user := range []string{"u0", "u1", "u2"} {
		ds, err := b.UserDevices(b.Context(), "a", user)
		b.ok(err)
		for i := range ds {
			if before, ok := on[ds[i].Address]; ok {
				b.Errorf("%s is on %s and on %s", ds[i].Address, before, ds[i].ID)
			}
			on[ds[i].Address] = ds[i].ID
		}
	}
}

// deviceRetireRace has an app state its address again in the moment in which its provider's word on the old truth comes.
func deviceRetireRace(b *bundle) {
	for range 20 {
		d := b.put(fcm("a", "u", "i", "t"))
		dead := d.RegisteredAt.Add(time.Millisecond)
		b.clock.advance(time.Second)
		var wg sync.WaitGroup
		wg.Go(func() {
			r := retirement(&d, b.clock.now())
			r.Dead = dead
			if _, err := b.RetireDevices(b.Context(), []peal.Retirement{r}); err != nil {
				b.Error(err)
			}
		})
		wg.Go(func() {
			if _, err := b.PutDevice(b.Context(), fcm("a", "u", "i", "t")); err != nil {
				b.Error(err)
			}
		})
		wg.Wait()
		b.same("devices", b.devicesOf("a", "u"), []string{"i fcm_token:t active"})
	}
}

func deviceIsolation(b *bundle) {
	d := b.put(fcm("a", "u", "i", "t"))
	ctx := b.Context()
	b.clock.advance(24 * time.Hour)
	_, err := b.Device(ctx, "c", "i")
	b.refused(err, peal.NotFound)
	all, err := b.Devices(ctx, "c", []string{"i"})
	b.ok(err)
	b.same("devices", all, []peal.Device(nil))
	b.same("of the user", b.devicesOf("c", "u"), []string(nil))
	b.refused(b.DeleteDevice(ctx, "c", "u", "i"), peal.NotFound)
	b.refused(b.DeleteUser(ctx, "c", "u"), peal.NotFound)
	b.ok(b.DevicesOK(ctx, "c", []string{"i"}, b.clock.now()))
	b.ok(b.DevicesSeen(ctx, "c", []string{"i"}, b.clock.now()))
	foreign := retirement(&d, b.clock.now())
	foreign.TenantID = "c"
	b.retire(0, foreign)
	b.put(fcm("c", "u", "i", "t"))
	got, err := b.Device(ctx, "a", "i")
	b.ok(err)
	b.same("the device", got, d)
}

func userKeys(b *bundle) {
	b.tenant("a")
	b.tenant("c")
	hmac := peal.UserKey{ID: peal.NewID(), TenantID: "a", Name: "server", Algorithm: "HS256", Secret: []byte{0, 1}, CreatedAt: b.clock.now()}
	eddsa := peal.UserKey{ID: peal.NewID(), TenantID: "a", Name: "app", Algorithm: "EdDSA", PublicKey: []byte{2, 0}, CreatedAt: b.clock.now()}
	for _, k := range []peal.UserKey{hmac, eddsa} {
		b.ok(b.CreateUserKey(b.Context(), k))
		got, err := b.UserKey(b.Context(), k.ID)
		b.ok(err)
		b.same("key", got, k)
	}
	list, err := b.UserKeys(b.Context(), "a")
	b.ok(err)
	b.same("keys", list, []peal.UserKey{hmac, eddsa})
	list, err = b.UserKeys(b.Context(), "c")
	b.ok(err)
	b.same("another's", list, []peal.UserKey(nil))
	_, err = b.UserKey(b.Context(), peal.NewID())
	b.refused(err, peal.NotFound)
	b.refused(b.RevokeUserKey(b.Context(), "c", hmac.ID), peal.NotFound)

	hmac.RevokedAt = b.clock.advance(time.Minute)
	b.ok(b.RevokeUserKey(b.Context(), "a", hmac.ID))
	b.clock.advance(time.Minute)
	b.ok(b.RevokeUserKey(b.Context(), "a", hmac.ID)) // the first time counts
	disabled := true
	b.ok(b.UpdateTenant(b.Context(), "a", nil, &disabled))
	hmac.Disabled = true
	got, err := b.UserKey(b.Context(), hmac.ID)
	b.ok(err)
	b.same("revoked, of a disabled tenant", got, hmac)
}

func devicesOfMany(b *bundle) {
	b.put(fcm("a", "u1", "one", "t1"))
	b.clock.advance(time.Second)
	b.put(fcm("a", "u2", "two", "t2"))
	b.put(fcm("a", "u1", "three", "t3"))
	b.put(fcm("a", "u3", "four", "t4"))
	b.put(fcm("b", "u1", "five", "t5"))
	found, err := b.DevicesOf(b.Context(), "a", []string{"u2", "u1", "nobody"})
	b.ok(err)
	got := make([]string, len(found))
	for i := range found {
		got[i] = found[i].UserID + " " + found[i].ID
	}
	b.same("devices", got, []string{"u1 one", "u1 three", "u2 two"})
}

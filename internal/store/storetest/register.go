package storetest

import (
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"peal/internal/peal"
)

func registerCases() []testCase {
	return []testCase{
		{"tenants", tenants}, {"keys", keys}, {"users", users}, {"ping", func(b *bundle) { b.ok(b.Ping(b.Context())) }},
		{"a tenant's name is taken once", tenantRace},
	}
}

func integrationCases() []testCase {
	return []testCase{
		{"what is written reads back", integrationReadsBack},
		{"names are a tenant's own, and free again", integrationNames},
		{"a change under an old version is refused", integrationVersions},
		{"a pause under an old version is void", integrationPause},
		{"deleting cancels what waits", integrationDelete},
	}
}

func (b *bundle) tenant(id string) peal.Tenant {
	b.Helper()
	tn := peal.Tenant{ID: id, Name: "Tenant " + id, CreatedAt: b.clock.now()}
	b.ok(b.CreateTenant(b.Context(), tn))
	return tn
}

func tenants(b *bundle) {
	a, c := b.tenant("a"), b.tenant("c")
	b.refused(b.CreateTenant(b.Context(), peal.Tenant{ID: "a", Name: "again", CreatedAt: b.clock.now()}), peal.Conflict)
	got, err := b.Tenant(b.Context(), "a")
	b.ok(err)
	b.same("tenant", got, a)
	_, err = b.Tenant(b.Context(), "nobody")
	b.refused(err, peal.NotFound)
	name, disabled := "Another", true
	b.ok(b.UpdateTenant(b.Context(), "a", &name, nil))
	b.ok(b.UpdateTenant(b.Context(), "c", nil, &disabled))
	b.refused(b.UpdateTenant(b.Context(), "nobody", &name, nil), peal.NotFound)
	a.Name, c.Disabled = name, true
	list, err := b.Tenants(b.Context())
	b.ok(err)
	b.same("tenants", list, []peal.Tenant{a, c})
}

func tenantRace(b *bundle) {
	var made atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			err := b.CreateTenant(b.Context(), peal.Tenant{ID: "a", Name: "a", CreatedAt: b.clock.now()})
			if err == nil {
				made.Add(1)
			} else if peal.KindOf(err) != peal.Conflict {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 {
		b.Errorf("%d made it", made.Load())
	}
}

func keys(b *bundle) {
	b.tenant("a")
	b.tenant("c")
	key := func(tenantID string) peal.Key {
		return peal.Key{
			ID: peal.NewID(), TenantID: tenantID, Name: "server", Hash: []byte{0, 1, 2}, Scopes: []string{"send", "read"},
			CreatedAt: b.clock.now(), ExpiresAt: b.clock.now().Add(time.Hour),
		}
	}
	one, two, other := key("a"), key("a"), key("c")
	two.Scopes, two.ExpiresAt = []string{"admin"}, time.Time{}
	for _, k := range []peal.Key{one, two, other} {
		b.ok(b.CreateKey(b.Context(), k))
	}
	got, err := b.Key(b.Context(), one.ID)
	b.ok(err)
	b.same("key", got, one)
	_, err = b.Key(b.Context(), peal.NewID())
	b.refused(err, peal.NotFound)
	list, err := b.Keys(b.Context(), "a")
	b.ok(err)
	b.same("keys", list, []peal.Key{one, two})

	one.RevokedAt = b.clock.advance(time.Minute)
	b.ok(b.RevokeKey(b.Context(), "a", one.ID))
	b.clock.advance(time.Minute)
	b.ok(b.RevokeKey(b.Context(), "a", one.ID)) // the first time counts
	b.refused(b.RevokeKey(b.Context(), "a", peal.NewID()), peal.NotFound)
	disabled := true
	b.ok(b.UpdateTenant(b.Context(), "a", nil, &disabled))
	one.Disabled = true
	got, err = b.Key(b.Context(), one.ID)
	b.ok(err)
	b.same("revoked, of a disabled tenant", got, one)
}

func users(b *bundle) {
	at := b.clock.now()
	want := peal.User{
		ID: "u", Phone: "+14155550100", WhatsAppUserID: "US.1", Email: "u@example.com", Locale: "en-IN", TimeZone: "Asia/Kolkata",
		Attributes: json.RawMessage(`{"plan":"gold","since":2019}`), UpdatedAt: at,
	}
	b.ok(b.PutUser(b.Context(), "a", want))
	got, err := b.User(b.Context(), "a", "u")
	b.ok(err)
	b.same("user", got, want)
	b.ok(b.PutUser(b.Context(), "a", peal.User{ID: "u", UpdatedAt: at.Add(time.Second)})) // the full truth: no phone any more
	got, err = b.User(b.Context(), "a", "u")
	b.ok(err)
	b.same("changed", got, peal.User{ID: "u", UpdatedAt: at.Add(time.Second)})
	for _, id := range []string{"u", "nobody"} {
		phone, _, err := b.UserPhone(b.Context(), "a", id)
		b.ok(err)
		b.same("phone of "+id, phone, "")
	}
	_, err = b.User(b.Context(), "a", "nobody")
	b.refused(err, peal.NotFound)
	b.ok(b.DeleteUser(b.Context(), "a", "u"))
	b.refused(b.DeleteUser(b.Context(), "a", "u"), peal.NotFound)
}

// sealed is an integration to be written.
func (b *bundle) sealed(tenantID, name string) *peal.SealedIntegration {
	return &peal.SealedIntegration{
		ID: peal.NewID(), TenantID: tenantID, Name: name, Kind: "wasender", Channel: peal.ChannelWhatsApp,
		Settings: []byte(`{"concurrency":3}`), Secrets: []byte{1, 0, 255}, CreatedAt: b.clock.now(),
	}
}

func (b *bundle) readIntegration(id string) *peal.SealedIntegration {
	b.Helper()
	list, err := b.Integrations(b.Context())
	b.ok(err)
	for i := range list {
		if list[i].ID == id {
			return &list[i]
		}
	}
	return nil
}

func integrationReadsBack(b *bundle) {
	b.tenant("a")
	in := b.sealed("a", "main")
	b.ok(b.CreateIntegration(b.Context(), in))
	want := *in
	want.Version, want.UpdatedAt = 1, in.CreatedAt
	b.same("made", *b.readIntegration(in.ID), want)
	want.Name, want.Settings, want.Secrets = "new", []byte(`{}`), []byte("other")
	want.UpdatedAt = b.clock.advance(time.Minute)
	change := want
	b.ok(b.UpdateIntegration(b.Context(), &change))
	want.Version = 2
	b.same("changed", *b.readIntegration(in.ID), want)
}

func integrationNames(b *bundle) {
	b.tenant("a")
	b.tenant("c")
	one, two := b.sealed("a", "main"), b.sealed("a", "second")
	b.ok(b.CreateIntegration(b.Context(), one))
	b.ok(b.CreateIntegration(b.Context(), two))
	b.refused(b.CreateIntegration(b.Context(), b.sealed("a", "main")), peal.Conflict)
	b.ok(b.CreateIntegration(b.Context(), b.sealed("c", "main")))
	two.Name, two.Version = "main", 1
	b.refused(b.UpdateIntegration(b.Context(), two), peal.Conflict)
	_, err := b.DeleteIntegration(b.Context(), "a", one.ID)
	b.ok(err)
	b.ok(b.CreateIntegration(b.Context(), b.sealed("a", "main"))) // the name is free again
}

func integrationVersions(b *bundle) {
	b.tenant("a")
	in := b.sealed("a", "main")
	b.ok(b.CreateIntegration(b.Context(), in))
	in.Version = 1
	var won atomic.Int64
	var wg sync.WaitGroup
	for range 10 { // of those who change the same version, one does
		change := *in
		wg.Go(func() {
			if err := b.UpdateIntegration(b.Context(), &change); err == nil {
				won.Add(1)
			} else if peal.KindOf(err) != peal.Conflict {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	if got := b.readIntegration(in.ID).Version; won.Load() != 1 || got != 2 {
		b.Errorf("%d changes of one version went through, and it is at %d", won.Load(), got)
	}
	gone := b.sealed("a", "gone")
	gone.Version = 1
	b.refused(b.UpdateIntegration(b.Context(), gone), peal.Conflict)
}

func integrationPause(b *bundle) {
	b.tenant("a")
	in := b.sealed("a", "main")
	b.ok(b.CreateIntegration(b.Context(), in))
	p := &peal.Pause{Code: peal.PauseCredentials, Reason: "401", Since: b.clock.now()}
	pause := func(version int64, p *peal.Pause, want bool) {
		b.Helper()
		did, err := b.SetPause(b.Context(), in.ID, version, p)
		b.ok(err)
		if did != want {
			b.Errorf("paused under version %d: %v, want %v", version, did, want)
		}
	}
	pause(1, p, true)
	b.same("paused", b.readIntegration(in.ID).Pause, p)
	if v := b.readIntegration(in.ID).Version; v != 1 {
		b.Errorf("a pause made it version %d", v)
	}
	change := *b.readIntegration(in.ID)
	b.ok(b.UpdateIntegration(b.Context(), &change)) // whoever changes it wants it to work
	b.same("pause after a change", b.readIntegration(in.ID).Pause, (*peal.Pause)(nil))
	pause(1, p, false) // a failure under the old credentials
	b.same("pause under the old version", b.readIntegration(in.ID).Pause, (*peal.Pause)(nil))
	until := &peal.Pause{Code: peal.PauseThrottled, Since: b.clock.now(), Until: b.clock.now().Add(time.Minute)}
	pause(0, until, true) // whatever the version
	b.same("paused until", b.readIntegration(in.ID).Pause, until)
	pause(2, nil, true)
	b.same("resumed", b.readIntegration(in.ID).Pause, (*peal.Pause)(nil))
	did, err := b.SetPause(b.Context(), peal.NewID(), 0, p)
	b.ok(err)
	if did {
		b.Error("paused an integration that is not there")
	}
}

func integrationDelete(b *bundle) {
	in, other := b.registered("a"), b.registered("a")
	queued, kept := b.accept(in), b.accept(other)
	later := b.accept(in, due(b.clock.now().Add(time.Hour)))
	sending, unknown := b.accept(in), b.accept(in)
	b.claim(in, sending.ID)
	b.uncertain(in, unknown.ID)
	n, err := b.DeleteIntegration(b.Context(), "a", in.ID)
	b.ok(err)
	if n != 2 {
		b.Errorf("%d were canceled, want 2", n)
	}
	b.status(queued, peal.Canceled)
	b.status(later, peal.Canceled)
	b.status(sending, peal.Sending)
	b.status(unknown, peal.Uncertain)
	b.status(kept, peal.Queued)
	if b.readIntegration(in.ID) != nil {
		b.Error("it is still there")
	}
	_, err = b.DeleteIntegration(b.Context(), "a", in.ID)
	b.refused(err, peal.NotFound)
	did, err := b.SetPause(b.Context(), in.ID, 0, &peal.Pause{Code: peal.PauseManual, Since: b.clock.now()})
	b.ok(err)
	if did {
		b.Error("a deleted integration was paused")
	}
}

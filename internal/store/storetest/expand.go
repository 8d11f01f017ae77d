package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// Expander is what route needs of the records to expand audiences.
type Expander interface {
	OpenExpansions(ctx context.Context, now time.Time, perTenant int) ([]pipeline.Expansion, error)
	AudienceDevices(ctx context.Context, tenantID string, a peal.Audience, after string, limit int) (found []peal.Device, next string, more bool, err error)
	CountAudience(ctx context.Context, tenantID string, a peal.Audience) ([]peal.AudienceGroup, error)
	Expand(ctx context.Context, step *pipeline.ExpansionStep) (moved bool, err error)
	Expansion(ctx context.Context, tenantID, notificationID string) (*peal.Expansion, error)
}

func expandCases() []testCase {
	return []testCase{
		{"an expansion goes step by step", expandSteps},
		{"a step is written once, whoever writes it", expandOnce},
		{"a cancel ends it, and what waits", expandCanceled},
		{"a cancel and a step at once", expandCancelRace},
		{"nobody's many hide another's", expandFair},
		{"one for later waits", expandLater},
		{"it is accepted once", expandAcceptedOnce},
		{"the devices of an audience", audienceDevices},
		{"few among many", audienceFew},
		{"an audience by groups", audienceGroups},
		{"what is open stays", expandRetained},
	}
}

// audience is a submission to one.
func (b *bundle) audience(in *peal.Integration, change ...func(*pipeline.Submission)) pipeline.Submission {
	b.Helper()
	sub := b.submission(in)
	n := &sub.Notification
	n.Phone, sub.Deliveries = "", nil
	sub.Expansion = &pipeline.Expansion{
		TenantID: n.TenantID, NotificationID: n.ID, Request: json.RawMessage(`{"audience":{}}`), Priority: peal.Bulk, CreatedAt: n.CreatedAt,
		ExpiresAt: n.CreatedAt.Add(time.Hour),
	}
	for _, f := range change {
		f(&sub)
	}
	return sub
}

// step is the next of an expansion: n deliveries to devices whose ids begin with what it moves to.
func (b *bundle) step(in *peal.Integration, x *pipeline.Expansion, next string, n int) *pipeline.ExpansionStep {
	b.Helper()
	s := &pipeline.ExpansionStep{Expansion: *x, Next: next, At: b.clock.now()}
	for i := range n {
		device := fmt.Sprintf("%s-%d", next, i)
		id, err := peal.DeliveryID(x.NotificationID, in.ID, device)
		b.ok(err)
		s.Deliveries = append(s.Deliveries, peal.Delivery{
			TenantID: x.TenantID, ID: id, NotificationID: x.NotificationID, IntegrationID: in.ID, Channel: peal.ChannelPush, Recipient: device,
			UserID: "u", Payload: json.RawMessage(`{}`), Status: peal.Queued, Priority: x.Priority, CreatedAt: s.At, UpdatedAt: s.At,
		})
	}
	return s
}

func (b *bundle) expand(s *pipeline.ExpansionStep, want bool) {
	b.Helper()
	moved, err := b.Expand(b.Context(), s)
	b.ok(err)
	if moved != want {
		b.Errorf("moved: %v, want %v", moved, want)
	}
}

func (b *bundle) expansion(x *pipeline.Expansion) peal.Expansion {
	b.Helper()
	got, err := b.Expansion(b.Context(), x.TenantID, x.NotificationID)
	b.ok(err)
	if got == nil {
		b.Fatal("there is no expansion")
	}
	return *got
}

// open gives the ids of notifications that are being expanded.
func (b *bundle) open(perTenant int) (ids []string) {
	b.Helper()
	all, err := b.OpenExpansions(b.Context(), b.clock.now(), perTenant)
	b.ok(err)
	for _, x := range all {
		ids = append(ids, x.NotificationID)
	}
	return ids
}

func expandSteps(b *bundle) {
	in := b.integration("a")
	sub := b.audience(in)
	b.acceptAll(sub, b.submission(in))
	all, err := b.OpenExpansions(b.Context(), b.clock.now(), 5)
	b.ok(err)
	b.same("open", all, []pipeline.Expansion{*sub.Expansion})
	x := &all[0]
	b.expand(b.step(in, x, "m", 3), true)
	b.clock.advance(time.Second)
	all, err = b.OpenExpansions(b.Context(), b.clock.now(), 5)
	b.ok(err)
	if len(all) != 1 || all[0].Cursor != "m" {
		b.Fatalf("open: %+v", all)
	}
	x = &all[0]
	last := b.step(in, x, "z", 2)
	last.Deliveries[0].Status, last.Deliveries[0].ErrorCode, last.Deliveries[0].EndedAt = peal.Skipped, "permission_denied", last.At
	last.End = peal.ExpansionDone
	b.expand(last, true)
	b.same("open", b.open(5), []string(nil))
	got := b.expansion(x)
	b.same("expansion", got, peal.Expansion{
		Request: sub.Expansion.Request, Planned: 5, StartedAt: last.At.Add(-time.Second), EndedAt: last.At, End: peal.ExpansionDone,
		Counts: map[peal.Status]int64{peal.Queued: 4, peal.Skipped: 1},
	})
	if s := got.Status(); s != peal.Queued {
		b.Errorf("its status is %s", s)
	}
	_, ds, err := b.Notification(b.Context(), "a", x.NotificationID)
	b.ok(err)
	if len(ds) != 5 {
		b.Errorf("it has %d deliveries", len(ds))
	}
	for _, other := range []struct{ tenant, id string }{{"b", x.NotificationID}, {"a", peal.NewID()}, {"a", "no id"}} {
		if got, err := b.Expansion(b.Context(), other.tenant, other.id); err != nil || got != nil {
			b.Errorf("%v: %+v, %v", other, got, err)
		}
	}
	b.same("tally", b.tally("a", span()).ByStatus, map[peal.Status]int64{peal.Queued: 5, peal.Skipped: 1}) // the audit at the end does the rest
}

func expandOnce(b *bundle) {
	in := b.integration("a")
	sub := b.audience(in)
	b.acceptAll(sub)
	var moved atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		s := b.step(in, sub.Expansion, "m", 20)
		all.Go(func() {
			ok, err := b.Expand(b.Context(), s)
			if err != nil {
				b.Error(err)
			}
			if ok {
				moved.Add(1)
			}
		})
	}
	all.Wait()
	if got := b.expansion(sub.Expansion); moved.Load() != 1 || got.Planned != 20 || got.Counts[peal.Queued] != 20 {
		b.Errorf("%d have moved it; %+v", moved.Load(), got)
	}
	stranger := *sub.Expansion
	stranger.TenantID = "b"
	b.expand(b.step(in, &stranger, "m", 1), false)
}

func expandCanceled(b *bundle) {
	in := b.integration("a")
	sub, untouched := b.audience(in), b.audience(in)
	b.acceptAll(sub, untouched)
	x := *sub.Expansion
	s := b.step(in, &x, "m", 1200) // more than one step of a cancel
	b.expand(s, true)
	x.Cursor = "m"
	b.claim(in, s.Deliveries[0].ID)
	for range 2 {
		b.ok(b.Cancel(b.Context(), "a", x.NotificationID))
	}
	b.expand(b.step(in, &x, "z", 1), false)
	got := b.expansion(&x)
	b.same("counts", got.Counts, map[peal.Status]int64{peal.Canceled: 1199, peal.Sending: 1})
	if got.End != peal.ExpansionCanceled || got.EndedAt.IsZero() || got.Status() != peal.Sending {
		b.Errorf("%+v is %s", got, got.Status())
	}
	b.refused(b.Cancel(b.Context(), "b", untouched.Notification.ID), peal.NotFound)
	b.ok(b.Cancel(b.Context(), "a", untouched.Notification.ID)) // before it has begun
	b.ok(b.Cancel(b.Context(), "a", untouched.Notification.ID))
	if got := b.expansion(untouched.Expansion); got.Status() != peal.Canceled {
		b.Errorf("one that had not begun is %s", got.Status())
	}
	b.same("open", b.open(5), []string(nil))
	done := b.audience(in)
	b.acceptAll(done)
	end := b.step(in, done.Expansion, "", 0)
	end.End = peal.ExpansionDone
	b.expand(end, true)
	b.refused(b.Cancel(b.Context(), "a", done.Notification.ID), peal.NotCancelable)
	if got := b.expansion(done.Expansion); got.Status() != peal.Skipped {
		b.Errorf("one that reached nobody is %s", got.Status())
	}
}

// expandCancelRace: whatever comes first, nothing that was written before a cancel has answered still waits.
func expandCancelRace(b *bundle) {
	in := b.integration("a")
	for range 20 {
		sub := b.audience(in)
		b.acceptAll(sub)
		s := b.step(in, sub.Expansion, "m", 10)
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := b.Expand(b.Context(), s); err != nil {
				b.Error(err)
			}
		})
		all.Go(func() {
			if err := b.Cancel(b.Context(), "a", sub.Notification.ID); err != nil {
				b.Error(err)
			}
		})
		all.Wait()
		if got := b.expansion(sub.Expansion); got.Counts[peal.Queued] > 0 || got.End != peal.ExpansionCanceled {
			b.Fatalf("%+v", got)
		}
	}
}

func expandFair(b *bundle) {
	in, other := b.integration("a"), b.integration("b")
	var want []string
	for i := range 5 {
		sub := b.audience(in)
		b.acceptAll(sub)
		if i < 2 {
			want = append(want, sub.Notification.ID)
		}
	}
	sub := b.audience(other)
	b.acceptAll(sub)
	b.same("open", b.open(2), append(want, sub.Notification.ID))
}

func expandLater(b *bundle) {
	in := b.integration("a")
	sub := b.audience(in, func(s *pipeline.Submission) { s.Expansion.DueAt = b.clock.now().Add(time.Hour) })
	b.acceptAll(sub)
	b.same("open", b.open(5), []string(nil))
	b.clock.advance(time.Hour)
	b.same("open", b.open(5), []string{sub.Notification.ID})
}

func expandAcceptedOnce(b *bundle) {
	in := b.integration("a")
	key := func(s *pipeline.Submission) { keyed("k", "body")(s) }
	first, again := b.audience(in, key), b.audience(in, key)
	b.acceptAll(first)
	if v := b.acceptAll(again); !v[0].Replayed {
		b.Errorf("%+v", v)
	}
	b.same("open", b.open(5), []string{first.Notification.ID})
}

// installed registers devices d000, d001, … of as many users.
func (b *bundle) installed(tenant string, n int, change func(i int, d *peal.Device)) {
	b.Helper()
	for i := range n {
		id := fmt.Sprintf("d%04d", i)
		d := fcm(tenant, "user-of-"+id, id, "token-"+id)
		if change != nil {
			change(i, &d)
		}
		b.put(d)
	}
}

// chosen gives all devices of an audience, read so many at a time.
func (b *bundle) chosen(tenant string, a peal.Audience, limit int) (ids []string) {
	b.Helper()
	for after, more := "", true; more; {
		var ds []peal.Device
		var err error
		if ds, after, more, err = b.AudienceDevices(b.Context(), tenant, a, after, limit); err != nil {
			b.Fatal(err)
		}
		if len(ds) > limit {
			b.Fatalf("%d devices", len(ds))
		}
		for i := range ds {
			ids = append(ids, ds[i].ID)
		}
	}
	return ids
}

func audienceDevices(b *bundle) {
	locales := []string{"en", "en-IN", "EN-gb", "eng", "", "de-AT"}
	b.installed("a", 12, func(i int, d *peal.Device) {
		d.Locale = locales[i%len(locales)]
		if i >= 6 {
			d.AppID, d.Platform, d.Kind = "shop", "ios", peal.DeviceAPNs
		}
	})
	b.installed("b", 1, nil)
	b.retire(1, peal.Retirement{TenantID: "a", DeviceID: "d0003", Kind: peal.DeviceFCMToken, Address: "token-d0003", Verdict: peal.DeviceDead, Reason: "x", At: b.clock.now()})
	for _, c := range []struct {
		audience peal.Audience
		want     []string
	}{
		{peal.Audience{}, []string{"d0000", "d0001", "d0002", "d0004", "d0005", "d0006", "d0007", "d0008", "d0009", "d0010", "d0011"}},
		{peal.Audience{Platform: "ios"}, []string{"d0006", "d0007", "d0008", "d0009", "d0010", "d0011"}},
		{peal.Audience{AppID: "shop", Locale: "EN"}, []string{"d0006", "d0007", "d0008"}},
		{peal.Audience{Locale: "en-in"}, []string{"d0001", "d0007"}},
		{peal.Audience{Locale: "e%"}, nil},
		{peal.Audience{AppID: "other"}, nil},
	} {
		for _, limit := range []int{1, 2, 5, 11, 100} {
			b.same(fmt.Sprintf("%+v, %d at a time", c.audience, limit), b.chosen("a", c.audience, limit), c.want)
		}
	}
	b.same("of another tenant", b.chosen("b", peal.Audience{}, 10), []string{"d0000"})
	b.same("of nobody", b.chosen("c", peal.Audience{}, 10), []string(nil))
}

func audienceFew(b *bundle) {
	b.installed("a", 2100, func(i int, d *peal.Device) { // more than are looked at at once
		if i%1000 == 7 {
			d.Platform = "web"
		}
	})
	b.same("few", b.chosen("a", peal.Audience{Platform: "web"}, 10), []string{"d0007", "d1007", "d2007"})
	if all := b.chosen("a", peal.Audience{}, 500); len(all) != 2100 {
		b.Errorf("%d of all", len(all))
	}
}

func audienceGroups(b *bundle) {
	b.installed("a", 7, func(i int, d *peal.Device) {
		switch {
		case i < 2:
			d.Permission = peal.Denied
		case i < 4:
			d.AppID = "shop"
		}
	})
	b.installed("b", 1, nil)
	groups, err := b.CountAudience(b.Context(), "a", peal.Audience{})
	b.ok(err)
	counts := map[string]int64{}
	for _, g := range groups {
		counts[fmt.Sprint(g.Kind, " ", g.AppID, " ", g.Permission)] = g.Devices
	}
	b.same("groups", counts, map[string]int64{"fcm_token  denied": 2, "fcm_token shop granted": 2, "fcm_token  granted": 3})
}

func expandRetained(b *bundle) {
	b.tampered = true // the audit leaves out the hours that retention has come to
	b.ok(b.Maintain(b.Context()))
	in := b.integration("a")
	open, done := b.audience(in), b.audience(in)
	b.acceptAll(open, done)
	end := b.step(in, done.Expansion, "z", 0)
	end.End = peal.ExpansionDone
	b.expand(end, true)
	b.retain(farAhead())
	if got, err := b.Expansion(b.Context(), "a", done.Notification.ID); err != nil || got != nil {
		b.Errorf("one that has ended: %+v, %v", got, err)
	}
	b.expand(b.step(in, open.Expansion, "m", 3), true)
	if _, ds, err := b.Notification(b.Context(), "a", open.Notification.ID); err != nil || len(ds) != 3 {
		b.Errorf("one that is open: %d deliveries, %v", len(ds), err)
	}
}

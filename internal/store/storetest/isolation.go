package storetest

import (
	"time"

	"peal/internal/peal"
)

func isolationCases() []testCase {
	return []testCase{
		{"another tenant sees nothing", isolatedReads},
		{"another tenant changes nothing", isolatedWrites},
	}
}

// victim is a tenant with something of everything.
type victim struct {
	in   *peal.Integration
	rows []peal.Delivery // queued, uncertain, a dead letter, sent
	key  peal.Key
	user peal.User
}

func (b *bundle) victim() *victim {
	b.Helper()
	v := &victim{in: b.registered("a")}
	b.registered("b")
	queued, unknown := b.accept(v.in), b.accept(v.in)
	b.uncertain(v.in, unknown.ID)
	dead := b.dead(v.in, 1, "x")
	sent := b.sent(v.in)
	b.fold(join(&sent))
	for _, id := range []string{queued.ID, unknown.ID, dead[0], sent.ID} {
		v.rows = append(v.rows, b.delivery("a", id))
	}
	v.key = peal.Key{ID: peal.NewID(), TenantID: "a", Name: "k", Hash: []byte{1}, Scopes: []string{"send"}, CreatedAt: b.clock.now()}
	b.ok(b.CreateKey(b.Context(), v.key))
	v.user = peal.User{ID: "u", Phone: "+14155550100", UpdatedAt: b.clock.now()}
	b.ok(b.PutUser(b.Context(), "a", v.user))
	return v
}

func isolatedReads(b *bundle) {
	v, ctx := b.victim(), b.Context()
	for _, d := range v.rows {
		_, _, err := b.Notification(ctx, "b", d.NotificationID)
		b.refused(err, peal.NotFound)
		_, _, err = b.Delivery(ctx, "b", d.ID)
		b.refused(err, peal.NotFound)
		for _, f := range []peal.LogFilter{
			{}, {Recipient: d.Recipient}, {NotificationID: d.NotificationID}, {IntegrationID: d.IntegrationID}, {Status: d.Status},
			{MessageID: "m-" + d.ID}, {MessageID: "k-" + d.ID}, {Dead: true}, {Before: "ffffffff"},
		} {
			f.Limit = 10
			ds, err := b.Deliveries(ctx, "b", f)
			b.ok(err)
			if len(ds) != 0 {
				b.Errorf("%+v shows %v to another tenant", f, ids(ds))
			}
		}
	}
	groups, err := b.DeadGroups(ctx, "b")
	b.ok(err)
	b.same("groups", groups, []peal.DeadGroup(nil))
	b.counts("b", all, 0, 0)
	b.counts("b", peal.DeadFilter{IDs: ids(v.rows), IntegrationID: v.in.ID}, 0, 0)
	keys, err := b.Keys(ctx, "b")
	b.ok(err)
	b.same("keys", keys, []peal.Key(nil))
	_, err = b.User(ctx, "b", v.user.ID)
	b.refused(err, peal.NotFound)
	phone, _, err := b.UserPhone(ctx, "b", v.user.ID)
	b.ok(err)
	b.same("phone", phone, "")
}

func isolatedWrites(b *bundle) {
	v, ctx := b.victim(), b.Context()
	before := *b.readIntegration(v.in.ID)
	b.clock.advance(time.Hour)
	attacker := *v.in
	attacker.TenantID = "b"
	for _, d := range v.rows {
		b.refused(b.Cancel(ctx, "b", d.NotificationID), peal.NotFound)
		_, err := b.Resolve(ctx, "b", d.ID, peal.Failed, "")
		b.refused(err, peal.NotFound)
		c, err := b.Claim(ctx, &attacker, []string{d.ID}, true)
		b.ok(err)
		if len(c.Ready)+len(c.Rest) != 0 {
			b.Errorf("claimed by another tenant: %+v", c)
		}
		foreign := d
		foreign.TenantID = "b"
		n, err := b.Expire(ctx, []peal.Delivery{foreign})
		b.ok(err)
		m, err := b.CancelOrphans(ctx, []peal.Delivery{foreign})
		b.ok(err)
		if n+m != 0 {
			b.Errorf("%d expired and %d canceled by another tenant", n, m)
		}
		e := byID(&d, peal.Read, b.clock.now())
		e.TenantID = "b"
		b.fold(e)
	}
	jobs, err := b.Redrive(ctx, "b", peal.DeadFilter{IDs: ids(v.rows)}, 10, peal.Pace{})
	b.ok(err)
	n, err := b.Discard(ctx, "b", peal.DeadFilter{IDs: ids(v.rows)}, 10)
	b.ok(err)
	if len(jobs) != 0 || n != 0 {
		b.Errorf("another tenant re-drove %d and discarded %d", len(jobs), n)
	}
	b.refused(b.RevokeKey(ctx, "b", v.key.ID), peal.NotFound)
	b.refused(b.DeleteUser(ctx, "b", v.user.ID), peal.NotFound)
	b.ok(b.PutUser(ctx, "b", peal.User{ID: v.user.ID, Phone: "+14155550199", UpdatedAt: b.clock.now()}))
	change := before
	change.TenantID = "b"
	b.refused(b.UpdateIntegration(ctx, &change), peal.Conflict)
	_, err = b.DeleteIntegration(ctx, "b", v.in.ID)
	b.refused(err, peal.NotFound)

	for _, d := range v.rows {
		_, events, err := b.Delivery(ctx, "a", d.ID)
		b.ok(err)
		b.same("the row", b.delivery("a", d.ID), d)
		for _, e := range events {
			if e.At.After(d.UpdatedAt) {
				b.Errorf("another tenant wrote into its timeline: %+v", e)
			}
		}
		b.record(b.attempt(&attacker, d.ID, peal.ClassAccepted, peal.Sent), b.attempt(&attacker, d.ID, peal.ClassPermanent, peal.Failed))
		b.same("the row after another tenant's outcomes", b.delivery("a", d.ID), d)
	}
	b.same("the integration", *b.readIntegration(v.in.ID), before)
	k, err := b.Key(ctx, v.key.ID)
	b.ok(err)
	b.same("the key", k, v.key)
	u, err := b.User(ctx, "a", v.user.ID)
	b.ok(err)
	b.same("the user", u, v.user)
}

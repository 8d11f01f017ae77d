package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// Auditor is what the audit needs of the records.
type Auditor interface {
	AcceptedHours(ctx context.Context, tenantID string, from, to int64) ([]peal.HourCount, error)
	AuditTally(ctx context.Context, tenantID string, sp peal.Span) (peal.Tally, error)
	AuditRows(ctx context.Context, tenantID string, sp peal.Span, t *peal.Tally, limit int) ([]peal.Difference, error)
	StillInFlight(ctx context.Context, rows []pipeline.InFlight) ([]bool, error)
}

// Tamperer is what tests of a backend offer beyond the contract: to do to the records what Peal never would. Statements
// are those that every backend accepts, with ? for arguments.
type Tamperer interface {
	Tamper(ctx context.Context, query string, args ...any) error
}

func auditCases() []testCase {
	return []testCase{
		{"what is accepted is counted with it", auditCounts},
		{"repeats and conflicts are not counted", auditRepeats},
		{"tally by status", auditByStatus},
		{"parts of an hour add up", auditParts},
		{"a delivery that is gone", auditLostDelivery},
		{"a notification that is gone", auditLostNotification},
		{"both are gone", auditLostBoth},
		{"rows that nobody accepted", auditExtra},
		{"rows that contradict themselves", auditStates},
		{"rows older than the counters", auditOld},
		{"no more than asked for", auditLimit},
		{"whether a row in flight was touched", auditStill},
	}
}

// span is around everything that the test wrote.
func span() peal.Span {
	now := time.Now().Unix() / 3600
	return peal.HourSpan(now-2, now+2)
}

func (b *bundle) tally(tenantID string, sp peal.Span) peal.Tally {
	b.Helper()
	t, err := b.AuditTally(b.Context(), tenantID, sp)
	b.ok(err)
	return t
}

// audit gives what does not agree, each as kind, id and detail.
func (b *bundle) audit(ctx context.Context, tenantID string) (peal.Tally, []string) {
	b.Helper()
	t, err := b.AuditTally(ctx, tenantID, span())
	b.ok(err)
	found, err := b.AuditRows(ctx, tenantID, span(), &t, 100)
	b.ok(err)
	var all []string
	for _, d := range found {
		if d.TenantID != tenantID || d.Hour != peal.HourOf(d.ID) {
			b.Errorf("%+v is of tenant %s and hour %d", d, tenantID, peal.HourOf(d.ID))
		}
		all = append(all, fmt.Sprintf("%s %s %s", d.Kind, d.ID, d.Detail))
	}
	return t, all
}

// clean fails the test if anything of the tenants does not agree. It is run after every case that has not tampered.
func (b *bundle) clean() {
	b.Helper()
	for _, tenantID := range []string{"a", "b"} {
		if t, found := b.audit(context.Background(), tenantID); !t.Balanced() || len(found) > 0 {
			b.Errorf("the audit finds of tenant %s: %+v %s", tenantID, t, strings.Join(found[:min(len(found), 5)], "; "))
		}
	}
}

func (b *bundle) tamper(query string, args ...any) {
	b.Helper()
	t, ok := b.Store.(Tamperer)
	if !ok {
		b.Fatal("the backend's tests offer no Tamper")
	}
	b.tampered = true
	b.ok(t.Tamper(b.Context(), query, args...))
}

// finds fails the test unless the audit finds this of tenant a, and nothing of tenant b.
func (b *bundle) finds(balanced bool, want ...string) {
	b.Helper()
	t, found := b.audit(b.Context(), "a")
	if t.Balanced() != balanced {
		b.Errorf("the tally is %+v", t)
	}
	slices.Sort(found)
	slices.Sort(want)
	b.same("found", found, want)
	if t, found := b.audit(b.Context(), "b"); !t.Balanced() || len(found) > 0 {
		b.Errorf("of tenant b it finds %+v %v", t, found)
	}
}

func auditCounts(b *bundle) {
	in, other := b.integration("a"), b.integration("b")
	two := b.submission(in)
	second := two.Deliveries[0]
	second.Recipient = "+14155550199"
	var err error
	second.ID, err = peal.DeliveryID(two.Notification.ID, in.ID, second.Recipient)
	b.ok(err)
	two.Deliveries = append(two.Deliveries, second)
	b.acceptAll(two, b.submission(in), b.submission(other))
	b.acceptMany(in, 3)
	t := b.tally("a", span())
	b.same("tally", t, peal.Tally{
		TenantID: "a", Notifications: 5, Deliveries: 6, NotificationRows: 5, DeliveryRows: 6, ByStatus: map[peal.Status]int64{peal.Queued: 6},
	})
	sp := span()
	hours, err := b.AcceptedHours(b.Context(), "a", sp.FromHour, sp.ToHour)
	b.ok(err)
	var notifications, deliveries int64
	for _, h := range hours {
		notifications, deliveries = notifications+h.Notifications, deliveries+h.Deliveries
	}
	if notifications != 5 || deliveries != 6 || hours[0].Hour != peal.HourOf(two.Notification.ID) {
		b.Errorf("counted %+v", hours)
	}
	hours, err = b.AcceptedHours(b.Context(), "a", sp.ToHour, sp.ToHour+100)
	b.ok(err)
	b.same("of other hours", hours, []peal.HourCount(nil))
	if t := b.tally("a", peal.HourSpan(sp.ToHour, sp.ToHour+100)); !t.Balanced() || t.DeliveryRows != 0 {
		b.Errorf("of other hours: %+v", t)
	}
	b.finds(true)
}

func auditRepeats(b *bundle) {
	in := b.integration("a")
	b.acceptAll(b.submission(in, keyed("k", "body")))
	b.acceptAll(b.submission(in, keyed("k", "body")), b.submission(in, keyed("k", "other")), b.submission(in))
	if t := b.tally("a", span()); t.Notifications != 2 || t.Deliveries != 2 || !t.Balanced() {
		b.Errorf("the tally is %+v", t)
	}
	if _, err := b.Accept(b.Context(), []pipeline.Submission{b.submission(in), {}, {}}); err != nil {
		b.finds(true) // what was refused as a whole is not counted either
	}
}

func auditByStatus(b *bundle) {
	in := b.integration("a")
	b.acceptMany(in, 2)
	b.claim(in, b.accept(in).ID)
	read := b.sent(in)
	b.fold(join(&read), byKey(&read, peal.Read, b.clock.now()))
	b.sent(in)
	b.dead(in, 3, "x")
	unknown := b.accept(in)
	b.claim(in, unknown.ID)
	b.record(b.attempt(in, unknown.ID, peal.ClassUnknown, peal.Uncertain))
	t := b.tally("a", span())
	b.same("by status", t.ByStatus, map[peal.Status]int64{
		peal.Queued: 2, peal.Sending: 1, peal.Uncertain: 1, peal.Sent: 1, peal.Read: 1, peal.Failed: 3,
	})
	if t.InFlight() != 4 || !t.Balanced() || t.Wrong != 0 {
		b.Errorf("the tally is %+v", t)
	}
}

func auditParts(b *bundle) {
	in := b.integration("a")
	var rows []peal.Delivery
	for range 9 {
		rows = append(rows, b.accept(in))
	}
	whole := span()
	cut := rows[4].NotificationID[:18] + "-0000-000000000000"
	low := peal.Span{FromHour: whole.FromHour, ToHour: whole.ToHour, From: whole.From, To: cut, Part: true}
	high := low
	high.From, high.To = cut, whole.To
	first, second := b.tally("a", low), b.tally("a", high)
	if first.Notifications != 0 || second.Deliveries != 0 || first.DeliveryRows != first.NotificationRows ||
		first.DeliveryRows < 1 || first.DeliveryRows+second.DeliveryRows != 9 {
		b.Errorf("the parts are %+v and %+v", first, second)
	}
	for _, sp := range []peal.Span{low, high} {
		found, err := b.AuditRows(b.Context(), "a", sp, &first, 10)
		b.ok(err)
		b.same("found", found, []peal.Difference(nil))
	}
}

func auditLostDelivery(b *bundle) {
	in := b.integration("a")
	lost := b.sent(in)
	b.accept(in)
	b.accept(b.integration("b"))
	b.tamper(`DELETE FROM communications_log WHERE tenant_id = ? AND delivery_id = ?`, "a", lost.ID)
	b.finds(false, "plan "+lost.NotificationID+" 1 deliveries were planned, 0 are there",
		"vanished "+lost.ID+" the timeline of this delivery is there, its row is not")
}

func auditLostNotification(b *bundle) {
	in := b.integration("a")
	lost := b.accept(in)
	b.accept(in)
	b.tamper(`DELETE FROM notifications WHERE tenant_id = ? AND notification_id = ?`, "a", lost.NotificationID)
	b.finds(false, "orphan "+lost.NotificationID+" 1 deliveries are there, their notification is not")
}

func auditLostBoth(b *bundle) {
	in := b.integration("a")
	b.ok(b.CreateTenant(b.Context(), peal.Tenant{ID: "a", Name: "a", CreatedAt: b.clock.now()}))
	sub := b.submission(in, keyed("k", "body"))
	b.acceptAll(sub)
	d := sub.Deliveries[0]
	b.claim(in, d.ID)
	b.record(b.attempt(in, d.ID, peal.ClassAccepted, peal.Sent))
	b.sent(in)
	b.tamper(`DELETE FROM communications_log WHERE tenant_id = ? AND delivery_id = ?`, "a", d.ID)
	b.tamper(`DELETE FROM notifications WHERE tenant_id = ? AND notification_id = ?`, "a", d.NotificationID)
	b.finds(false, "vanished "+d.NotificationID+" an idempotency key stands for this notification, and it is not there",
		"vanished "+d.ID+" the timeline of this delivery is there, its row is not")
}

func auditExtra(b *bundle) {
	in := b.integration("a")
	d := b.accept(in)
	b.tamper(`UPDATE accepted SET deliveries = deliveries - 1 WHERE tenant_id = ? AND hour = ?`, "a", peal.HourOf(d.ID))
	b.finds(false)
	b.tamper(`UPDATE accepted SET deliveries = deliveries + 1, notifications = notifications - 1 WHERE tenant_id = ? AND hour = ?`, "a", peal.HourOf(d.ID))
	b.finds(false)
	b.tamper(`UPDATE accepted SET notifications = notifications + 1 WHERE tenant_id = ? AND hour = ?`, "a", peal.HourOf(d.ID))
	b.finds(true)
	b.tamper(`UPDATE notifications SET deliveries = 2 WHERE tenant_id = ? AND notification_id = ?`, "a", d.NotificationID)
	b.finds(true, "plan "+d.NotificationID+" 2 deliveries were planned, 1 are there")
}

func auditStates(b *bundle) {
	in := b.integration("a")
	b.acceptMany(in, 2)
	b.sent(in)
	for set, says := range map[string]string{
		"status = 'lost'":                        "it is lost: there is no such status",
		"in_flight = NULL":                       "it is queued: it is not marked as in flight",
		"status = 'sent', sent_at = 1":           "it is sent: it is marked as in flight",
		"status = 'failed', in_flight = NULL":    "it is failed: it has no time of its end",
		"ended_at = 1":                           "it is queued: it has a time of its end",
		"status = 'sent', in_flight = NULL":      "it is sent: it has no time of being sent",
		"status = 'delivered', in_flight = NULL": "it is delivered: it has no time of being delivered",
		"status = 'read', in_flight = NULL":      "it is read: it has no time of being read",
		"dead_at = 1":                            "it is queued: it is a dead letter",
		"status = 'sending'":                     "it is sending: no attempt is counted",
		"round = 1":                              "it is queued: it has fewer attempts than before it was re-driven",
	} {
		d := b.accept(in)
		b.tamper(`UPDATE communications_log SET `+set+` WHERE tenant_id = ? AND delivery_id = ?`, "a", d.ID)
		if t := b.tally("a", span()); t.Wrong != 1 {
			b.Errorf("%s: %d rows are wrong", set, t.Wrong)
		}
		b.finds(true, "state "+d.ID+" "+says)
		b.tamper(`UPDATE communications_log SET status = 'queued', in_flight = 1, ended_at = NULL, dead_at = NULL, round = 0
			WHERE tenant_id = ? AND delivery_id = ?`, "a", d.ID)
	}
	b.finds(true)
}

func auditOld(b *bundle) {
	in := b.integration("a")
	old := b.accept(in)
	b.accept(in)
	b.tamper(`UPDATE notifications SET deliveries = NULL WHERE tenant_id = ? AND notification_id = ?`, "a", old.NotificationID)
	b.tamper(`UPDATE accepted SET notifications = 1, deliveries = 1 WHERE tenant_id = ? AND hour = ?`, "a", peal.HourOf(old.ID))
	b.finds(true)
	if t := b.tally("a", span()); t.Uncounted != 1 || t.NotificationRows != 1 {
		b.Errorf("the tally is %+v", t)
	}
}

func auditLimit(b *bundle) {
	in := b.integration("a")
	for range 5 {
		d := b.accept(in)
		b.tamper(`UPDATE communications_log SET round = 1 WHERE tenant_id = ? AND delivery_id = ?`, "a", d.ID)
		b.tamper(`UPDATE notifications SET deliveries = 0 WHERE tenant_id = ? AND notification_id = ?`, "a", d.NotificationID)
	}
	t := b.tally("a", span())
	found, err := b.AuditRows(b.Context(), "a", span(), &t, 2)
	b.ok(err)
	if len(found) != 4 || t.Wrong != 5 {
		b.Errorf("%d are named, %+v", len(found), t)
	}
}

func auditStill(b *bundle) {
	in, other := b.integration("a"), b.integration("b")
	same, claimed, gone := b.accept(in), b.accept(in), b.accept(in)
	alien := b.accept(other)
	var rows []pipeline.InFlight
	for {
		var last pipeline.InFlight
		if len(rows) > 0 {
			last = rows[len(rows)-1]
		}
		page, err := b.InFlight(b.Context(), last.IntegrationID, last.DeliveryID, 2)
		b.ok(err)
		rows = append(rows, page...)
		if len(page) < 2 {
			break
		}
	}
	still := func() map[string]bool {
		each, err := b.StillInFlight(b.Context(), rows)
		b.ok(err)
		m := map[string]bool{}
		for i, r := range rows {
			m[r.DeliveryID] = each[i]
		}
		return m
	}
	b.same("at once", still(), map[string]bool{same.ID: true, claimed.ID: true, gone.ID: true, alien.ID: true})
	b.clock.advance(time.Second)
	c, err := b.Claim(b.Context(), in, []string{claimed.ID}, false) // it stays queued, but somebody has it
	b.ok(err)
	b.same("claimed", len(c.Ready), 1)
	b.ok(b.Cancel(b.Context(), "a", gone.NotificationID))
	b.same("later", still(), map[string]bool{same.ID: true, claimed.ID: false, gone.ID: false, alien.ID: true})
	each, err := b.StillInFlight(b.Context(), nil)
	b.ok(err)
	b.same("of none", each, []bool(nil))
}

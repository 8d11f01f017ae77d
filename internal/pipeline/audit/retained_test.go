package audit_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"peal/internal/peal"
	"peal/internal/pipeline/audit"
	"peal/internal/store"
	"peal/internal/store/pgtest"
)

const day = 24 * time.Hour

// onBoth runs a test over each of the databases.
func onBoth(t *testing.T, test func(b *bundle)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(setup(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		url := pgtest.URL(t)
		test(setupOver(t, "pgx", url, store.Config{URL: url, NodeID: "n1"}))
	})
}

// past writes a notification of that time with so many deliveries that are done, or in flight, and counts it as accept does.
func (b *bundle) past(at time.Time, done, queued int) (notificationID string) {
	b.Helper()
	b.phones++
	id := func(n int) string { return fmt.Sprintf("%s7000-8000-%012x", peal.FirstID(at)[:14], b.phones<<16|n) }
	b.tamper(fmt.Sprintf(`INSERT INTO notifications (tenant_id, notification_id, deliveries, created_at) VALUES ('a', '%s', %d, 1)`, id(0), done+queued))
	b.tamper(fmt.Sprintf(`INSERT INTO accepted VALUES ('a', %d, 'n%d', 1, %d)`, peal.HourOf(id(0)), b.phones, done+queued))
	for i := range done + queued {
		columns := `'sent', NULL, 1`
		if i >= done {
			columns = `'queued', 1, NULL`
		}
		b.tamper(fmt.Sprintf(`INSERT INTO communications_log (tenant_id, delivery_id, notification_id, integration_id, channel, recipient, payload,
			status, in_flight, sent_at, due_at, attempts, created_at, updated_at)
			VALUES ('a', '%s', '%s', 'in-a', 'whatsapp', 'x%d', '{}', %s, %d, 1, 1, 1)`, id(i+1), id(0), i, columns, time.Now().Add(day).UnixMicro()))
	}
	return id(0)
}

// TestALongerRetention brings nothing back of what was let go under a shorter one: the audit does not miss it.
func TestALongerRetention(t *testing.T) {
	t.Parallel()
	onBoth(t, func(b *bundle) {
		now := time.Now()
		cut := now.Add(-7 * day)
		part := cut.Truncate(time.Hour)
		b.past(now.Add(-40*day), 3, 0)
		b.past(now.Add(-20*day), 2, 1) // of which one is waited for
		b.past(part.Add(-time.Millisecond), 1, 0)
		b.past(part, 2, 0)
		b.past(part.Add(time.Hour-time.Second), 1, 0) // of an hour that is only cut
		young := []string{b.past(part.Add(time.Hour), 1, 0), b.past(now.Add(-3*day), 2, 0)}
		b.accept("a", 3)
		b.audited()

		if _, err := b.store.Retain(b.Context(), cut); err != nil {
			b.Fatal(err)
		}
		b.audited()
		if _, err := b.store.Retain(b.Context(), now.Add(-90*day)); err != nil {
			b.Fatal(err)
		}
		b.audited()

		for _, id := range young { // what is still kept is still looked at
			b.tamper(`DELETE FROM communications_log WHERE notification_id = '` + id + `'`)
			hour := peal.HourName(peal.HourOf(id))
			b.audited("a deliveries "+hour, "a plan "+id)
			b.tamper(`DELETE FROM notifications WHERE notification_id = '` + id + `'`)
			b.audited("a deliveries "+hour, "a notifications "+hour)
			b.tamper(fmt.Sprintf(`DELETE FROM accepted WHERE hour = %d`, peal.HourOf(id)))
		}
		b.audited()
	})
}

// audited fails the test unless this is found of the records; the jobs of what past wrote are put back meanwhile.
func (b *bundle) audited(want ...string) {
	b.Helper()
	_, found, _ := b.report(b.auditor(), audit.Request{})
	found = slices.DeleteFunc(found, func(s string) bool { return len(s) > 5 && s[:5] == "a job" })
	if !slices.Equal(found, want) {
		b.Errorf("it finds %q, want %q", found, want)
	}
}

// cutting is records of which something is let go while they are read.
type cutting struct {
	*store.Store

	before func() // is called once, ahead of a tally
}

// AuditTally implements audit.Records.
func (c *cutting) AuditTally(ctx context.Context, tenantID string, sp peal.Span) (peal.Tally, error) {
	if f := c.before; f != nil {
		c.before = nil
		f()
	}
	return c.Store.AuditTally(ctx, tenantID, sp)
}

// TestRetentionBesideAnAudit: what leaves between the choice of the hours and their reading is no difference, and what was
// known of it is forgotten.
func TestRetentionBesideAnAudit(t *testing.T) {
	t.Parallel()
	onBoth(t, func(b *bundle) {
		now := time.Now()
		b.past(now.Add(-20*day), 2, 1)
		b.past(now.Add(-8*day), 2, 0)
		stays := b.past(now.Add(-3*day), 1, 0)
		b.tamper(`DELETE FROM communications_log WHERE notification_id = '` + stays + `'`)
		c := &cutting{Store: b.store}
		a := b.auditor(func(cfg *audit.Config) { cfg.Records = c })
		c.before = func() {
			if _, err := b.store.Retain(b.Context(), now.Add(-7*day)); err != nil {
				b.Error(err)
			}
		}
		hour := peal.HourName(peal.HourOf(stays))
		_, found, _ := b.report(a, audit.Request{})
		found = slices.DeleteFunc(found, func(s string) bool { return len(s) > 5 && s[:5] == "a job" })
		if want := []string{"a deliveries " + hour, "a plan " + stays}; !slices.Equal(found, want) {
			b.Errorf("it finds %q, want %q", found, want)
		}

		a = b.auditor()
		stop := b.run(a)
		defer stop()
		b.eventually("it is found", func() bool { return b.differences(peal.DiffPlan) == 1 })
		if _, err := b.store.Retain(b.Context(), now.Add(-2*day)); err != nil {
			b.Fatal(err)
		}
		b.audited() // by another
		b.eventually("it is forgotten", func() bool {
			if _, err := a.Audit(b.Context(), audit.Request{}); err != nil {
				b.Fatal(err)
			}
			return b.differences(peal.DiffPlan) == 0 && b.differences(peal.DiffDeliveries) == 0
		})
	})
}

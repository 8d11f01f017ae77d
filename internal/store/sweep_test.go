package store

import (
	"fmt"
	"testing"
	"time"

	"peal/internal/peal"
)

func TestWhatWasGivenUpOnIsForgottenAfterAMonth(t *testing.T) {
	t.Parallel()
	start := time.Now()
	now := start
	s := openIn(t, t.TempDir(), func() time.Time { return now })
	evidence := make([]peal.Evidence, 1100) // more than two steps
	for i := range evidence {
		evidence[i] = peal.Evidence{TenantID: "t", IntegrationID: "in", MessageKey: fmt.Sprint(i), Status: peal.Read}
	}
	if _, err := s.Fold(t.Context(), evidence); err != nil {
		t.Fatal(err)
	}
	for i := range 45 {
		if err := s.Unreadable(t.Context(), "in", now, "not JSON", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		after              time.Duration
		givenUp            int64
		evidence, webhooks int
	}{
		{time.Hour, 1100, 1100, 45},
		{30 * 24 * time.Hour, 0, 1100, 45},
		{30*24*time.Hour + time.Minute, 0, 1100, 0}, // evidence counts from when it was given up on, an hour later
		{30*24*time.Hour + time.Hour + time.Minute, 0, 0, 0},
	} {
		now = start.Add(c.after)
		n, err := s.Sweep(t.Context(), now.Add(-20*time.Minute))
		if err != nil || n != c.givenUp {
			t.Errorf("after %s: %d were given up on (%v), want %d", c.after, n, err, c.givenUp)
		}
		unmatched, unreadable := count(t, s.reads, `SELECT COUNT(*) FROM unmatched`), count(t, s.reads, `SELECT COUNT(*) FROM unreadable`)
		if unmatched != c.evidence || unreadable != c.webhooks {
			t.Errorf("after %s: %d and %d are kept, want %d and %d", c.after, unmatched, unreadable, c.evidence, c.webhooks)
		}
	}
}

func TestAVeryLongTimelineShowsItsEnd(t *testing.T) {
	t.Parallel()
	s := openIn(t, t.TempDir(), time.Now)
	subs := some(t, 1, "{}")
	if _, err := s.Accept(t.Context(), subs); err != nil {
		t.Fatal(err)
	}
	d, base := subs[0].Deliveries[0], time.Now().Truncate(time.Second)
	err := s.write(t.Context(), func(tx *tx) error {
		for i := range maxTimeline + 10 {
			e := peal.Event{DeliveryID: d.ID, At: base.Add(time.Duration(i) * time.Second), Type: peal.EventRedriven, Status: peal.Queued}
			if err := putEvent(tx, &e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, events, err := s.Delivery(t.Context(), d.TenantID, d.ID)
	if err != nil || len(events) != maxTimeline+1 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	if first, second, last := events[0], events[1], events[maxTimeline]; first.Type != peal.EventQueued ||
		!second.At.Equal(base.Add(10*time.Second)) || !last.At.Equal(base.Add((maxTimeline+9)*time.Second)) {
		t.Errorf("it begins %+v, %+v and ends %+v", first, second, last)
	}
}

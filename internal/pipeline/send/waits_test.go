package send

import (
	"testing"
	"time"

	"peal/internal/peal"
)

func TestWhatAnAttemptHasWaitedFor(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ago := func(s int) time.Time { return now.Add(-time.Duration(s) * time.Second) }
	for name, tt := range map[string]struct {
		d      peal.Delivery
		w      waits
		pause  span
		waited int
		why    peal.WaitFor
	}{
		"nothing":             {peal.Delivery{Attempts: 1, CreatedAt: ago(2)}, waits{}, span{}, 2, peal.WaitTurn},
		"the limit":           {peal.Delivery{Attempts: 1, CreatedAt: ago(9)}, waits{limit: time.Second, place: time.Millisecond}, span{}, 9, peal.WaitLimit},
		"a place":             {peal.Delivery{Attempts: 1, CreatedAt: ago(9)}, waits{limit: 2 * time.Millisecond, place: time.Second}, span{}, 9, peal.WaitPlace},
		"a pause":             {peal.Delivery{Attempts: 1, CreatedAt: ago(9)}, waits{limit: time.Second}, span{ago(60), ago(1)}, 9, peal.WaitPause},
		"a pause long ago":    {peal.Delivery{Attempts: 1, CreatedAt: ago(9)}, waits{limit: time.Second}, span{ago(60), ago(8)}, 9, peal.WaitLimit},
		"since its send_at":   {peal.Delivery{Attempts: 1, CreatedAt: ago(9), SendAt: ago(3), DueAt: ago(3)}, waits{}, span{}, 3, peal.WaitTurn},
		"since it fell due":   {peal.Delivery{Attempts: 2, CreatedAt: ago(90), DueAt: ago(1), ErrorCode: "http_500"}, waits{}, span{}, 1, peal.WaitTurn},
		"the recipient":       {peal.Delivery{Attempts: 1, CreatedAt: ago(7), DueAt: ago(1), ErrorCode: peal.CodeRecipientLimit}, waits{limit: time.Second}, span{}, 7, peal.CodeRecipientLimit},
		"queued again":        {peal.Delivery{Attempts: 2, CreatedAt: ago(90)}, waits{limit: time.Second}, span{}, 0, ""},
		"a clock that is not": {peal.Delivery{Attempts: 1, CreatedAt: ago(-5)}, waits{}, span{}, 0, peal.WaitTurn},
	} {
		s := &shift{lane: &lane{rest: tt.pause}}
		if waited, why := s.waited(&tt.d, tt.w, now); waited != time.Duration(tt.waited)*time.Second || why != tt.why {
			t.Errorf("%s: %v for %q, want %d s for %q", name, waited, why, tt.waited, tt.why)
		}
	}
}

package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"peal/api"
	"peal/client"
	"peal/emulator/wasender"
)

// fates are the statuses that the provider tells of a message, in their order, five callbacks each with message.sent.
func fates() map[string][]int {
	return map[string][]int{
		"read":              {1, 2, 3, 4},
		"played":            {2, 3, 4, 5},
		"read, not told of": {1, 2, 2, 4},
		"delivered":         {1, 2, 3, 3},
		"sent":              {1, 1, 2, 2},
		"failed":            {1, 2, 0, 0},
		"failed early":      {0, 0, 1, 1},
		"failed, then not":  {0, 1, 2, 3},
	}
}

// end is what a row has come to, without what differs from run to run: ids and times.
type end struct {
	Fate, Status, Code, Flag     string
	Attempts                     int
	Sent, Delivered, Read, Ended bool
	Dead, Key                    bool
}

// TestStorm: ten thousand callbacks for two thousand messages, all of them twice and in disorder, end in exactly the rows
// that they end in when they come one after the other.
func TestStorm(t *testing.T) {
	t.Parallel()
	perFate := 250
	if underRace {
		perFate = 60
	}
	var calm, storm map[end]int
	t.Run("runs", func(t *testing.T) {
		t.Run("in order", func(t *testing.T) {
			t.Parallel()
			calm = runFates(t, 40, func(sc *wasender.Script) {})
		})
		t.Run("shuffled and doubled", func(t *testing.T) {
			t.Parallel()
			storm = runFates(t, perFate, func(sc *wasender.Script) {
				sc.Order, sc.DuplicateChance, sc.Seed, sc.Shape.Mixed = wasender.OrderShuffle, 1, 42, true
			})
		})
	})
	if len(calm) != len(fates()) {
		t.Errorf("%d kinds of ends, want one per fate: %+v", len(calm), calm)
	}
	want := map[end]int{}
	for e := range calm {
		want[e] = perFate
	}
	if diff := cmp.Diff(want, storm); diff != "" {
		t.Errorf("rows after calm (-) and storm (+):\n%s", diff)
	}
}

// runFates sends n messages of each fate with the changed script, waits for all callbacks and counts the rows' ends.
func runFates(t *testing.T, n int, change func(*wasender.Script)) map[end]int {
	t.Helper()
	w := silent(t)
	fateOf := map[string]string{}
	var reqs []api.NotificationRequest
	for fate, statuses := range fates() {
		to := phone()
		fateOf[to] = fate
		sc := wasender.StatusScript(100*time.Millisecond, statuses...)
		sc.MessageSent = true
		change(&sc)
		if err := w.emu.SetScriptFor(to, sc); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			reqs = append(reqs, text(to, fmt.Sprintf("%s %d", fate, i)))
		}
	}
	for len(reqs) > 0 {
		k := min(len(reqs), 1000)
		if res, err := w.peal.SendBatch(t.Context(), reqs[:k]); err != nil || res.Accepted != k {
			t.Fatalf("%+v, %v", res, err)
		}
		reqs = reqs[k:]
	}
	total := int64(n * len(fates()))
	eventually(t, "all are taken", func() error { return want("taken", w.emu.Counts().Accepted, total) })
	w.idle(t)
	if c := w.emu.Counts().Webhooks; c.Posted < 5*total || c.GaveUp+c.Overflowed+c.Filtered > 0 {
		t.Fatalf("webhooks %+v", c)
	}
	// Webhooks are folded in the order that they came: when this one is known to be junk, all before it are folded.
	if a := w.do(t, "POST", w.hook(), "", "junk", "X-Webhook-Signature", wasender.DefaultWebhookSecret); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	eventually(t, "all are folded", func() error {
		return want("junk", w.metric(t, "peal_callbacks_unreadable_total"), 1)
	})
	return w.settled(t, fateOf)
}

// settled waits until every row knows its key, by which what was parked for it has come in, and counts their ends.
func (w *world) settled(t *testing.T, fateOf map[string]string) map[end]int {
	t.Helper()
	var ends map[end]int
	eventually(t, "the rows come to rest", func() error {
		ends = map[end]int{}
		for d, err := range w.peal.Deliveries(t.Context(), client.DeliveryQuery{Limit: 500}) {
			if err != nil {
				return err
			}
			ends[endOf(fateOf[d.Recipient], &d)]++
		}
		for e := range ends {
			if !e.Key {
				return fmt.Errorf("a row has not learned its key: %+v", e)
			}
		}
		return nil
	})
	return ends
}

func endOf(fate string, d *api.Delivery) end {
	return end{
		Fate: fate, Status: d.Status, Code: d.ErrorCode, Flag: d.Flag, Attempts: d.Attempts, Sent: d.SentAt != nil,
		Delivered: d.DeliveredAt != nil, Read: d.ReadAt != nil, Ended: d.EndedAt != nil, Dead: d.DeadLetter, Key: d.MessageKey != "",
	}
}

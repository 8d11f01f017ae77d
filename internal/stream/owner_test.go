package stream

import (
	"errors"
	"slices"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// ends waits until a feed has ended, and gives what it still brought.
func ends(t *testing.T, f *pipeline.Feed) (rest []pipeline.Message) {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case m, ok := <-f.C:
			if !ok {
				return rest
			}
			rest = append(rest, m)
		case <-limit:
			t.Fatal("the feed does not end")
		}
	}
}

func TestTakeOver(t *testing.T) {
	t.Parallel()
	columns(t, func(t *testing.T, open func() *Stream) {
		s := open()
		if err := s.TakeOver(t.Context(), "in"); err != nil {
			t.Fatalf("nobody has anything: %v", err)
		}
		list := jobs("in", 300)
		ensure(t, s, len(list), list...)
		former := openQueue(t, s, "in")
		inHand := take(t, former, 20)

		other := s
		if s.server == nil { // another node
			other = open()
		}
		start := time.Now()
		if err := other.TakeOver(t.Context(), "in"); err != nil {
			t.Fatal(err)
		}
		f := openQueue(t, other, "in")
		ends(t, former)
		former.Stop()
		ack(t, inHand[0]) // the former owner has done it after all
		for _, m := range take(t, f, 299) {
			ack(t, m)
		}
		eventually(t, "all are done", func() bool {
			select { // the broker takes the former owner's word, or gives the job out again
			case m := <-f.C:
				ack(t, m)
			default:
			}
			n, err := s.Pending(t.Context(), "in")
			if err != nil {
				t.Fatal(err)
			}
			return n[peal.Normal] == 0
		})
		if took := time.Since(start); took > 50*time.Second { // an acknowledgement's time is a minute
			t.Errorf("what the former owner had in hand came after %s", took)
		}
	})
}

// TestALaneEndsWithItsConsumer: whatever took the consumer away, the feed says so, and the queue can be opened again.
func TestALaneEndsWithItsConsumer(t *testing.T) {
	t.Parallel()
	columns(t, func(t *testing.T, open func() *Stream) {
		s := open()
		f := openQueue(t, s, "in")
		hooks, err := s.OpenCallbacks(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(hooks.Stop)
		for stream, consumer := range map[string]string{pipeline.Deliveries: queueName("in", peal.Normal), pipeline.Callbacks: "track"} {
			if err := s.js.DeleteConsumer(t.Context(), stream, consumer); err != nil {
				t.Fatal(err)
			}
		}
		ends(t, f)
		ends(t, hooks)
		ensure(t, s, 3, jobs("in", 3)...)
		ack(t, take(t, openQueue(t, s, "in"), 3)...)
		standing(t, s, pipeline.Deliveries, 0)
	})
}

// TestAReconnectIsNoReasonToEnd: only to ask again.
func TestAReconnectIsNoReasonToEnd(t *testing.T) {
	t.Parallel()
	columns(t, func(t *testing.T, open func() *Stream) {
		s := open()
		f := openQueue(t, s, "in")
		s.reconnect()
		ensure(t, s, 3, jobs("in", 3)...)
		ack(t, take(t, f, 3)...)
		s.reconnect()
		ensure(t, s, 3, jobs("in", 3)...)
		ack(t, take(t, f, 3)...)
		standing(t, s, pipeline.Deliveries, 0)
	})
}

// TestNobodyJoinsIn: a lane that another node has cannot be opened, nor does one that was taken over bring anything more.
func TestNobodyJoinsIn(t *testing.T) {
	t.Parallel()
	urls := shared.Account(t)
	one, two := openAt(t, urls), openAt(t, urls)
	f := openQueue(t, one, "in")
	if _, err := two.OpenQueue(t.Context(), "in", peal.Normal, 10, time.Minute); !errors.Is(err, ErrOwned) {
		t.Errorf("another's lane was opened: %v", err)
	}
	if err := two.TakeOver(t.Context(), "in"); err != nil {
		t.Fatal(err)
	}
	g := openQueue(t, two, "in")
	if _, err := one.OpenQueue(t.Context(), "in", peal.Normal, 10, time.Minute); !errors.Is(err, ErrOwned) {
		t.Errorf("the former owner opened the lane: %v", err)
	}
	ensure(t, one, 50, jobs("in", 50)...)
	ack(t, take(t, g, 50)...)
	if rest := ends(t, f); len(rest) > 0 {
		t.Errorf("the former owner got %d jobs", len(rest))
	}
	again, err := two.OpenQueue(t.Context(), "in", peal.Normal, 10, time.Hour) // with another time, of the same owner
	if err != nil {
		t.Fatal(err)
	}
	again.Stop()
}

func TestLanesAreApart(t *testing.T) {
	t.Parallel()
	columns(t, func(t *testing.T, open func() *Stream) {
		s := open()
		list := jobs("in", 30)
		want := map[peal.Priority][]pipeline.Job{}
		for i := range list {
			list[i].Priority = peal.Priorities()[i%3]
			if i%3 == 2 { // through a schedule
				list[i].Due = time.Now().Add(time.Second)
			}
			want[list[i].Priority] = append(want[list[i].Priority], list[i])
		}
		ensure(t, s, len(list), list...)
		for lane, jobs := range want {
			f, err := s.OpenQueue(t.Context(), "in", lane, 100, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(f.Stop)
			got := take(t, f, 10)
			if !slices.Equal(names(got), namesOf(jobs)) {
				t.Errorf("lane %s brought %v, want %v", lane, names(got), namesOf(jobs))
			}
			ack(t, got...)
		}
		standing(t, s, pipeline.Deliveries, 0)
	})
}

func TestPending(t *testing.T) {
	t.Parallel()
	columns(t, func(t *testing.T, open func() *Stream) {
		s := open()
		list := jobs("in", 12)
		for i := range list[:4] {
			list[i].Priority = peal.Bulk
		}
		list[11].Due = time.Now().Add(time.Hour)
		ensure(t, s, 12, list...)
		ensure(t, s, 5, jobs("other", 5)...)
		is := func(want map[peal.Priority]uint64) {
			t.Helper()
			eventually(t, "the queue's length", func() bool {
				got, err := s.Pending(t.Context(), "in")
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range peal.Priorities() {
					if got[p] != want[p] {
						return false
					}
				}
				return true
			})
		}
		is(map[peal.Priority]uint64{peal.Normal: 7, peal.Bulk: 4}) // nobody has opened it yet
		f := openQueue(t, s, "in")
		got := take(t, f, 3)
		is(map[peal.Priority]uint64{peal.Normal: 7, peal.Bulk: 4})
		ack(t, got...)
		is(map[peal.Priority]uint64{peal.Normal: 4, peal.Bulk: 4})
		f.Stop()
		if err := s.DropQueue(t.Context(), "in"); err != nil {
			t.Fatal(err)
		}
		is(nil)
		standing(t, s, pipeline.Deliveries, 6)
	})
}

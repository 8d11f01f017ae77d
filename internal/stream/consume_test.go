package stream

import (
	"slices"
	"sync"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

func TestWhatWasNotAcknowledgedComesAgainAfterARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openIn(t, dir)
	list := jobs("in", 5)
	ensure(t, s, 5, list...)
	got := take(t, openQueue(t, s, "in"), 5)
	ack(t, got[:2]...)
	standing(t, s, pipeline.Deliveries, 3)
	s.Close()
	s = openIn(t, dir)
	start := time.Now()
	again := take(t, openQueue(t, s, "in"), 3)
	if took := time.Since(start); took > 30*time.Second { // it would be a minute, were the consumer's state on disk
		t.Errorf("they came after %s", took)
	}
	if !slices.Equal(names(again), names(got[2:])) {
		t.Errorf("%v came again, want %v", names(again), names(got[2:]))
	}
}

func TestWhatIsNotAcknowledgedInTimeComesAgain(t *testing.T) {
	t.Parallel()
	columns(t, func(t *testing.T, open func() *Stream) {
		s := open()
		ensure(t, s, 1, jobs("in", 1)...)
		f, err := s.OpenQueue(t.Context(), "in", peal.Normal, 10, 300*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(f.Stop)
		take(t, f, 1)
		ack(t, take(t, f, 1)...)
		standing(t, s, pipeline.Deliveries, 0)
	})
}

func TestQueuesAreApart(t *testing.T) {
	t.Parallel()
	columns(t, func(t *testing.T, open func() *Stream) {
		s := open()
		one, two := jobs("one", 5), jobs("two", 5)
		ensure(t, s, 10, slices.Concat(one, two)...)
		for id, want := range map[string][]pipeline.Job{"one": one, "two": two} {
			if got := take(t, openQueue(t, s, id), 5); !slices.Equal(names(got), namesOf(want)) {
				t.Errorf("queue %s brought %v, want %v", id, names(got), namesOf(want))
			}
		}
	})
}

func TestStopGivesBackWhatNobodyTook(t *testing.T) {
	t.Parallel()
	columns(t, func(t *testing.T, open func() *Stream) {
		s := open()
		list := jobs("in", 300)
		ensure(t, s, 300, list...)
		for round := range 5 {
			f := openQueue(t, s, "in")
			mine := take(t, f, 10)
			f.Stop()
			f.Stop() // twice is no error
			if _, open := <-f.C; open {
				t.Error("a stopped feed gave a message")
			}
			ack(t, mine...) // what was taken is still the taker's
			standing(t, s, pipeline.Deliveries, uint64(300-10*(round+1)))
		}
		start := time.Now()
		f := openQueue(t, s, "in")
		seen := map[string]bool{}
		for _, m := range take(t, f, 250) {
			seen[m.Subject()] = true
			ack(t, m)
		}
		if took := time.Since(start); took > 30*time.Second { // the acknowledgement's time is a minute
			t.Errorf("what was given back came after %s", took)
		}
		if len(seen) != 250 {
			t.Errorf("%d of 250 came", len(seen))
		}
		standing(t, s, pipeline.Deliveries, 0)
	})
}

func TestStopOfAnIdleFeed(t *testing.T) {
	t.Parallel()
	columns(t, func(t *testing.T, open func() *Stream) {
		s := open()
		start := time.Now()
		for range 3 {
			openQueue(t, s, "in").Stop()
		}
		f, err := s.OpenCallbacks(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		f.Stop()
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestWhatIsGivenBackComesAgain(t *testing.T) {
	t.Parallel()
	columns(t, func(t *testing.T, open func() *Stream) {
		s := open()
		ensure(t, s, 1, jobs("in", 1)...)
		f := openQueue(t, s, "in")
		for range 3 {
			if err := take(t, f, 1)[0].Nak(); err != nil {
				t.Fatal(err)
			}
		}
		ack(t, take(t, f, 1)...)
		standing(t, s, pipeline.Deliveries, 0)
	})
}

func TestManyTakersShareAFeed(t *testing.T) {
	t.Parallel()
	columns(t, func(t *testing.T, open func() *Stream) {
		s := open()
		list := jobs("in", 1000)
		ensure(t, s, len(list), list...)
		f := openQueue(t, s, "in")
		var mu sync.Mutex
		seen := map[string]int{}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for m := range f.C {
					mu.Lock()
					seen[m.Subject()]++
					done := len(seen) == len(list)
					mu.Unlock()
					if err := m.Ack(); err != nil {
						t.Error(err)
					}
					if done {
						go f.Stop()
					}
				}
			})
		}
		wg.Wait()
		for subject, n := range seen {
			if n != 1 {
				t.Errorf("%s came %d times", subject, n)
			}
		}
		standing(t, s, pipeline.Deliveries, 0)
	})
}

func TestADroppedQueueIsForgotten(t *testing.T) {
	t.Parallel()
	columns(t, func(t *testing.T, open func() *Stream) {
		s := open()
		gone, stays := jobs("gone", 5), jobs("stays", 5)
		ensure(t, s, 10, slices.Concat(gone, stays)...)
		f := openQueue(t, s, "gone")
		take(t, f, 2)
		f.Stop()
		for range 2 { // twice is no error
			if err := s.DropQueue(t.Context(), "gone"); err != nil {
				t.Fatal(err)
			}
			standing(t, s, pipeline.Deliveries, 5)
		}
		take(t, openQueue(t, s, "stays"), 5)
		if err := s.DropQueue(t.Context(), "never"); err != nil {
			t.Error(err)
		}
		ensure(t, s, 5, gone...)
		take(t, openQueue(t, s, "gone"), 5)
	})
}

// TestNoMoreIsInHandThanWasAskedFor: what is in hand runs out of its time while it waits for a slow limit.
func TestNoMoreIsInHandThanWasAskedFor(t *testing.T) {
	t.Parallel()
	for _, prefetch := range []int{1, 2, 10, 100} {
		s := openIn(t, t.TempDir())
		ensure(t, s, 300, jobs("in", 300)...)
		f, err := s.OpenQueue(t.Context(), "in", peal.Normal, prefetch, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(f.Stop)
		most := 0
		for range 100 {
			m, ok := take(t, f, 1)[0].(message)
			if !ok {
				t.Fatal("it is no message of the broker's")
			}
			if _, err := s.conn.RequestWithContext(t.Context(), m.m.Reply, []byte("+ACK")); err != nil { // then it is no longer in hand
				t.Fatal(err)
			}
			cons, err := s.js.Consumer(t.Context(), pipeline.Deliveries, queueName("in", peal.Normal))
			if err != nil {
				t.Fatal(err)
			}
			most = max(most, cons.CachedInfo().NumAckPending)
		}
		if most > prefetch+1 { // and one that is being handed over
			t.Errorf("%d were in hand; %d were asked for", most, prefetch)
		}
	}
}

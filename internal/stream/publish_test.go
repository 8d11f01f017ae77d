package stream

import (
	"slices"
	"sync"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

func TestADeliveryHasOneJob(t *testing.T) {
	t.Parallel()
	columns(t, func(t *testing.T, open func() *Stream) {
		s := open()
		list := jobs("in", 3)
		ensure(t, s, 2, list[:2]...)
		ensure(t, s, 1, list...) // two stand
		ensure(t, s, 0, list...)
		s.Publish(list)
		f := openQueue(t, s, "in")
		got := take(t, f, 3)
		if !slices.Equal(names(got), namesOf(list)) {
			t.Errorf("jobs of %v came, want %v", names(got), namesOf(list))
		}
		ensure(t, s, 0, list...) // they are in somebody's hands
		ack(t, got...)
		standing(t, s, pipeline.Deliveries, 0)
		ensure(t, s, 3, list...) // done: the place is free again
		if again := take(t, f, 3); !slices.Equal(names(again), namesOf(list)) {
			t.Errorf("jobs of %v came again", names(again))
		}
	})
}

func TestEnsureTellsOfEachJob(t *testing.T) {
	t.Parallel()
	columns(t, func(t *testing.T, open func() *Stream) {
		s := open()
		list := jobs("in", 4)
		list[3].DeliveryID = list[2].DeliveryID // twice in one call
		ensure(t, s, 1, list[1])
		added, err := s.EnsureEach(t.Context(), list)
		if err != nil {
			t.Fatal(err)
		}
		if want := []bool{true, false, true, false}; !slices.Equal(added, want) {
			t.Errorf("missing were %v, want %v", added, want)
		}
		added, err = s.EnsureEach(t.Context(), nil)
		if err != nil || len(added) != 0 {
			t.Errorf("of no jobs: %v, %v", added, err)
		}
	})
}

func TestOfManyPublishersOneWins(t *testing.T) {
	t.Parallel()
	columns(t, func(t *testing.T, open func() *Stream) {
		s := open()
		list := jobs("in", 50)
		var mu sync.Mutex
		total := 0
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				n, err := s.Ensure(t.Context(), list)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				total += n
			})
			wg.Go(func() { s.Publish(list) })
		}
		wg.Wait()
		if total > len(list) {
			t.Errorf("%d jobs were added for %d deliveries", total, len(list))
		}
		standing(t, s, pipeline.Deliveries, uint64(len(list)))
	})
}

func TestASecondScheduleIsRefused(t *testing.T) {
	t.Parallel()
	columns(t, func(t *testing.T, open func() *Stream) {
		s := open()
		later := jobs("in", 1)[0]
		later.Due = time.Now().Add(time.Hour)
		ensure(t, s, 1, later)
		ensure(t, s, 0, later)
		later.Due = later.Due.Add(time.Hour)
		ensure(t, s, 0, later)
		standing(t, s, pipeline.Deliveries, 1)
	})
}

func TestWhatIsDueAboutNowNeedsNoSchedule(t *testing.T) {
	t.Parallel()
	columns(t, func(t *testing.T, open func() *Stream) {
		s := open()
		list := jobs("in", 3)
		list[1].Due, list[2].Due = time.Now().Add(-time.Hour), time.Now().Add(soonest/2)
		ensure(t, s, 3, list...)
		for _, m := range take(t, openQueue(t, s, "in"), 3) {
			ack(t, m)
		}
		standing(t, s, pipeline.Deliveries, 0)
	})
}

func TestSchedulesAreNeverEarlyAndSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openIn(t, dir)
	list := jobs("in", 12)
	due := map[string]time.Time{}
	for i := range list { // due at every tenth of the second to come, and the one after
		list[i].Due = time.Now().Add(time.Second + time.Duration(i)*100*time.Millisecond)
		due[list[i].DeliveryID] = list[i].Due
	}
	ensure(t, s, len(list), list...)
	s.Close()
	s = openIn(t, dir)
	ensure(t, s, 0, list...) // they still stand
	f := openQueue(t, s, "in")
	for range list {
		m := take(t, f, 1)[0]
		id := pipeline.DeliveryOf(m.Subject())
		late := time.Since(due[id])
		if _, ours := due[id]; !ours || late < 0 {
			t.Errorf("a job came %s after it was due", late)
		}
		delete(due, id)
		ack(t, m)
	}
	standing(t, s, pipeline.Deliveries, 0)
	again := list[0]
	again.Due = time.Now().Add(time.Hour)
	ensure(t, s, 1, again) // after the acknowledgement both places are free
	again.Due = time.Time{}
	ensure(t, s, 1, again)
}

// TestARetryIsScheduledWhileItsJobIsInHand is how send does it: first the schedule, then the acknowledgement.
func TestARetryIsScheduledWhileItsJobIsInHand(t *testing.T) {
	t.Parallel()
	columns(t, func(t *testing.T, open func() *Stream) {
		s := open()
		job := jobs("in", 1)[0]
		ensure(t, s, 1, job)
		f := openQueue(t, s, "in")
		first := take(t, f, 1)[0]
		job.Due = time.Now().Add(200 * time.Millisecond)
		ensure(t, s, 1, job)
		ack(t, first)
		m := take(t, f, 1)[0]
		if time.Now().Before(job.Due) || pipeline.DeliveryOf(m.Subject()) != job.DeliveryID {
			t.Errorf("%s came %s before its time", m.Subject(), time.Until(job.Due))
		}
		ack(t, m)
		standing(t, s, pipeline.Deliveries, 0)
	})
}

func TestKeptWebhooksAreOnDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openIn(t, dir)
	want := map[string]bool{}
	for range 20 {
		body := peal.NewID()
		if err := s.Keep(t.Context(), "in", []byte(body)); err != nil {
			t.Fatal(err)
		}
		want[body] = true
	}
	backlog(t, s, 20)
	copied := t.TempDir() // what another process would find if this one were killed now
	copyFolder(t, dir, copied)
	s = openIn(t, copied)
	backlog(t, s, 20)
	f, err := s.OpenCallbacks(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)
	for i, m := range take(t, f, 20) {
		if !want[string(m.Data())] || m.Subject() != pipeline.CallbackSubject("in") {
			t.Errorf("%s brought %q", m.Subject(), m.Data())
		}
		delete(want, string(m.Data()))
		if i < 15 {
			ack(t, m)
		}
	}
	backlog(t, s, 5)
	s.Close()
	backlog(t, openIn(t, copied), 5)
}

func backlog(t *testing.T, s *Stream, want uint64) {
	t.Helper()
	eventually(t, "the backlog", func() bool {
		n, err := s.Backlog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n == want
	})
}

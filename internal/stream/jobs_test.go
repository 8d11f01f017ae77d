package stream

import (
	"slices"
	"sync"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

func standingJobs(t *testing.T, s *Stream, list []pipeline.Job) []bool {
	t.Helper()
	got, err := s.Standing(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(list) {
		t.Fatalf("%d answers of %d jobs", len(got), len(list))
	}
	return got
}

func TestWhichJobsStand(t *testing.T) {
	t.Parallel()
	s := openIn(t, t.TempDir())
	if got := standingJobs(t, s, nil); len(got) != 0 {
		t.Errorf("of no jobs: %v", got)
	}
	list := jobs("in", 2500) // more than are asked after at once
	for i := range list {
		if i%5 == 0 {
			list[i].Due = time.Now().Add(time.Hour)
		}
		list[i].Priority = peal.Bulk
	}
	var some []pipeline.Job
	want := make([]bool, len(list))
	for i := range list {
		if i%3 == 0 {
			some, want[i] = append(some, list[i]), true
		}
	}
	if slices.Contains(standingJobs(t, s, list), true) {
		t.Error("jobs stand that nobody made")
	}
	ensure(t, s, len(some), some...)
	if !slices.Equal(standingJobs(t, s, list), want) {
		t.Error("other jobs stand than were made")
	}
	standing(t, s, pipeline.Deliveries, uint64(len(some))) // nothing was written

	soon := slices.Clone(list[:1]) // it was put off, and its job still stands in the queue
	soon[0].Due = time.Time{}
	if standingJobs(t, s, soon)[0] {
		t.Error("a schedule counts as a job that is due")
	}
	near := jobs("in", 1)
	near[0].Due = time.Now().Add(2 * time.Second)
	ensure(t, s, 1, near...)
	near[0].Due = time.Time{}
	if !standingJobs(t, s, near)[0] {
		t.Error("a schedule that is about to fire is no job")
	}
	ensure(t, s, 1, soon...)
	if !standingJobs(t, s, soon)[0] {
		t.Error("the job that is due is not seen")
	}
	soon[0].Due = time.Now().Add(2 * time.Hour)
	if !standingJobs(t, s, soon)[0] {
		t.Error("what is due later and stands in the queue has no job")
	}
}

// TestLookingWhileJobsGo: whatever is acknowledged meanwhile, the jobs that stay are seen.
func TestLookingWhileJobsGo(t *testing.T) {
	t.Parallel()
	s := openIn(t, t.TempDir())
	stay, gone := jobs("in", 500), jobs("going", 3000)
	ensure(t, s, 3500, slices.Concat(stay, gone)...)
	f := openQueue(t, s, "going")
	var wg sync.WaitGroup
	wg.Go(func() { ack(t, take(t, f, len(gone))...) })
	for range 20 {
		mixed := slices.Concat(gone[:1500], stay, gone[1500:])
		for i, stands := range standingJobs(t, s, mixed) {
			if !stands && mixed[i].IntegrationID == "in" {
				t.Fatalf("%s is not seen", mixed[i].DeliveryID)
			}
		}
	}
	wg.Wait()
}

func TestLookingAtABrokerThatIsAway(t *testing.T) {
	t.Parallel()
	s := openIn(t, t.TempDir())
	s.Close()
	if _, err := s.Standing(t.Context(), jobs("in", 1)); err == nil {
		t.Error("a broker that is closed tells what stands")
	}
}

// TestWhichJobsStandOnACluster: any replica may answer, and each knows all jobs after a moment.
func TestWhichJobsStandOnACluster(t *testing.T) {
	t.Parallel()
	s := openAt(t, shared.Account(t))
	list, absent := jobs("in", 1500), jobs("in", 500)
	ensure(t, s, len(list), list...)
	for range 10 {
		eventually(t, "all stand", func() bool { return !slices.Contains(standingJobs(t, s, list), false) })
		if slices.Contains(standingJobs(t, s, absent), true) {
			t.Error("jobs stand that nobody made")
		}
	}
}

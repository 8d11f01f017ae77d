package send

import (
	"testing"

	"pgregory.net/rapid"

	"peal/internal/pipeline"
)

// laneJob is a job that knows its lane.
type laneJob int

func (laneJob) Subject() string { return "" }
func (laneJob) Data() []byte    { return nil }
func (laneJob) Ack() error      { return nil }
func (laneJob) Nak() error      { return nil }

// waiting makes an intake with so many jobs in each lane.
func waiting(n [lanes]int) (*intake, [lanes]chan pipeline.Message) {
	q := &intake{}
	var feeds [lanes]chan pipeline.Message
	for lane := range n {
		feeds[lane] = make(chan pipeline.Message, max(n[lane], 1))
		for range n[lane] {
			feeds[lane] <- laneJob(lane)
		}
		q.feeds[lane] = &pipeline.Feed{C: feeds[lane], Stop: func() {}}
	}
	return q, feeds
}

func TestUrgentJobsOvertake(t *testing.T) {
	t.Parallel()
	q, feeds := waiting([lanes]int{0, 0, 200})
	if !q.wait(t.Context()) || q.size() != 200 {
		t.Fatalf("%d are in hand", q.size())
	}
	q.pick(50)
	feeds[0] <- laneJob(0) // comes when a campaign is in hand already
	q.fill()
	if got := q.pick(1)[0]; got != laneJob(0) {
		t.Errorf("lane %v went before the most urgent", got)
	}
}

func TestNothingStarves(t *testing.T) {
	t.Parallel()
	q, _ := waiting([lanes]int{200, 200, 200})
	q.fill()
	var got [lanes]int
	for _, m := range q.pick(128) {
		got[m.(laneJob)]++
	}
	if got[0] < 110 || got[1] < 12 || got[2] < 2 {
		t.Errorf("of 128 turns the lanes had %v", got)
	}
	q, _ = waiting([lanes]int{0, 200, 200})
	q.fill()
	got = [lanes]int{}
	for _, m := range q.pick(128) {
		got[m.(laneJob)]++
	}
	if got[1] < 110 || got[2] < 14 {
		t.Errorf("of 128 turns the lanes had %v, with nothing critical waiting", got)
	}
}

func TestWhatIsPickedIsWhatCame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var n [lanes]int
		all := 0
		for lane := range n {
			n[lane] = rapid.IntRange(0, 40).Draw(t, "jobs")
			all += n[lane]
		}
		q, _ := waiting(n)
		q.fill()
		var got [lanes]int
		for q.size() > 0 {
			for _, m := range q.pick(rapid.IntRange(1, 20).Draw(t, "places")) {
				got[m.(laneJob)]++
			}
		}
		if got != n || len(q.rest()) != 0 {
			t.Fatalf("%v were picked of %v", got, n)
		}
	})
}

func TestAFeedThatEndsIsNoticed(t *testing.T) {
	t.Parallel()
	q, feeds := waiting([lanes]int{})
	close(feeds[2])
	if q.wait(t.Context()) {
		t.Error("it waits on a feed that has ended")
	}
}

package send

import (
	"context"

	"peal/internal/pipeline"
)

const lanes = 3 // of a queue, as many as there are priorities

// share is how often the lanes behind the most urgent one have a turn, as long as they wait, too: one job in so many goes
// to the second, and one in the square of that to the last. So nothing starves behind what never ends.
const share = 8

// intake is what waits in this process's hands for its turn, the most urgent lane first.
type intake struct {
	feeds [lanes]*pipeline.Feed
	hand  [lanes][]pipeline.Message
	turn  int
}

// wait returns when a job is in hand; false when ctx or a feed has ended.
func (q *intake) wait(ctx context.Context) bool {
	if !q.fill() {
		return false
	}
	if q.size() > 0 {
		return true
	}
	var m pipeline.Message
	var ok bool
	lane := 0
	select {
	case <-ctx.Done():
		return false
	case m, ok = <-q.feeds[0].C:
	case m, ok = <-q.feeds[1].C:
		lane = 1
	case m, ok = <-q.feeds[2].C:
		lane = 2
	}
	if ok {
		q.hand[lane] = append(q.hand[lane], m)
	}
	return ok && q.fill()
}

// fill takes in hand what has come, without waiting for more; false when a feed has ended.
func (q *intake) fill() bool {
	for lane, feed := range q.feeds {
	more:
		for len(q.hand[lane]) < maxBatch {
			select {
			case m, ok := <-feed.C:
				if !ok {
					return false
				}
				q.hand[lane] = append(q.hand[lane], m)
			default:
				break more
			}
		}
	}
	return true
}

// size is how many jobs are in hand.
func (q *intake) size() (n int) {
	for lane := range q.hand {
		n += len(q.hand[lane])
	}
	return n
}

// pick takes up to n of the jobs in hand, by turns.
func (q *intake) pick(n int) []pipeline.Message {
	picked := make([]pipeline.Message, 0, min(n, q.size()))
	for len(picked) < cap(picked) {
		q.turn++
		behind := 0
		if q.turn%share == 0 {
			behind = 1
		}
		if q.turn%(share*share) == 0 {
			behind = 2
		}
		lane := q.waiting(behind)
		picked = append(picked, q.hand[lane][0])
		q.hand[lane][0] = nil // the array lives on; what was picked need not
		q.hand[lane] = q.hand[lane][1:]
	}
	return picked
}

// waiting is the lane in which jobs wait that has so many such lanes before it, or the last one.
func (q *intake) waiting(behind int) (lane int) {
	for i := range q.hand {
		if len(q.hand[i]) == 0 {
			continue
		}
		if lane = i; behind == 0 {
			break
		}
		behind--
	}
	return lane
}

// rest takes everything that is still in hand.
func (q *intake) rest() []pipeline.Message { return q.pick(q.size()) }

// stop ends the feeds; they give back what was not taken from them.
func (q *intake) stop() {
	for _, feed := range q.feeds {
		if feed != nil {
			feed.Stop()
		}
	}
}

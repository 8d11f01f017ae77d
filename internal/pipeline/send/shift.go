package send

import (
	"context"
	"errors"
	"sync"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/provider"
)

// shift is a lane's work under one version of the integration.
type shift struct {
	*lane
	in         *peal.Integration
	lease      Lease
	limit      *limiter // the one that this shift's places are of, whatever the lane goes on with
	recipients *recipients
	client     provider.Client
	free       chan struct{} // one place per delivery that is being claimed or called for
	calls      chan struct{} // one place per call that may be in flight
	claims     chan struct{} // one place per claim that may wait for the disk
	results    chan done
	working    sync.WaitGroup
	intent     bool
	checks     []time.Duration
	finds      []time.Duration
	push       bool // its messages go to devices
	people     bool // they go to people who may not want them
	well       wellness
	groups     provider.Grouper // nil: the provider slows down all, or a recipient
	budgeter   provider.Budgeter
	budget     *recipients // of the messages that the budgeter means
}

// done is a finished attempt with the job that it was for.
type done struct {
	attempt peal.Attempt
	job     pipeline.Message
	device  *peal.Device // that it was for, of a push

	template *api.Template // that it waits for
}

// run takes jobs until ctx ends or the queue does. Which job goes is decided when one may go, so that an urgent one that
// has just come overtakes those that have waited in hand.
func (s *shift) run(ctx context.Context, queue *intake) {
	defer func() { s.giveBack(queue.rest()) }()
	for queue.wait(ctx) {
		n, w, err := s.admit(ctx, min(queue.size(), maxBatch))
		if err != nil {
			return
		}
		more := queue.fill()
		jobs := queue.pick(n)
		s.working.Go(func() { s.work(jobs, w) })
		if !more {
			return
		}
	}
}

// admit waits until at least one call may start, for concurrency and for the limit, and says how many of want may, and what
// that waited for.
func (s *shift) admit(ctx context.Context, want int) (n int, w waits, err error) {
	start := time.Now()
	select { // first, so that while claims wait for the disk the places that come free gather for the next
	case s.claims <- struct{}{}:
	case <-ctx.Done():
		return 0, w, ctx.Err()
	}
	n, limit, err := s.places(ctx, want)
	if err != nil {
		<-s.claims
	}
	return n, waits{limit: limit, place: time.Since(start) - limit}, err
}

// places takes up to want places, and as many uses of the limit; it tells how long the limit took.
func (s *shift) places(ctx context.Context, want int) (int, time.Duration, error) {
	select {
	case s.free <- struct{}{}:
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
	n := 1
more:
	for n < want {
		select {
		case s.free <- struct{}{}:
			n++
		default:
			break more
		}
	}
	start := time.Now()
	allowed, err := s.limit.take(ctx, n)
	limit := time.Since(start)
	if s.limit != nil {
		s.cfg.Metrics.LimitWait.WithLabelValues(s.id).Observe(limit.Seconds())
	}
	s.release(n - allowed)
	return allowed, limit, err
}

func (s *shift) release(n int) {
	for range n {
		<-s.free
	}
}

// work claims the rows of admitted jobs and calls for those that are ready. The work is finished even when the shift
// ends meanwhile: what is claimed is sent and recorded.
func (s *shift) work(jobs []pipeline.Message, w waits) {
	ids := make([]string, 0, len(jobs))
	byID := make(map[string]pipeline.Message, len(jobs))
	for _, j := range jobs {
		id := pipeline.DeliveryOf(j.Subject())
		if !s.begin(id) { // it came again while it is being worked on: the first will see to it
			s.forgo(1)
			continue
		}
		ids, byID[id] = append(ids, id), j
	}
	// No deadline: a claim that is written after all, with nobody to act on it, would leave its rows in doubt.
	if !s.lease.Valid() { // what another owner does with these rows is not to be judged
		<-s.claims
		s.leave(ids, byID)
		return
	}
	began := s.cfg.Now()
	claimed, poison, err := s.claim(ids)
	<-s.claims
	if err != nil {
		s.log.Warn("jobs not claimed; they come again", "jobs", len(ids), "error", err)
		s.doubt(ids, span{began, s.cfg.Now()})
		s.leave(ids, byID)
		return
	}
	for i := range claimed.Ready {
		s.sure([]string{claimed.Ready[i].ID})
	}
	s.forgo(len(ids) - len(claimed.Ready))
	for _, id := range poison {
		s.suspect(id, byID[id])
		delete(byID, id)
	}
	looks := s.look(claimed.Ready)
	for i := range claimed.Ready {
		d := &claimed.Ready[i]
		job := byID[d.ID]
		delete(byID, d.ID)
		s.working.Go(func() { s.call(d, looks(d), job, w) })
	}
	ctx, cancel := context.WithTimeout(context.Background(), ackMargin)
	defer cancel()
	for i := range claimed.Rest {
		d := &claimed.Rest[i]
		s.other(ctx, d, byID[d.ID])
		delete(byID, d.ID)
	}
	for id, job := range byID {
		s.log.Warn("job without a row let go", "delivery_id", id)
		s.ack(job)
		s.end(id)
	}
}

// leave gives jobs back that nothing was done for, a little later.
func (s *shift) leave(ids []string, jobs map[string]pipeline.Message) {
	sleep(context.Background(), afterError)
	for _, id := range ids {
		s.end(id)
		s.giveBack([]pipeline.Message{jobs[id]})
	}
	s.forgo(len(ids))
}

// forgo gives back the places of jobs that need no call.
func (s *shift) forgo(n int) {
	s.limit.giveBack(n)
	s.release(n)
}

// other deals with a row that was not claimed.
func (s *shift) other(ctx context.Context, d *peal.Delivery, job pipeline.Message) {
	var err error
	switch now := s.cfg.Now(); {
	case d.Status == peal.Sending && s.uncalled(d):
		s.results <- done{attempt: s.decide(d, peal.Outcome{Class: peal.ClassNone}, now), job: job}
		return
	case d.Status == peal.Sending && !s.lease.Valid():
		err = errors.New("another node may be calling for it")
	case d.Status == peal.Sending:
		s.results <- done{attempt: s.interrupted(d, now), job: job}
		return
	case d.Status == peal.Queued && d.Expired(now):
		_, err = s.cfg.Records.Expire(ctx, []peal.Delivery{*d})
	case d.Status == peal.Queued && d.DueAt.After(now):
		_, err = s.cfg.Queues.Ensure(ctx, []pipeline.Job{s.later(d.ID, d.Priority, d.DueAt)})
	case d.Status == peal.Queued:
		err = errors.New("it fell due just now")
	}
	if err != nil {
		s.log.Warn("job not settled; it comes again", "delivery_id", d.ID, "error", err)
		s.giveBack([]pipeline.Message{job})
	} else {
		s.ack(job)
	}
	s.end(d.ID)
}

// mayCall tells whether a delivery that was claimed is still to be called for. Since it was claimed it has waited its
// turn, and its integration may have been paused, changed or deleted, its time may be over, the process be stopping, or
// have been stopped for so long that another node is the owner.
func (s *shift) mayCall(d *peal.Delivery) bool {
	now, in := s.cfg.Now(), s.cfg.Integrations.ByID(s.id)
	return s.lease.Valid() && !s.stopping.Load() && in != nil && in.Version == s.in.Version && !in.Paused(now) && !d.Expired(now)
}

// backAt is when a delivery that was claimed and not called for is to be looked at again: then it waits in the queue like
// the others.
func (s *shift) backAt(now time.Time) time.Time {
	in := s.cfg.Integrations.ByID(s.id)
	switch {
	case in == nil || !in.Paused(now):
		return now
	case in.Pause.Until.IsZero():
		return now.Add(mendWait)
	default:
		return in.Pause.Until
	}
}

func (s *shift) ack(m pipeline.Message) {
	if err := m.Ack(); err != nil {
		s.log.Debug("job not acknowledged; it comes again and finds its row done", "error", err)
	}
}

// later is a job for another time: always through a schedule, since the queue's place is still taken by the job at hand.
func (s *shift) later(deliveryID string, lane peal.Priority, due time.Time) pipeline.Job {
	if soon := s.cfg.Now().Add(time.Second); due.Before(soon) {
		due = soon
	}
	return pipeline.Job{IntegrationID: s.in.ID, DeliveryID: deliveryID, Priority: lane, Due: due}
}

package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"peal/internal/pipeline"
)

// soonest is what "later" must at least be: schedules fire on whole seconds, so less is now.
const soonest = 50 * time.Millisecond

// Publish hands out jobs without waiting for the broker's word. One that is lost is given again by the ledger, since
// its row is on disk.
//
// It is quick while the broker is away: nothing waits for a broker that is not connected, or that has not kept a job when
// last asked to.
func (s *Stream) Publish(jobs []pipeline.Job) {
	if len(jobs) == 0 {
		return
	}
	err := s.away()
	if err == nil && !s.health.try() {
		err = errRefuses
	}
	if err != nil {
		s.skipped(err)
		return
	}
	for i := range jobs {
		f, err := s.js.PublishMsgAsync(s.jobMessage(&jobs[i]))
		if err != nil {
			s.publishFailed(s.js, nil, err)
			return // the broker is away or drowning; the ledger brings the rest when it is back
		}
		s.health.watch(f)
	}
}

// Ensure sees to it that each of the jobs stands in its stream, and tells how many did not stand there before.
func (s *Stream) Ensure(ctx context.Context, jobs []pipeline.Job) (added int, err error) {
	each, err := s.EnsureEach(ctx, jobs)
	for _, a := range each {
		if a {
			added++
		}
	}
	return added, err
}

// EnsureEach is Ensure, telling of each job whether it was missing. After an error it is not known of those that are not
// told to have been missing.
func (s *Stream) EnsureEach(ctx context.Context, jobs []pipeline.Job) (added []bool, err error) {
	if err := s.away(); err != nil {
		return nil, fmt.Errorf("publish job: %w", err)
	}
	futures := make([]jetstream.PubAckFuture, len(jobs))
	for i := range jobs {
		if futures[i], err = s.js.PublishMsgAsync(s.jobMessage(&jobs[i])); err != nil {
			return nil, fmt.Errorf("publish job: %w", err)
		}
	}
	added = make([]bool, len(jobs))
	for i, f := range futures {
		select {
		case <-f.Ok():
			added[i] = true
			s.health.went(true)
		case err := <-f.Err():
			if !stands(err) {
				s.health.went(false)
				return added, fmt.Errorf("publish job: %w", err)
			}
		case <-ctx.Done():
			return added, fmt.Errorf("publish job: %w", ctx.Err())
		}
	}
	return added, nil
}

// jobMessage makes the message of a job: for now in the queue, or as a schedule that puts it there at its time. Either
// is refused when one stands.
func (s *Stream) jobMessage(j *pipeline.Job) *nats.Msg {
	subject := pipeline.DeliverSubject(j.IntegrationID, pipeline.Partition, j.Priority, j.DeliveryID)
	m := &nats.Msg{Subject: subject, Header: nats.Header{jetstream.ExpectedLastSubjSeqHeader: {"0"}}}
	if wait := j.Due.Sub(s.now()); wait > soonest {
		m.Subject = pipeline.LaterSubject(j.DeliveryID)
		// The broker goes by the wall clock, so it is told when it is to be by that. It cuts the time to the whole second,
		// so it is rounded up: never early.
		at := time.Now().Add(wait + time.Second - 1).Truncate(time.Second)
		m.Header[jetstream.ScheduleHeader] = []string{"@at " + at.UTC().Format(time.RFC3339)}
		m.Header[jetstream.ScheduleTargetHeader] = []string{subject}
		if j.Anew {
			delete(m.Header, jetstream.ExpectedLastSubjSeqHeader)
		}
	}
	return m
}

// inProcess is the code of a refusal because the same is just being put there by another (as JetStream says it in a
// cluster).
const inProcess jetstream.ErrorCode = 10164

// stands tells whether a publish was refused because there is such a job already.
func stands(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == inProcess)
}

// tellEvery is how often failed publishes are told of at most: a broker that is away fails them by the thousand.
const tellEvery = 5 * time.Second

// publishFailed is called by the client, too, in the middle of its work: it must not ask the client for anything.
func (s *Stream) publishFailed(_ jetstream.JetStream, _ *nats.Msg, err error) {
	if stands(err) || s.closed.Load() {
		return
	}
	if !errors.Is(err, jetstream.ErrTooManyStalledMsgs) { // that one is drowning, not away
		s.health.went(false)
	}
	s.skipped(err)
}

// skipped tells of jobs that are not published.
func (s *Stream) skipped(err error) {
	if s.closed.Load() {
		return
	}
	s.lost()
	count, last, now := s.failed.Add(1), s.lastFailed.Load(), time.Now().UnixNano()
	if now-last < int64(tellEvery) || !s.lastFailed.CompareAndSwap(last, now) {
		return
	}
	s.failed.Add(-count)
	s.log.Warn("jobs not published; the ledger will bring them back", "count", count, "error", err)
}

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

// awayEvery is how often it is said that the broker is away.
const awayEvery = 10 * time.Second

// Publish hands out jobs without waiting for the broker's word. One that is lost is given again by the ledger, since
// its row is on disk.
//
// It is quick while the broker is away: nothing waits for a broker that is not connected.
func (s *Stream) Publish(jobs []pipeline.Job) {
	if len(jobs) > 0 && !s.conn.IsConnected() {
		s.skipped(len(jobs))
		return
	}
	for i := range jobs {
		if _, err := s.js.PublishMsgAsync(s.jobMessage(&jobs[i])); err != nil {
			s.publishFailed(s.js, nil, err)
			return // the broker is away or drowning; the ledger brings the rest when it is back
		}
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

// EnsureEach is Ensure, telling of each job whether it was missing.
func (s *Stream) EnsureEach(ctx context.Context, jobs []pipeline.Job) (added []bool, err error) {
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
		case err := <-f.Err():
			if !stands(err) {
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
	}
	return m
}

// stands tells whether a publish was refused because there is such a job already.
func stands(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
}

func (s *Stream) publishFailed(_ jetstream.JetStream, _ *nats.Msg, err error) {
	if stands(err) || s.closed.Load() {
		return
	}
	s.log.Warn("job not published; the ledger will bring it back", "error", err)
	s.lost()
}

// skipped tells of jobs that were not even tried, once per spell: while the broker is away every request has some.
func (s *Stream) skipped(jobs int) {
	if s.closed.Load() {
		return
	}
	if now := time.Now(); now.Sub(time.Unix(0, s.told.Load())) > awayEvery {
		s.told.Store(now.UnixNano())
		s.log.Warn("the broker is away: jobs are not published; the ledger brings them back", "jobs", jobs)
	}
	s.lost()
}

// Keep appends a webhook and returns once it is synced to disk.
func (s *Stream) Keep(ctx context.Context, integrationID string, sealed []byte) error {
	if _, err := s.js.Publish(ctx, pipeline.CallbackSubject(integrationID), sealed); err != nil {
		return fmt.Errorf("keep webhook: %w", err)
	}
	return nil
}

package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"peal/internal/pipeline"
)

const (
	maxLookup    = 1000             // subjects asked after in one request; the broker takes 1024
	lookupSilent = 10 * time.Second // how long the broker may say nothing
	soonFired    = 5 * time.Second  // a schedule so near is as good as a job that is due
	overdue      = time.Minute      // a schedule that has not fired for so long will not
)

// errMoved says that a message went away while the broker gathered its answer.
var errMoved = errors.New("the stream moved on while it was read")

// Standing tells of each of the jobs whether one stands for its delivery: in the queue, or as a schedule, for what is due
// later or where the schedule is about to fire. Nothing is written. On a cluster a replica may answer that is a moment behind.
//
// One request asks after a thousand subjects, which takes the broker about as long with ten thousand jobs as with half a
// million. To ask one by one takes several times that, and a list of all subjects grows with what stands there.
func (s *Stream) Standing(ctx context.Context, jobs []pipeline.Job) ([]bool, error) {
	if err := s.away(); err != nil {
		return nil, err
	}
	standing := make([]bool, len(jobs))
	queued, err := s.lookUpAll(ctx, jobs, standing, func(j *pipeline.Job) string {
		return pipeline.DeliverSubject(j.IntegrationID, pipeline.Partition, j.Priority, j.DeliveryID)
	})
	if err != nil {
		return nil, err
	}
	for i := range jobs {
		_, standing[i] = queued[jobs[i].DeliveryID]
	}
	schedules, err := s.lookUpAll(ctx, jobs, standing, func(j *pipeline.Job) string { return pipeline.LaterSubject(j.DeliveryID) })
	if err != nil {
		return nil, err
	}
	now := time.Now()
	for i := range jobs {
		if at, ok := schedules[jobs[i].DeliveryID]; ok {
			soon := at.Before(now.Add(soonFired)) && at.After(now.Add(-overdue))
			standing[i] = soon || jobs[i].Due.Sub(now) > soonest
		}
	}
	return standing, nil
}

// lookUpAll looks up a subject for each of the jobs that are not found yet. It gives those that hold a message, by
// delivery, with the time of a schedule.
func (s *Stream) lookUpAll(ctx context.Context, jobs []pipeline.Job, skip []bool, subject func(*pipeline.Job) string) (map[string]time.Time, error) {
	var subjects []string
	for i := range jobs {
		if !skip[i] {
			subjects = append(subjects, subject(&jobs[i]))
		}
	}
	found := map[string]time.Time{}
	for from := 0; from < len(subjects); from += maxLookup {
		if err := s.lookUp(ctx, subjects[from:min(from+maxLookup, len(subjects))], found); err != nil {
			return nil, fmt.Errorf("look for jobs: %w", err)
		}
	}
	return found, nil
}

// lookUp adds the deliveries of the subjects that hold a message to found. When one is acknowledged meanwhile the broker
// may break off; then each half is asked after by itself.
func (s *Stream) lookUp(ctx context.Context, subjects []string, found map[string]time.Time) error {
	err := s.lookUpOnce(ctx, subjects, found)
	if !errors.Is(err, errMoved) || len(subjects) == 0 {
		return err
	}
	if len(subjects) == 1 {
		return nil // it was the one
	}
	half := len(subjects) / 2
	if err := s.lookUp(ctx, subjects[:half], found); err != nil {
		return err
	}
	return s.lookUp(ctx, subjects[half:], found)
}

func (s *Stream) lookUpOnce(ctx context.Context, subjects []string, found map[string]time.Time) error {
	request, err := json.Marshal(map[string]any{"multi_last": subjects, "batch": len(subjects)})
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	inbox := s.conn.NewInbox()
	answers, err := s.conn.SubscribeSync(inbox)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	defer answers.Unsubscribe() //nolint:errcheck // it fails only where the connection is closed
	if err := s.conn.PublishRequest(jetstream.DefaultAPIPrefix+"DIRECT.GET."+pipeline.Deliveries, inbox, request); err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	for {
		actx, cancel := context.WithTimeout(ctx, lookupSilent)
		m, err := answers.NextMsgWithContext(actx)
		cancel()
		if err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		status, why := m.Header.Get("Status"), m.Header.Get("Description")
		switch {
		case status == "":
			at, _ := time.Parse(time.RFC3339, strings.TrimPrefix(m.Header.Get(jetstream.ScheduleHeader), "@at ")) // zero: it is none
			found[pipeline.DeliveryOf(m.Header.Get(jetstream.SubjectHeader))] = at
		case status == "204", status == "404" && why == "No Results":
			return nil
		case status == "404":
			return errMoved
		default:
			return fmt.Errorf("the broker answers %s %s", status, why)
		}
	}
}

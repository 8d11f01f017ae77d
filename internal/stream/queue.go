package stream

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// How many messages of a consumer may be in all hands together.
const (
	jobsInHand      = 8192
	callbacksInHand = 16384
)

// OpenQueue gives out the jobs of one lane of an integration. At most prefetch of them, and one that is being handed
// over, are in the caller's hands and not yet taken from the feed; a job that is not acknowledged within ackWait is given
// out again. Without anybody who takes them jobs wait. The feed ends when its consumer is gone; then open it again.
//
// Whose turn it is, is settled elsewhere; a new owner calls TakeOver first. The broker only sees to it that nobody joins in
// unnoticed: while another Stream has the lane it fails with ErrOwned, and the feeds of a former owner end.
func (s *Stream) OpenQueue(ctx context.Context, integrationID string, lane peal.Priority, prefetch int, ackWait time.Duration) (*pipeline.Feed, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	name := queueName(integrationID, lane)
	// The consumer's state is kept in memory: what was acknowledged has left the work queue, and what was not is to be
	// given out again after a restart at once, not when ackWait is over.
	cfg := jetstream.ConsumerConfig{
		Durable: name, FilterSubject: pipeline.DeliverFilter(integrationID, pipeline.Partition, lane),
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxDeliver: -1, MaxAckPending: jobsInHand, MemoryStorage: true,
		// Requests name the owner as their group, and the broker refuses those of any other. The policy does nothing else
		// to requests that set no bounds.
		PriorityPolicy: jetstream.PriorityPolicyOverflow, PriorityGroups: []string{s.ownerOf(integrationID)},
	}
	cons, err := s.consumer(ctx, pipeline.Deliveries, name)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		cons, err = s.js.CreateConsumer(ctx, pipeline.Deliveries, cfg)
	case err == nil && !slices.Equal(cons.CachedInfo().Config.PriorityGroups, cfg.PriorityGroups):
		err = jetstream.ErrConsumerExists
	case err == nil && cons.CachedInfo().Config.AckWait != ackWait:
		cons, err = s.js.UpdateConsumer(ctx, pipeline.Deliveries, cfg)
	}
	if errors.Is(err, jetstream.ErrConsumerExists) {
		return nil, ErrOwned
	}
	if err != nil {
		return nil, fmt.Errorf("make consumer: %w", err)
	}
	buffer := min(prefetch/2, maxBuffer)
	return s.feed(cons, prefetch-buffer, buffer)
}

// ownerSize is how long the broker lets a group's name be.
const ownerSize = 16

// ErrOwned says that another Stream has the lane: TakeOver, if that is due.
var ErrOwned = errors.New("another node has this queue")

func queueName(integrationID string, lane peal.Priority) string {
	return fmt.Sprintf("send-%s-%d-%s", integrationID, pipeline.Partition, lane)
}

// TakeOver ends whatever a former owner has of an integration's queue, one that is paused, cut off or dead included: its
// feeds end, and the jobs in its hands are given out again at once. A new owner calls it before it opens the queue.
func (s *Stream) TakeOver(ctx context.Context, integrationID string) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	s.mu.Lock()
	delete(s.owner, integrationID) // from now on it has another name
	s.mu.Unlock()
	for _, lane := range peal.Priorities() {
		err := s.js.DeleteConsumer(ctx, pipeline.Deliveries, queueName(integrationID, lane))
		if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return fmt.Errorf("delete consumer: %w", err)
		}
	}
	return nil
}

// ownerOf is the name in which an integration's queue is asked for jobs: of this Stream, and since it took over last.
func (s *Stream) ownerOf(integrationID string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, ok := s.owner[integrationID]
	if !ok {
		name = rand.Text()[:ownerSize]
		s.owner[integrationID] = name
	}
	return name
}

// DropQueue forgets the queue of a deleted integration, with the jobs that stand in it.
func (s *Stream) DropQueue(ctx context.Context, integrationID string) error {
	if err := s.TakeOver(ctx, integrationID); err != nil {
		return err
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	st, err := s.js.Stream(ctx, pipeline.Deliveries)
	if err == nil {
		err = st.Purge(ctx, jetstream.WithPurgeSubject(pipeline.DeliverAll(integrationID)))
	}
	if err != nil {
		return fmt.Errorf("purge queue: %w", err)
	}
	return nil
}

// Pending tells how many jobs of an integration stand in each lane, those in somebody's hands included; those that wait
// for their time are not. It asks the lane's consumer, which knows; only where nobody has opened the lane it has to be
// counted.
func (s *Stream) Pending(ctx context.Context, integrationID string) (map[peal.Priority]uint64, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	standing := map[peal.Priority]uint64{}
	for _, lane := range peal.Priorities() {
		cons, err := s.js.Consumer(ctx, pipeline.Deliveries, queueName(integrationID, lane))
		switch {
		case err == nil:
			info := cons.CachedInfo()
			standing[lane] = info.NumPending + uint64(max(info.NumAckPending, 0))
		case errors.Is(err, jetstream.ErrConsumerNotFound):
			if standing[lane], err = s.count(ctx, pipeline.DeliverFilter(integrationID, pipeline.Partition, lane)); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("look at the queue: %w", err)
		}
	}
	return standing, nil
}

// count tells how many jobs stand under a filter: each has a subject of its own, and the broker tells the number of
// subjects with a page of them that is past the last.
func (s *Stream) count(ctx context.Context, filter string) (uint64, error) {
	var answer struct {
		Total uint64              `json:"total"`
		Error *jetstream.APIError `json:"error"`
	}
	raw, err := json.Marshal(map[string]any{"subjects_filter": filter, "offset": 1 << 30})
	if err != nil {
		return 0, fmt.Errorf("write request: %w", err)
	}
	m, err := s.conn.RequestWithContext(ctx, "$JS.API.STREAM.INFO."+pipeline.Deliveries, raw)
	if err == nil {
		err = json.Unmarshal(m.Data, &answer)
	}
	if err == nil && answer.Error != nil {
		err = answer.Error
	}
	if err != nil {
		return 0, fmt.Errorf("count jobs: %w", err)
	}
	return answer.Total, nil
}

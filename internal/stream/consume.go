package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// maxBuffer is how many messages wait for the stage, at most, beyond those in the client's hands.
const maxBuffer = 64

// recheck is how long the client's iterator is waited for in one go. As it is entered it asks the broker for more, unless
// a request is just being sent; when the messages of that request are quicker here than the sender has noted that it has
// sent, the iterator forgets to ask (nats.go 1.55) and waits for a heartbeat that is due half a minute later.
const recheck = time.Second

// OpenQueue opens one lane of an integration's jobs.
func (s *Stream) OpenQueue(ctx context.Context, integrationID string, lane peal.Priority, prefetch int, ackWait time.Duration) (*pipeline.Feed, error) {
	cons, err := s.js.CreateOrUpdateConsumer(ctx, pipeline.Deliveries, jetstream.ConsumerConfig{
		Durable: queueName(integrationID, lane), FilterSubject: pipeline.DeliverFilter(integrationID, pipeline.Partition, lane),
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxDeliver: -1, MaxAckPending: 8192, MemoryStorage: true,
	})
	if err != nil {
		return nil, fmt.Errorf("make consumer: %w", err)
	}
	buffer := min(prefetch/2, maxBuffer)
	it, err := cons.Messages(jetstream.PullMaxMessages(prefetch - buffer))
	if err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	return s.feed(it, buffer, func() {}), nil
}

func queueName(integrationID string, lane peal.Priority) string {
	return fmt.Sprintf("send-%s-%d-%s", integrationID, pipeline.Partition, lane)
}

// TakeOver makes the caller the owner of the queue.
func (s *Stream) TakeOver(ctx context.Context, integrationID string) error {
	for _, lane := range peal.Priorities() {
		err := s.js.DeleteConsumer(ctx, pipeline.Deliveries, queueName(integrationID, lane))
		if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return fmt.Errorf("delete consumer: %w", err)
		}
	}
	return nil
}

// DropQueue forgets the queue of a deleted integration, with the jobs that stand in it.
func (s *Stream) DropQueue(ctx context.Context, integrationID string) error {
	if err := s.TakeOver(ctx, integrationID); err != nil {
		return err
	}
	st, err := s.js.Stream(ctx, pipeline.Deliveries)
	if err == nil {
		err = st.Purge(ctx, jetstream.WithPurgeSubject(pipeline.DeliverAll(integrationID)))
	}
	if err != nil {
		return fmt.Errorf("purge queue: %w", err)
	}
	return nil
}

// OpenCallbacks opens the webhooks that wait to be folded in.
func (s *Stream) OpenCallbacks(ctx context.Context, prefetch int) (*pipeline.Feed, error) {
	cons, err := s.js.CreateOrUpdateConsumer(ctx, pipeline.Callbacks, jetstream.ConsumerConfig{
		Durable: "track", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Minute, MaxDeliver: -1,
		MaxAckPending: 16384, MemoryStorage: true,
	})
	if err != nil {
		return nil, fmt.Errorf("make consumer: %w", err)
	}
	it, err := cons.Messages(jetstream.PullMaxMessages(prefetch))
	if err != nil {
		return nil, fmt.Errorf("open callbacks: %w", err)
	}
	return s.feed(it, maxBuffer, func() {}), nil
}

// feed pumps messages into a channel until it is stopped; then it gives back what nobody took.
func (s *Stream) feed(it jetstream.MessagesContext, buffer int, release func()) *pipeline.Feed {
	out := make(chan pipeline.Message, buffer)
	quit := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(out)
		for {
			m, err := it.Next(jetstream.NextMaxWait(recheck))
			switch {
			case errors.Is(err, nats.ErrTimeout):
				continue
			case errors.Is(err, jetstream.ErrMsgIteratorClosed):
				return
			case err != nil: // a missed heartbeat and the like; the iterator goes on by itself
				select {
				case <-quit:
				case <-time.After(100 * time.Millisecond):
					s.log.Debug("broker feed", "error", err)
				}
				continue
			}
			select {
			case out <- m:
			case <-quit:
				s.giveBack(m)
			}
		}
	}()
	var once sync.Once
	return &pipeline.Feed{C: out, Stop: func() {
		once.Do(func() {
			close(quit)
			it.Drain()
			<-done
			for m := range out {
				s.giveBack(m)
			}
			release()
		})
	}}
}

func (s *Stream) giveBack(m pipeline.Message) {
	if err := m.Nak(); err != nil && !s.closed.Load() {
		s.log.Debug("message not given back; it comes again by itself", "error", err)
	}
}

// Backlog tells how many webhooks wait to be folded in.
func (s *Stream) Backlog(ctx context.Context) (uint64, error) {
	st, err := s.js.Stream(ctx, pipeline.Callbacks)
	if err != nil {
		return 0, fmt.Errorf("look at the callbacks: %w", err)
	}
	return st.CachedInfo().State.Msgs, nil
}

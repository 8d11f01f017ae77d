package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"peal/internal/pipeline"
)

// ownerGroup is the priority group by which an integration's queue has one owner at a time.
const ownerGroup = "owner"

// maxBuffer is how many messages wait for the stage, at most, beyond those in the client's hands.
const maxBuffer = 64

// recheck is how long the client's iterator is waited for in one go. As it is entered it asks the broker for more, unless
// a request is just being sent; when the messages of that request are quicker here than the sender has noted that it has
// sent, the iterator forgets to ask (nats.go 1.55) and waits for a heartbeat that is due half a minute later.
const recheck = time.Second

// pinnedTTL is how long a queue waits for an owner that has fallen silent before another may take over.
const pinnedTTL = 30 * time.Second

// OpenQueue makes the caller the owner of an integration's jobs. At most prefetch of them, and one that is being handed
// over, are in its hands and not yet taken from the feed; a job that is not acknowledged within ackWait is given out again. Without an owner jobs wait.
func (s *Stream) OpenQueue(ctx context.Context, integrationID string, prefetch int, ackWait time.Duration) (*pipeline.Feed, error) {
	// The consumer's state is kept in memory: what was acknowledged has left the work queue, and what was not is to be
	// given out again after a restart at once, not when ackWait is over.
	cons, err := s.js.CreateOrUpdateConsumer(ctx, pipeline.Deliveries, jetstream.ConsumerConfig{
		Durable: queueName(integrationID), FilterSubject: pipeline.DeliverAll(integrationID),
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxDeliver: -1, MaxAckPending: 8192, MemoryStorage: true,
		PriorityPolicy: jetstream.PriorityPolicyPinned, PriorityGroups: []string{ownerGroup}, PinnedTTL: pinnedTTL,
	})
	if err != nil {
		return nil, fmt.Errorf("make consumer: %w", err)
	}
	buffer := min(prefetch/2, maxBuffer)
	it, err := cons.Messages(jetstream.PullMaxMessages(prefetch-buffer), jetstream.PullPriorityGroup(ownerGroup))
	if err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	release := func() { s.unpin(integrationID) }
	return s.feed(it, buffer, release), nil
}

func queueName(integrationID string) string {
	return fmt.Sprintf("send-%s-%d", integrationID, pipeline.Partition)
}

// unpin lets the next owner start at once.
func (s *Stream) unpin(integrationID string) {
	if s.closed.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	st, err := s.js.Stream(ctx, pipeline.Deliveries)
	if err == nil {
		err = st.UnpinConsumer(ctx, queueName(integrationID), ownerGroup)
	}
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		s.log.Debug("queue not released; it is free again when its owner's time is over", "error", err)
	}
}

// DropQueue forgets the queue of a deleted integration, with the jobs that stand in it.
func (s *Stream) DropQueue(ctx context.Context, integrationID string) error {
	err := s.js.DeleteConsumer(ctx, pipeline.Deliveries, queueName(integrationID))
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return fmt.Errorf("delete consumer: %w", err)
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

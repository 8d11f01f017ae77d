package stream

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// hopeless is how long a consumer may be without a leader. An election takes up to ten seconds.
const hopeless = 15 * time.Second

// consumer looks a consumer up. One that nobody has led for long is deleted, and so not found: its state is in the
// memory of its servers, and when one of them forgets it in a restart and another dies before it has been told again,
// there are too few left to choose a leader. Nothing is lost with it, for the messages are in the stream.
func (s *Stream) consumer(ctx context.Context, stream, name string) (jetstream.Consumer, error) {
	cons, err := s.js.Consumer(ctx, stream, name)
	if s.since(name, ownerless(err)) < hopeless {
		return cons, err
	}
	ctx, cancel := s.within(context.WithoutCancel(ctx)) // whose time may be used up by waiting for the leader
	defer cancel()
	if err := s.led(ctx); err != nil { // it is not the consumer
		return nil, err
	}
	s.log.Warn("consumer without a leader is made anew", "consumer", name, "error", err)
	s.since(name, false)
	// Whether it was deleted shows when it is made again; nobody may be there to confirm it.
	if err := s.js.DeleteConsumer(ctx, stream, name); err != nil {
		s.log.Debug("deletion not confirmed", "consumer", name, "error", err)
	}
	return nil, jetstream.ErrConsumerNotFound
}

// ownerless tells whether an error is what a consumer without a leader brings.
func ownerless(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrNoResponders) ||
		errors.As(err, &api) && api.ErrorCode == notAvailable
}

// since tells for how long a consumer has been without a leader.
func (s *Stream) since(name string, without bool) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !without {
		delete(s.leaderless, name)
		return 0
	}
	first, ok := s.leaderless[name]
	if !ok {
		s.leaderless[name] = time.Now()
		return 0
	}
	return time.Since(first)
}

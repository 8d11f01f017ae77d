package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"peal/internal/pipeline"
)

// foldedHeader marks a webhook that was folded in before it came here.
const foldedHeader = "Peal-Folded"

// tracker is the consumer of the webhooks.
const tracker = "track"

// OpenCallbacks opens the webhooks that wait to be folded in. Several nodes may share them. The feed ends when its
// consumer is gone; then open it again.
func (s *Stream) OpenCallbacks(ctx context.Context, prefetch int) (*pipeline.Feed, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	st, err := s.js.Stream(ctx, pipeline.Callbacks)
	if err != nil {
		return nil, fmt.Errorf("look at the callbacks: %w", err)
	}
	folded := remembered(st.CachedInfo())
	cons, err := s.consumer(ctx, pipeline.Callbacks, tracker)
	if err == nil && forgot(cons.CachedInfo(), folded) {
		s.log.Warn("the broker has forgotten how far webhooks are folded in; going on from what was written down", "folded", folded)
		if err := s.js.DeleteConsumer(ctx, pipeline.Callbacks, tracker); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return nil, fmt.Errorf("remove the consumer: %w", err)
		}
		err = jetstream.ErrConsumerNotFound
	}
	if err == nil {
		return s.feed(cons, prefetch, maxBuffer)
	}
	if !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil, fmt.Errorf("look at the consumer: %w", err)
	}
	cfg := jetstream.ConsumerConfig{
		Durable: tracker, AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Minute, MaxDeliver: -1,
		MaxAckPending: callbacksInHand, MemoryStorage: true,
	}
	if folded > 0 {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, folded+1
	}
	// Another node may have made it meanwhile, from a place that was remembered since: theirs is as good.
	if cons, err = s.js.CreateConsumer(ctx, pipeline.Callbacks, cfg); errors.Is(err, jetstream.ErrConsumerExists) {
		cons, err = s.js.Consumer(ctx, pipeline.Callbacks, tracker)
	}
	if err != nil {
		return nil, fmt.Errorf("make consumer: %w", err)
	}
	return s.feed(cons, prefetch, maxBuffer)
}

// forgot tells of the consumer whether it knows less than what was written down, which it was asked for before: a cluster whose
// servers were all restarted makes it anew, and would give out all webhooks that are kept.
func forgot(is *jetstream.ConsumerInfo, folded uint64) bool {
	return max(is.AckFloor.Stream+1, is.Config.OptStartSeq) <= folded
}

// behind tells whether the consumer of the webhooks has forgotten how far they are folded in.
func (s *Stream) behind(ctx context.Context) (bool, error) {
	st, err := s.js.Stream(ctx, pipeline.Callbacks)
	if err != nil {
		return false, err
	}
	cons, err := s.js.Consumer(ctx, pipeline.Callbacks, tracker)
	if err != nil {
		return false, err
	}
	return forgot(cons.CachedInfo(), remembered(st.CachedInfo())), nil
}

// Backlog tells how many webhooks wait to be folded in, or came after one that does; those that were kept together count as
// one. The consumer's own count would be late: it hears of what is kept a moment after that is.
func (s *Stream) Backlog(ctx context.Context) (uint64, error) {
	a, err := s.Archive(ctx)
	if err != nil {
		return 0, err
	}
	return a.Last - min(a.Folded, a.Last), nil
}

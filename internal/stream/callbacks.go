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

// foldedHeader marks a webhook that was folded in before it came here.
const foldedHeader = "Peal-Folded"

// Keep appends a webhook and returns once it is kept: synced to disk by the embedded broker, or by most of its servers
// in a cluster. After an error it may stand there all the same: then it is folded in twice, which changes nothing.
func (s *Stream) Keep(ctx context.Context, integrationID string, sealed []byte) error {
	return s.keep(ctx, nats.Msg{Subject: pipeline.CallbackSubject(integrationID), Data: sealed})
}

// KeepFolded appends a webhook that is folded in already.
func (s *Stream) KeepFolded(ctx context.Context, integrationID string, sealed []byte) error {
	return s.keep(ctx, nats.Msg{
		Subject: pipeline.CallbackSubject(integrationID), Data: sealed, Header: nats.Header{foldedHeader: {"1"}},
	})
}

func (s *Stream) keep(ctx context.Context, m nats.Msg) error {
	if err := s.away(); err != nil {
		return fmt.Errorf("keep webhook: %w", err)
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	_, err := s.js.PublishMsg(ctx, &m)
	if !errors.Is(err, context.Canceled) { // that is the caller's doing
		s.refuses.Store(err != nil)
	}
	if err != nil {
		return fmt.Errorf("keep webhook: %w", err)
	}
	return nil
}

// tracker is the consumer of the webhooks.
const tracker = "track"

// OpenCallbacks opens the webhooks that wait to be folded in. Several nodes may share them. The feed ends when its
// consumer is gone; then open it again.
func (s *Stream) OpenCallbacks(ctx context.Context, prefetch int) (*pipeline.Feed, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	cons, err := s.consumer(ctx, pipeline.Callbacks, tracker)
	if err == nil {
		return s.feed(cons, prefetch, maxBuffer)
	}
	if !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil, fmt.Errorf("look at the consumer: %w", err)
	}
	st, err := s.js.Stream(ctx, pipeline.Callbacks)
	if err != nil {
		return nil, fmt.Errorf("look at the callbacks: %w", err)
	}
	cfg := jetstream.ConsumerConfig{
		Durable: tracker, AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Minute, MaxDeliver: -1,
		MaxAckPending: callbacksInHand, MemoryStorage: true,
	}
	if folded := remembered(st.CachedInfo()); folded > 0 {
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

// Backlog tells how many webhooks wait to be folded in.
func (s *Stream) Backlog(ctx context.Context) (uint64, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	cons, err := s.js.Consumer(ctx, pipeline.Callbacks, tracker)
	if err == nil {
		i := cons.CachedInfo()
		return i.NumPending + uint64(max(0, i.NumAckPending)), nil //nolint:gosec // not negative
	}
	if !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return 0, fmt.Errorf("look at the callbacks: %w", err)
	}
	a, err := s.Archive(ctx)
	if err != nil {
		return 0, err
	}
	return a.Last - a.Folded, nil
}

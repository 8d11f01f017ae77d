package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"peal/internal/pipeline"
)

// foldedUpTo is where the stream of webhooks says in its own settings up to where all are folded in. The consumer knows
// it better, but only in memory: when its servers have all been restarted, folding goes on from here. It belongs to this
// stream and to none that is made in its place.
const foldedUpTo = "peal_folded_up_to"

// remembered is what the stream says of itself.
func remembered(info *jetstream.StreamInfo) uint64 {
	n, err := strconv.ParseUint(info.Config.Metadata[foldedUpTo], 10, 64)
	if err != nil {
		return 0
	}
	return min(n, info.State.LastSeq) // places that were lost are given again
}

// Archive tells what is kept of webhooks, folded in or not.
func (s *Stream) Archive(ctx context.Context) (pipeline.Archive, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	_, a, err := s.archive(ctx)
	return a, err
}

func (s *Stream) archive(ctx context.Context) (st jetstream.Stream, a pipeline.Archive, err error) {
	var folded uint64 // asked for before the stream is, so that it never says more than that knows
	switch cons, err := s.js.Consumer(ctx, pipeline.Callbacks, tracker); {
	case err == nil:
		folded = cons.CachedInfo().AckFloor.Stream
	case !errors.Is(err, jetstream.ErrConsumerNotFound):
		return nil, a, fmt.Errorf("ask how far webhooks are folded in: %w", err)
	}
	if st, err = s.js.Stream(ctx, pipeline.Callbacks); err != nil {
		return nil, a, fmt.Errorf("look at the callbacks: %w", err)
	}
	info := st.CachedInfo()
	a = pipeline.Archive{
		First: info.State.FirstSeq, Last: info.State.LastSeq, Count: info.State.Msgs, Bytes: info.State.Bytes,
		Folded: max(folded, remembered(info)),
	}
	if a.First > 0 {
		a.Folded = max(a.Folded, a.First-1)
	}
	return st, a, nil
}

// Remember writes down up to where webhooks are folded in. What was folded in since the last time is folded in once more
// when the broker has forgotten it, which changes nothing.
func (s *Stream) Remember(ctx context.Context) error {
	if err := s.away(); err != nil {
		return fmt.Errorf("remember what is folded in: %w", err)
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	st, a, err := s.archive(ctx)
	if err != nil {
		return err
	}
	return s.remember(ctx, st, a.Folded)
}

func (s *Stream) remember(ctx context.Context, st jetstream.Stream, folded uint64) error {
	info := st.CachedInfo()
	if folded <= remembered(info) {
		return nil
	}
	cfg := info.Config
	cfg.Metadata = maps.Clone(cfg.Metadata)
	if cfg.Metadata == nil {
		cfg.Metadata = map[string]string{}
	}
	cfg.Metadata[foldedUpTo] = strconv.FormatUint(folded, 10)
	if _, err := s.js.UpdateStream(ctx, cfg); err != nil {
		return fmt.Errorf("remember what is folded in: %w", err)
	}
	return nil
}

// rememberLast is Remember for an embedded broker that is about to be stopped, and forgets its consumers.
func (s *Stream) rememberLast() {
	if s.server == nil || s.js == nil {
		return
	}
	ctx, cancel := s.within(context.Background())
	defer cancel()
	st, a, err := s.archive(ctx)
	if err == nil {
		err = s.remember(ctx, st, a.Folded)
	}
	if err != nil {
		s.log.Debug("some webhooks are folded in once more after the start", "error", err)
	}
}

// Trim lets go of webhooks that came before the time, and of the oldest as long as all take more than so many bytes (0:
// however many), but of none that is not folded in. It tells how many it let go of.
func (s *Stream) Trim(ctx context.Context, before time.Time, most uint64) (gone uint64, err error) {
	for range 100 { // sizes differ, so it takes a few steps to the bytes
		n, err := s.trimOnce(ctx, before, most)
		gone += n
		if err != nil || n == 0 {
			return gone, err
		}
	}
	return gone, nil
}

func (s *Stream) trimOnce(ctx context.Context, before time.Time, most uint64) (gone uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 4*s.timeout)
	defer cancel()
	st, a, err := s.archive(ctx)
	if err != nil || a.Count == 0 || a.Folded < a.First {
		return 0, err
	}
	upTo, err := s.firstSince(ctx, st, a.First, a.Folded+1, before) // the first that stays
	if err != nil {
		return 0, err
	}
	if most > 0 && a.Bytes > most {
		each := max(1, a.Bytes/a.Count)
		upTo = max(upTo, min(a.First+(a.Bytes-most+each-1)/each, a.Folded+1))
	}
	if upTo <= a.First {
		return 0, nil
	}
	if err := st.Purge(ctx, jetstream.WithPurgeSequence(upTo)); err != nil {
		return 0, fmt.Errorf("let go of old webhooks: %w", err)
	}
	return upTo - a.First, nil
}

// firstSince finds the place of the first webhook from one place on, and before another, that came at a time or later.
func (s *Stream) firstSince(ctx context.Context, st jetstream.Stream, from, to uint64, since time.Time) (uint64, error) {
	for from < to {
		middle := from + (to-from)/2
		m, err := st.GetMsg(ctx, middle, jetstream.WithGetMsgSubject(pipeline.CallbackSubjects)) // or the next that is there
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			to = middle
		case err != nil:
			return 0, fmt.Errorf("look for webhooks by their time: %w", err)
		case m.Time.Before(since):
			from = m.Sequence + 1
		default:
			to = middle
		}
	}
	return from, nil
}

// readAtOnce is how many webhooks are asked for together, and readBytes about how many bytes one Callbacks gives: each may
// be megabytes.
const (
	readAtOnce = 16
	readBytes  = 16 << 20
)

// Callbacks gives about as many webhooks of some integrations as limit says, in the order that they came, from a place and a
// time on, folded in or not; fewer when they are large. Those of one place come together. More tells whether there are others.
func (s *Stream) Callbacks(ctx context.Context, integrationIDs []string, from uint64, since time.Time, limit int) (page []pipeline.Kept, more bool, err error) {
	if len(integrationIDs) == 0 || limit <= 0 {
		return nil, false, nil
	}
	if err := s.away(); err != nil {
		return nil, false, fmt.Errorf("read webhooks: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*s.timeout)
	defer cancel()
	st, a, err := s.archive(ctx)
	if err != nil {
		return nil, false, err
	}
	if from = max(from, a.First, 1); !since.IsZero() {
		if from, err = s.firstSince(ctx, st, from, a.Last+1, since); err != nil {
			return nil, false, err
		}
	}
	if from > a.Last {
		return nil, false, nil
	}
	cfg := jetstream.ConsumerConfig{
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: time.Minute,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from,
	}
	for _, id := range integrationIDs {
		cfg.FilterSubjects = append(cfg.FilterSubjects, pipeline.CallbackSubject(id))
	}
	cons, err := st.CreateConsumer(ctx, cfg)
	if err != nil {
		return nil, false, fmt.Errorf("read webhooks: %w", err)
	}
	defer func() {
		ctx, cancel := s.within(context.WithoutCancel(ctx))
		defer cancel()
		if err := st.DeleteConsumer(ctx, cons.CachedInfo().Name); err != nil {
			s.log.Debug("a reader of webhooks was not removed; the broker does so itself", "error", err)
		}
	}()
	there := cons.CachedInfo().NumPending
	size := 0
	var read uint64 // messages
	for len(page) < limit && read < there && size < readBytes {
		n, err := s.fetch(ctx, cons, int(min(readAtOnce, there-read, uint64(limit-len(page)))), func(k pipeline.Kept) { //nolint:gosec // small
			page = append(page, k)
			size += len(k.Body)
		})
		if errors.Is(err, nats.ErrNoResponders) && n == 0 && s.rest(ctx) { // the servers learn of a new reader one after the other
			continue
		}
		if err != nil {
			return nil, false, fmt.Errorf("read webhooks: %w", err)
		}
		if n == 0 { // they left meanwhile
			return page, false, nil
		}
		read += n
	}
	return page, there > read, nil
}

// rest waits a moment; false when ctx has ended.
func (s *Stream) rest(ctx context.Context) bool {
	t := time.NewTimer(again / 20)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (s *Stream) fetch(ctx context.Context, cons jetstream.Consumer, n int, each func(pipeline.Kept)) (got uint64, err error) {
	batch, err := cons.Fetch(n, jetstream.FetchContext(ctx))
	if err != nil {
		return 0, err
	}
	for m := range batch.Messages() {
		about, err := m.Metadata()
		if err != nil {
			return got, err
		}
		got++
		for _, k := range keptOf(about.Sequence.Stream, m.Subject(), about.Timestamp, m.Headers(), m.Data()) {
			each(k)
		}
	}
	return got, batch.Error()
}

// keptOf gives the webhooks of a message.
func keptOf(seq uint64, subject string, at time.Time, h nats.Header, data []byte) []pipeline.Kept {
	parts := partsOf(h, data)
	all := make([]pipeline.Kept, len(parts))
	for i, sealed := range parts {
		all[i] = pipeline.Kept{Seq: seq, IntegrationID: pipeline.DeliveryOf(subject), At: at, Body: sealed}
		if len(parts) > 1 {
			all[i].Part = i + 1
		}
	}
	return all
}

// CallbacksAt gives the webhooks at a place: several, if they were kept together; none when there is none.
func (s *Stream) CallbacksAt(ctx context.Context, seq uint64) ([]pipeline.Kept, error) {
	if seq == 0 { // the broker would take that for no place at all
		return nil, nil
	}
	if err := s.away(); err != nil {
		return nil, fmt.Errorf("read webhook: %w", err)
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	st, err := s.js.Stream(ctx, pipeline.Callbacks)
	if err != nil {
		return nil, fmt.Errorf("look at the callbacks: %w", err)
	}
	m, err := st.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read webhook: %w", err)
	}
	return keptOf(m.Sequence, m.Subject, m.Time, m.Header, m.Data), nil
}

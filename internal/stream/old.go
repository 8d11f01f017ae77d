package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"peal/internal/pipeline"
)

// closedSubject is where nobody writes: a stream must have a subject.
const closedSubject = "peal.closed.callbacks"

// retireOld takes its subjects from the stream in which older versions had webhooks wait. Their nodes that still run have the
// records hold webhooks from then on, or hand them to the new stream.
func (s *Stream) retireOld(ctx context.Context) error {
	st, err := s.js.Stream(ctx, pipeline.OldCallbacks)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	cfg := st.CachedInfo().Config
	if !slices.Contains(cfg.Subjects, pipeline.CallbackSubjects) { // it is closed, or not Peal's
		return nil
	}
	cfg.Subjects = []string{closedSubject}
	_, err = s.js.UpdateStream(ctx, cfg)
	return err
}

// moveOld brings what waits in that stream over, and deletes it. Two nodes that do so at once bring some twice, which changes
// nothing.
func (s *Stream) moveOld(ctx context.Context) error {
	st, err := s.js.Stream(ctx, pipeline.OldCallbacks)
	if errors.Is(err, jetstream.ErrStreamNotFound) || err == nil && !slices.Equal(st.CachedInfo().Config.Subjects, []string{closedSubject}) {
		return nil
	}
	if err != nil {
		return err
	}
	state := st.CachedInfo().State
	for seq := max(state.FirstSeq, 1); ; seq++ {
		if seq > state.LastSeq { // what was on its way when the stream was closed may have come meanwhile
			info, err := st.Info(ctx)
			if errors.Is(err, jetstream.ErrStreamNotFound) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("look at it once more: %w", err)
			}
			if state = info.State; seq > state.LastSeq {
				break
			}
		}
		m, err := st.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil // another node was quicker
		}
		if err != nil {
			return fmt.Errorf("read a webhook: %w", err)
		}
		if err := s.Keep(ctx, pipeline.DeliveryOf(m.Subject), m.Data); err != nil {
			return err
		}
	}
	if err := s.js.DeleteStream(ctx, pipeline.OldCallbacks); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	return nil
}

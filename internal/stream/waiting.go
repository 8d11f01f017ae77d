package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// Waiting gives each webhook that is kept and not yet folded in, as it is sealed, without taking it from whoever folds.
// It ends with the last that was kept when it began. One that is folded meanwhile may be among them, or not.
func (s *Stream) Waiting(ctx context.Context, each func(pipeline.Held) error) error {
	st, state, err := s.archive(ctx)
	if err != nil {
		return err
	}
	for seq := max(1, state.Folded+1); seq <= state.Last; {
		m, err := st.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(pipeline.CallbackSubjects))
		if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && m.Sequence > state.Last {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a callback: %w", err)
		}
		for _, sealed := range partsOf(m.Header, m.Data) {
			h := pipeline.Held{ID: peal.NewID(), IntegrationID: pipeline.DeliveryOf(m.Subject), ReceivedAt: m.Time, Body: sealed}
			if err := each(h); err != nil {
				return err
			}
		}
		seq = m.Sequence + 1
	}
	return nil
}

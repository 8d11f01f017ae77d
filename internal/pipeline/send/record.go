package send

import (
	"context"
	"log/slog"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// pause stops the integration. A failure to record it is only logged: the next call would find out again.
func (s *shift) pause(p *peal.Pause) {
	current := s.cfg.Integrations.ByID(s.id)
	if current == nil || current.Version != s.in.Version {
		return // it was changed meanwhile; what failed is no more
	}
	if c := current.Pause; c != nil && (c.Until.IsZero() || (!p.Until.IsZero() && !p.Until.After(c.Until))) {
		return // several calls found out together, and one has said as much already
	}
	level := slog.LevelError // a person has to mend it
	if p.Code == peal.PauseThrottled {
		level = slog.LevelWarn
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s.log.Log(ctx, level, "integration paused; its jobs stay queued", "code", p.Code, "reason", p.Reason, "until", p.Until)
	if err := s.cfg.Integrations.Pause(ctx, s.id, s.in.Version, p); err != nil {
		s.log.Warn("pause not recorded", "error", err)
	}
}

// record writes finished attempts, whatever has piled up together, and only then lets their jobs go. It ends when the
// shift has no more.
func (s *shift) record() {
	for first := range s.results {
		batch := []done{first}
	more:
		for len(batch) < maxBatch {
			select {
			case d, ok := <-s.results:
				if !ok {
					break more
				}
				batch = append(batch, d)
			default:
				break more
			}
		}
		s.recordBatch(batch)
	}
	s.lastFine()
}

// stopPatience is how long a process that is to stop waits for records that are away. It is about as long as it has
// (--drain-timeout): a database that restarts is back sooner.
const stopPatience = 15 * time.Second

// recordBatch tries until it has succeeded, for an outcome that is not recorded is a delivery in doubt. It gives up only
// when the process has been told to stop and the records have been away for long; then the rows stay in state sending.
func (s *shift) recordBatch(batch []done) {
	attempts := make([]peal.Attempt, len(batch))
	for i := range batch {
		attempts[i] = batch[i].attempt
	}
	retired := false
	for try := 1; ; try++ {
		ctx, cancel := context.WithTimeout(context.Background(), ackMargin)
		moved, err := s.write(ctx, batch, attempts, &retired)
		cancel()
		if err == nil {
			for _, m := range moved {
				s.cfg.Metrics.Moved.WithLabelValues(m.IntegrationID, string(m.Status)).Inc()
			}
			break
		}
		s.log.Error("outcomes not recorded", "deliveries", len(batch), "try", try, "error", err)
		if peal.KindOf(err) == peal.Unavailable && s.stopping.Load() {
			if time.Since(*s.stopped.Load()) > stopPatience {
				return
			}
		}
		sleep(context.Background(), afterError)
	}
	s.settle(batch)
}

// write writes what attempts say of devices, once, and then what they came to.
func (s *shift) write(ctx context.Context, batch []done, attempts []peal.Attempt, retired *bool) ([]peal.Moved, error) {
	if !*retired {
		err := s.retire(ctx, batch)
		if err != nil && peal.KindOf(err) == peal.Unavailable {
			return nil, err
		}
		if *retired = true; err != nil {
			s.log.Error("devices not retired; the next send finds out again", "error", err)
		}
	}
	return s.cfg.Records.Record(ctx, attempts)
}

// settle schedules the retries, lets the jobs go and tells of each attempt.
func (s *shift) settle(batch []done) {
	var later []pipeline.Job
	for i := range batch {
		if a := &batch[i].attempt; a.Next == peal.Queued {
			job := s.later(a.DeliveryID, a.Priority, a.Due)
			job.Anew = true // another may stand: of a rung's turn, or of the end of a pause, before which it went
			later = append(later, job)
		}
	}
	if len(later) > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), ackMargin)
		if _, err := s.cfg.Queues.Ensure(ctx, later); err != nil {
			s.log.Warn("retries not scheduled; the ledger will", "error", err)
		}
		cancel()
	}
	s.fine(batch)
	defer s.parked(batch)
	for i := range batch {
		a := &batch[i].attempt
		s.ack(batch[i].job)
		s.end(a.DeliveryID)
		if a.Outcome.Class == peal.ClassNone {
			if a.Next == peal.Skipped {
				s.cfg.Metrics.Moved.WithLabelValues(s.id, string(a.Next)).Inc()
			}
			continue
		}
		s.cfg.Metrics.Attempts.WithLabelValues(s.id, string(a.Outcome.Class)).Inc()
		if a.Next != peal.Queued {
			s.cfg.Metrics.Moved.WithLabelValues(s.id, string(a.Next)).Inc()
		}
		s.log.LogAttrs(context.Background(), slog.LevelInfo, "delivery.attempted", slog.String("tenant_id", a.TenantID),
			slog.String("delivery_id", a.DeliveryID), slog.Int("attempt", a.Number), slog.String("outcome", string(a.Outcome.Class)),
			slog.String("code", a.Outcome.Code), slog.String("next", string(a.Next)), slog.Int64("took_ms", a.Outcome.Took.Milliseconds()))
	}
}

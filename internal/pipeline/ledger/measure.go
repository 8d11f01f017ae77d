package ledger

import "context"

// measure sets the gauges of what waits.
func (l *Ledger) measure(ctx context.Context) {
	depths, err := l.cfg.Records.Depths(ctx)
	if err != nil {
		if ctx.Err() == nil {
			l.cfg.Log.Warn("queues not measured", "error", err)
		}
		return
	}
	m, now := l.cfg.Metrics, l.cfg.Now()
	m.Retain(func(id string) bool { return l.cfg.Integrations.ByID(id) != nil })
	m.Queued.Reset()
	m.OldestAge.Reset()
	m.Uncertain.Reset()
	m.Dead.Reset()
	for _, d := range depths {
		m.Queued.WithLabelValues(d.IntegrationID).Add(float64(d.Queued))
		m.Uncertain.WithLabelValues(d.IntegrationID).Add(float64(d.Uncertain))
		m.Dead.WithLabelValues(d.IntegrationID).Add(float64(d.Dead))
		if !d.Oldest.IsZero() {
			m.OldestAge.WithLabelValues(d.IntegrationID).Set(now.Sub(d.Oldest).Seconds())
		}
	}
	if n, err := l.cfg.Jobs.Backlog(ctx); err == nil {
		m.Backlog.Set(float64(n))
	}
}

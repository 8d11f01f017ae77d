package metrics_test

import (
	"slices"
	"testing"

	"peal/internal/metrics"
)

// TestTheSeriesOfDeletedIntegrationsGo gives every vector a series of two integrations, and one is deleted.
func TestTheSeriesOfDeletedIntegrationsGo(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	for _, id := range []string{"stays", "goes"} {
		m.Accepted.WithLabelValues(id).Inc()
		m.Moved.WithLabelValues(id, "sent").Inc()
		m.Attempts.WithLabelValues(id, "accepted").Inc()
		m.CallTime.WithLabelValues(id).Observe(1)
		m.LimitWait.WithLabelValues(id).Observe(1)
		m.Queued.WithLabelValues(id).Set(1)
		m.OldestAge.WithLabelValues(id).Set(1)
		m.Uncertain.WithLabelValues(id).Set(1)
		m.Dead.WithLabelValues(id).Set(1)
		m.Paused.WithLabelValues(id).Set(1)
		m.Callbacks.WithLabelValues(id).Inc()
	}
	m.Refused.WithLabelValues("goes").Inc() // a code, whatever it is called
	m.Retain(func(id string) bool { return id == "stays" })
	families, err := m.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, f := range families {
		for _, s := range f.GetMetric() {
			for _, l := range s.GetLabel() {
				if l.GetName() == "integration" {
					left = append(left, l.GetValue())
				}
				if l.GetName() == "code" {
					left = append(left, "code "+l.GetValue())
				}
			}
		}
	}
	slices.Sort(left)
	want := append([]string{"code goes"}, slices.Repeat([]string{"stays"}, 11)...)
	if !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
}

// Package metrics is what Peal counts for its operator, in Prometheus' terms. docs/operating.md says what to watch.
package metrics

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Metrics are the counters of one process; every stage adds to its own.
type Metrics struct {
	Registry *prometheus.Registry

	Accepted  *prometheus.CounterVec   // integration
	Refused   *prometheus.CounterVec   // code
	Replayed  prometheus.Counter       // idempotent repeats
	Moved     *prometheus.CounterVec   // integration, status: deliveries that reached it
	Attempts  *prometheus.CounterVec   // integration, outcome
	CallTime  *prometheus.HistogramVec // integration
	LimitWait *prometheus.HistogramVec // integration

	Queued     *prometheus.GaugeVec // integration
	OldestAge  *prometheus.GaugeVec // integration, seconds
	Uncertain  *prometheus.GaugeVec // integration
	Dead       *prometheus.GaugeVec // integration
	Paused     *prometheus.GaugeVec // integration
	Suspect    *prometheus.GaugeVec // integration: only those that bring receipts
	Unopened   *prometheus.GaugeVec // integration: only those that this node cannot open; send keeps it
	Callbacks  *prometheus.CounterVec
	Held       prometheus.Counter
	Backlog    prometheus.Gauge // webhooks that wait to be folded in
	Archive    prometheus.Gauge // bytes of webhooks that are kept
	Parked     prometheus.Counter
	Unmatched  prometheus.Counter
	Unreadable prometheus.Counter
	Mended     prometheus.Counter // rows without a job that the ledger gave one

	EndpointCalls     *prometheus.CounterVec // outcome
	EndpointsDisabled *prometheus.CounterVec // code
	EndpointsWaiting  prometheus.Gauge
	EndpointsLag      prometheus.Gauge // seconds
	EndpointsLost     prometheus.Counter

	NumberQuality *prometheus.GaugeVec // integration: 3 green, 2 yellow, 1 red
	NumberLimit   *prometheus.GaugeVec // integration: people in 24 h; -1 for any number
	NumberUsed    *prometheus.GaugeVec // integration

	clockOff atomic.Pointer[func() time.Duration]

	Differences *prometheus.GaugeVec // kind: what the audit knows of that does not agree
	LastAudit   prometheus.Gauge     // Unix time
}

// Retain removes the series of integrations that are no more.
func (m *Metrics) Retain(alive func(integrationID string) bool) {
	families, err := m.Registry.Gather()
	if err != nil {
		return // what could not be gathered shows in the scrape, too
	}
	gone := map[string]bool{}
	for _, f := range families {
		for _, s := range f.GetMetric() {
			for _, l := range s.GetLabel() {
				if l.GetName() == byIntegration && !gone[l.GetValue()] && !alive(l.GetValue()) {
					gone[l.GetValue()] = true
				}
			}
		}
	}
	for id := range gone {
		for _, v := range m.vectors() {
			v.DeletePartialMatch(prometheus.Labels{byIntegration: id})
		}
	}
}

const byIntegration = "integration"

type vector interface {
	DeletePartialMatch(labels prometheus.Labels) int
}

// vectors are those with a series per integration.
func (m *Metrics) vectors() []vector {
	return []vector{
		m.Accepted, m.Moved, m.Attempts, m.CallTime, m.LimitWait, m.Queued, m.OldestAge, m.Uncertain, m.Dead, m.Paused, m.Suspect, m.Callbacks,
	}
}

// WatchClock shows how far the wall clock is ahead of the clock that Peal goes by.
func (m *Metrics) WatchClock(off func() time.Duration) { m.clockOff.Store(&off) }

func (m *Metrics) clock() float64 {
	if off := m.clockOff.Load(); off != nil {
		return (*off)().Seconds()
	}
	return 0
}

// New makes the metrics and their registry, with those of the Go runtime and the process.
func New() *Metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		r.MustRegister(c)
		return c
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
		r.MustRegister(g)
		return g
	}
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{"integration"})
		r.MustRegister(h)
		return h
	}
	m := &Metrics{
		Registry:  r,
		Accepted:  counter("peal_accepted_total", "Deliveries accepted and on disk.", "integration"),
		Refused:   counter("peal_refused_total", "Notification requests refused, by code.", "code"),
		Replayed:  counter("peal_replayed_total", "Requests answered from an earlier one with the same idempotency key.").WithLabelValues(),
		Moved:     counter("peal_deliveries_total", "Deliveries that reached a status.", "integration", "status"),
		Attempts:  counter("peal_attempts_total", "Calls to providers, by outcome.", "integration", "outcome"),
		CallTime:  histogram("peal_call_seconds", "How long calls to providers took.", prometheus.ExponentialBuckets(0.001, 2, 16)),
		LimitWait: histogram("peal_limiter_wait_seconds", "How long jobs waited for the integration's limit.", prometheus.ExponentialBuckets(0.0005, 4, 12)),

		Queued:     gauge("peal_queue_depth", "Deliveries queued or being sent.", "integration"),
		OldestAge:  gauge("peal_queue_oldest_age_seconds", "Age of the oldest delivery queued or being sent.", "integration"),
		Uncertain:  gauge("peal_uncertain", "Deliveries whose outcome is unknown.", "integration"),
		Dead:       gauge("peal_dead_letters", "Deliveries that ran out of attempts and wait for a person.", "integration"),
		Paused:     gauge("peal_integration_paused", "1 while the integration does not send.", "integration"),
		Suspect:    gauge("peal_integration_suspect", "1 while the integration's calls succeed and no receipts come.", "integration"),
		Unopened:   gauge("peal_integration_unopened", "1 while this node cannot open the integration, and leaves it to others.", "integration"),
		Callbacks:  counter("peal_callbacks_total", "Webhooks taken, by integration.", "integration"),
		Held:       counter("peal_callbacks_held_total", "Webhooks that the records kept, since the broker was away.").WithLabelValues(),
		Archive:    gauge("peal_callbacks_kept_bytes", "Bytes that the webhooks take which are kept, folded in or not.").WithLabelValues(),
		Backlog:    gauge("peal_callbacks_backlog", "Webhooks that wait to be folded into the records.").WithLabelValues(),
		Parked:     counter("peal_receipts_parked_total", "Receipts of messages that no row knew yet.").WithLabelValues(),
		Unmatched:  counter("peal_receipts_unmatched_total", "Receipts that were given up on: no row ever knew their message.").WithLabelValues(),
		Unreadable: counter("peal_callbacks_unreadable_total", "Webhooks that could not be understood; they are kept.").WithLabelValues(),
		Mended:     counter("peal_ledger_mended_total", "Deliveries in flight without a job that the ledger gave one.").WithLabelValues(),
	}
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "peal_clock_off_seconds", Help: "How far the wall clock is ahead of the clock that Peal goes by.",
	}, m.clock))

	m.EndpointCalls = counter("peal_endpoint_calls_total", "Calls of tenants' endpoints (outbound webhooks), by outcome.", "outcome")
	m.EndpointsDisabled = counter("peal_endpoints_disabled_total", "Endpoints that Peal has disabled, by code.", "code")
	m.EndpointsWaiting = gauge("peal_endpoint_waiting", "Events that wait for another call of an endpoint, or behind one that does, on this node.").WithLabelValues()
	m.EndpointsLag = gauge("peal_endpoint_lag_seconds", "Age of the oldest event that an endpoint of this node is yet to be told for the first time.").WithLabelValues()
	m.EndpointsLost = counter("peal_endpoint_lost_total", "Times that an endpoint was behind for so long that the event log had let go of events.").WithLabelValues()

	m.NumberQuality = gauge("peal_number_quality", "What the provider says of the sending number: 3 green, 2 yellow, 1 red.", "integration")
	m.NumberLimit = gauge("peal_number_messaging_limit", "How many people the sending number may write to first in 24 hours; -1 for any number.", "integration")
	m.NumberUsed = gauge("peal_number_messaging_used", "How many people the integration sent a template to in the last 24 hours.", "integration")

	m.Differences = gauge("peal_audit_differences", "Records that do not agree, by kind; it must be zero.", "kind")
	m.LastAudit = gauge("peal_audit_last_run_timestamp_seconds", "When the audit of the recent past was last done.").WithLabelValues()
	return m
}

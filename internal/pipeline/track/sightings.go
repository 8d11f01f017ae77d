package track

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"peal/internal/peal"
)

// SightingLog keeps what was heard of integrations.
type SightingLog interface {
	Sight(ctx context.Context, sightings []peal.Sighting) error
}

const (
	sightEvery = time.Second      // how often it is looked for something to write
	sightRest  = 10 * time.Second // after an integration was written, unless its session has come to another state
	sightTime  = 5 * time.Second
)

// Sightings gather what this node hears of integrations, and have it written now and again: that webhooks come, with the right
// secret or without, that there are receipts among them, and the states of sessions. Create it with NewSightings, and Run it.
// A nil one hears nothing.
type Sightings struct {
	log     *slog.Logger
	records SightingLog
	now     func() time.Time

	mu      sync.Mutex
	heard   map[string]*peal.Sighting // not written yet
	written map[string]time.Time
	urgent  map[string]bool
}

// NewSightings makes Sightings.
func NewSightings(records SightingLog, log *slog.Logger, now func() time.Time) *Sightings {
	return &Sightings{
		log: log, records: records, now: now, heard: map[string]*peal.Sighting{}, written: map[string]time.Time{}, urgent: map[string]bool{},
	}
}

// note changes what is not written yet of an integration.
func (s *Sightings) note(id string, change func(g *peal.Sighting, now time.Time)) {
	if s == nil {
		return
	}
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.heard[id]
	if g == nil {
		g = &peal.Sighting{IntegrationID: id}
		s.heard[id] = g
	}
	change(g, now)
}

// webhook notes that one came, with the right secret or without.
func (s *Sightings) webhook(id string, right bool) {
	s.note(id, func(g *peal.Sighting, now time.Time) {
		if right {
			g.Webhook, g.Refused = now, 0
		} else {
			g.Refused++
		}
	})
}

// receipt notes that a webhook told something of messages, and when it came.
func (s *Sightings) receipt(id string, came time.Time) {
	s.note(id, func(g *peal.Sighting, now time.Time) {
		if came.IsZero() || came.After(now) {
			came = now
		}
		if came.After(g.Receipt) {
			g.Receipt = came
		}
	})
}

// Session notes the state of an integration's session, as it was said just now.
func (s *Sightings) Session(id, state string) {
	if state == "" {
		return
	}
	s.note(id, func(g *peal.Sighting, now time.Time) {
		g.Session, g.SessionAt = state, now
		s.urgent[id] = true
	})
}

// Run writes until ctx ends, and then the rest.
func (s *Sightings) Run(ctx context.Context) error {
	tick := time.NewTicker(sightEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.write(ctx, false)
		case <-ctx.Done():
			s.write(context.WithoutCancel(ctx), true)
			return nil
		}
	}
}

func (s *Sightings) write(ctx context.Context, all bool) {
	now := s.now()
	var batch []peal.Sighting
	s.mu.Lock()
	for id, g := range s.heard {
		if all || s.urgent[id] || now.Sub(s.written[id]) >= sightRest {
			batch = append(batch, *g)
			delete(s.heard, id)
			delete(s.urgent, id)
			s.written[id] = now
		}
	}
	for id, at := range s.written {
		if now.Sub(at) > 2*sightRest && s.heard[id] == nil {
			delete(s.written, id)
		}
	}
	s.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, sightTime)
	defer cancel()
	if err := s.records.Sight(ctx, batch); err != nil {
		s.log.Warn("not written what was heard of integrations; it is tried again", "integrations", len(batch), "error", err)
		s.putBack(batch)
	}
}

// putBack keeps what could not be written, below what was heard since.
func (s *Sightings) putBack(batch []peal.Sighting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range batch {
		old := &batch[i]
		g := s.heard[old.IntegrationID]
		if g == nil {
			s.heard[old.IntegrationID] = old
			continue
		}
		if g.Webhook.IsZero() {
			g.Webhook, g.Refused = old.Webhook, g.Refused+old.Refused
		}
		if g.Receipt.IsZero() {
			g.Receipt = old.Receipt
		}
		if g.SessionAt.IsZero() {
			g.Session, g.SessionAt = old.Session, old.SessionAt
		}
	}
}

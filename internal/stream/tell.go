package stream

import (
	"context"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// changedSubject is where nodes tell each other that the register of integrations has changed. It is only a hint: who
// misses it reads the register again a little later.
const changedSubject = "peal.changed"

// expandSubject is where nodes tell each other that there is an audience to expand.
const expandSubject = "peal.expand"

// grownSubject is, with a tenant's id behind it, where nodes tell each other that the tenant's event log has grown.
const grownSubject = "event."

// tellTwice is how long a node that was just told waits for more before it passes that on.
const tellTwice = 20 * time.Millisecond

// Changed tells all nodes, but not this one, that the register of integrations has changed.
func (s *Stream) Changed() { s.tell(changedSubject) }

// Expand tells all nodes, but not this one, that there is an audience to expand.
func (s *Stream) Expand() { s.tell(expandSubject) }

// Grown tells the other nodes that a tenant's event log has grown.
func (s *Stream) Grown(tenantID string) { s.tell(grownSubject + tenantID) }

// OnGrown names who is told when another node has added to a tenant's event log. It must not wait for anything.
func (s *Stream) OnGrown(f func(tenantID string)) { s.grown = f }

func (s *Stream) tell(subject string) {
	if s.server != nil || s.away() != nil { // embedded: there are no others
		return
	}
	if err := s.conn.Publish(subject, nil); err != nil {
		s.log.Debug("the other nodes were not told of a change; they find out", "subject", subject, "error", err)
	}
}

// OnExpand names who is told when another node has accepted a notification to an audience. It must not wait for anything.
func (s *Stream) OnExpand(f func()) { s.expand = f }

// OnChange names who is told when another node has changed the register of integrations. It is called from Run, one
// call at a time.
func (s *Stream) OnChange(f func(ctx context.Context)) { s.changed = f }

// Run listens to the other nodes until ctx ends.
func (s *Stream) Run(ctx context.Context) error {
	if s.changed == nil || s.server != nil { // embedded: there are no others
		<-ctx.Done()
		return nil
	}
	told := make(chan struct{}, 1)
	sub, err := s.conn.Subscribe(changedSubject, func(*nats.Msg) {
		select {
		case told <- struct{}{}:
		default: // one is waiting already
		}
	})
	if err != nil {
		s.log.Warn("changes of other nodes are seen late", "error", err)
		<-ctx.Done()
		return nil
	}
	defer func() { _ = sub.Unsubscribe() }() // the connection may be gone
	if s.expand != nil {
		sub, err := s.conn.Subscribe(expandSubject, func(*nats.Msg) { s.expand() })
		if err != nil {
			s.log.Warn("audiences that other nodes accept are expanded late", "error", err)
		} else {
			defer func() { _ = sub.Unsubscribe() }()
		}
	}
	if s.grown != nil {
		sub, err := s.conn.Subscribe(grownSubject+"*", func(m *nats.Msg) { s.grown(strings.TrimPrefix(m.Subject, grownSubject)) })
		if err != nil {
			s.log.Warn("events of other nodes are seen late", "error", err)
		} else {
			defer func() { _ = sub.Unsubscribe() }()
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-told:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(tellTwice):
			s.changed(ctx)
		}
	}
}

package stream

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
)

// changedSubject is where nodes tell each other that the register of integrations has changed. It is only a hint: who
// misses it reads the register again a little later.
const changedSubject = "peal.changed"

// tellTwice is how long a node that was just told waits for more before it passes that on.
const tellTwice = 20 * time.Millisecond

// Changed tells all nodes, but not this one, that the register of integrations has changed.
func (s *Stream) Changed() {
	if err := s.away(); err != nil {
		return
	}
	if err := s.conn.Publish(changedSubject, nil); err != nil {
		s.log.Debug("the other nodes were not told of a change; they find out", "error", err)
	}
}

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

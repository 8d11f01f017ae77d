package send

import (
	"context"
	"slices"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
)

// refuse says whether this node can send over an integration. One that it cannot open is another node's, whomever the hash
// of the names favours: this binary may be too old for it, or have another master key.
func (s *Stage) refuse(id string, refuse bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if refuse == s.refused[id] {
		return
	}
	if refuse {
		s.refused[id] = true
		s.cfg.Metrics.Unopened.WithLabelValues(id).Set(1)
	} else {
		delete(s.refused, id)
		s.cfg.Metrics.Unopened.DeleteLabelValues(id)
	}
	s.cfg.Refuse(id, refuse)
}

// refuseUnopened leaves those to others that have no lane here, for they could not even be read; and forgets the deleted.
func (s *Stage) refuseUnopened() {
	unopened := s.cfg.Integrations.Unopened()
	for _, id := range unopened {
		s.refuse(id, true)
	}
	s.mu.Lock()
	var gone []string
	for id := range s.refused {
		if s.cfg.Integrations.ByID(id) == nil && !slices.Contains(unopened, id) {
			gone = append(gone, id)
		}
	}
	s.mu.Unlock()
	for _, id := range gone {
		s.refuse(id, false)
	}
}

// openable waits until this node can open the integration; until then it refuses it. It is tried without the lease, so that
// whoever can send is not disturbed. False when ctx ends.
func (l *lane) openable(ctx context.Context) bool {
	told := "" // the last reason that is in the log
	for ctx.Err() == nil {
		changed := l.cfg.Integrations.Changed()
		in := l.cfg.Integrations.ByID(l.id)
		if in == nil {
			return false
		}
		c, err := l.client(in)
		if err == nil {
			c.Close()
			l.refuse(l.id, false)
			if told != "" {
				l.log.Info("integration can be opened here again")
			}
			return true
		}
		l.refuse(l.id, true)
		if told != err.Error() {
			told = err.Error()
			l.log.Error("integration not opened; it is left to other nodes", "error", err)
		}
		l.pauseUntil(ctx, changed)
	}
	return false
}

// pauseUntil waits for a change of the integrations, but not for ever: what is in the way may be a file, or the network.
func (l *lane) pauseUntil(ctx context.Context, changed <-chan struct{}) {
	t := time.NewTimer(l.cfg.OpenEvery)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-changed:
	case <-t.C:
	}
}

func (l *lane) client(in *peal.Integration) (provider.Client, error) {
	kind, ok := l.cfg.Integrations.Kind(in.Kind)
	if !ok {
		return nil, peal.Errorf(peal.Internal, "no provider %q", in.Kind)
	}
	return kind.Open(in, l.cfg.Env)
}

package httpapi

import (
	"context"

	"peal/api"
	"peal/internal/peal"
)

// Watches is what was heard of integrations, and what is thought of them.
type Watches interface {
	Watches(ctx context.Context, integrationIDs []string) (map[string]peal.Watch, error)
}

// watched adds what is known of integrations. Without the records they are shown without it.
func (s *Server) watched(ctx context.Context, all []api.Integration) {
	ids := make([]string, len(all))
	for i := range all {
		ids[i] = all[i].ID
	}
	known, err := s.cfg.Watches.Watches(ctx, ids)
	if err != nil {
		s.cfg.Log.Warn("not shown what was heard of integrations", "error", err)
		return
	}
	for i := range all {
		w, ok := known[all[i].ID]
		if !ok {
			continue
		}
		out := &all[i]
		out.LastWebhook, out.LastReceipt, out.Refused = optional(w.LastWebhook), optional(w.LastReceipt), w.Refused
		if !w.SuspectSince.IsZero() {
			out.Suspect = &api.Suspect{Since: w.SuspectSince.UTC(), Reason: w.SuspectReason}
		}
		if w.Heard != "" {
			out.Session = &api.SessionState{State: w.Heard, Since: w.HeardAt.UTC()}
		}
	}
}

package track

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"peal/api"
	"peal/internal/metrics"
	"peal/internal/peal"
	"peal/internal/provider"
)

const (
	watchEvery   = time.Second
	watchMost    = 30 * time.Second // between two looks at an integration; less where receipts should come quickly
	watchBack    = 24 * time.Hour   // how far back sends are counted
	suspectAfter = 20               // sends without a receipt
	// sessionCalm is how long apart the notices of a session's states are: one that goes up and down is told of now and again,
	// and then as it is.
	sessionCalm = time.Minute
)

// CodeNoReceipts is the code of the notice that an integration is suspect.
const CodeNoReceipts = "no_receipts"

// Watched is what is known of integrations, and kept.
type Watched interface {
	Watched(ctx context.Context, integrationID string, since time.Time) (peal.Watch, error)
	Unsettled(ctx context.Context) ([]peal.Watch, error)
	Unheard(ctx context.Context, in *peal.Integration, after, before time.Time) (n int, first time.Time, err error)
	SetSuspect(ctx context.Context, integrationID string, since time.Time, reason string, n peal.Notice) (bool, error)
	SetSession(ctx context.Context, integrationID, before, state string, when time.Time, n *peal.Notice) (bool, error)
}

// Watcher suspects integrations whose calls succeed and that bring no receipts, and tells of the states of sessions. One node
// runs it at a time.
type Watcher struct {
	Integrations Integrations
	Records      Watched
	Env          provider.Env
	Metrics      *metrics.Metrics
	Log          *slog.Logger
	Now          func() time.Time
}

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	defer w.Metrics.Suspect.Reset()
	started := w.Now()
	looks := map[string]time.Time{} // when to look at an integration again
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := w.Now()
		for id := range looks {
			if w.Integrations.ByID(id) == nil {
				delete(looks, id)
			}
		}
		w.sessions(ctx, now)
		for _, in := range w.Integrations.All() {
			if in.ReceiptTimeout <= 0 || now.Before(looks[in.ID]) {
				continue
			}
			looks[in.ID] = now.Add(min(max(in.ReceiptTimeout/10, watchEvery), watchMost))
			if err := w.look(ctx, in, started, now); err != nil && ctx.Err() == nil {
				w.Log.Warn("integration not watched; it is tried again", "integration_id", in.ID, "error", err)
			}
		}
	}
}

// look looks at one integration.
func (w *Watcher) look(ctx context.Context, in *peal.Integration, started, now time.Time) error {
	if in.CreatedAt.After(started) { // else of what was sent before now nobody may have noted the receipts
		started = in.CreatedAt
	}
	known, err := w.Records.Watched(ctx, in.ID, started)
	if err == nil {
		err = w.suspicion(ctx, in, &known, now)
	}
	return err
}

// sessions tells of the sessions that have come to another state.
func (w *Watcher) sessions(ctx context.Context, now time.Time) {
	all, err := w.Records.Unsettled(ctx)
	for i := range all {
		if in := w.Integrations.ByID(all[i].IntegrationID); in != nil && err == nil {
			err = w.session(ctx, in, &all[i], now)
		}
	}
	if err != nil && ctx.Err() == nil {
		w.Log.Warn("not told of sessions' states; it is tried again", "error", err)
	}
}

// session tells when a session has come to another state than was told last.
func (w *Watcher) session(ctx context.Context, in *peal.Integration, known *peal.Watch, now time.Time) error {
	if now.Sub(known.SessionAt) < sessionCalm {
		return nil
	}
	var n *peal.Notice
	if known.Session != "" || known.Heard != sessionFine { // that it is connected, and was all along, is no news
		data, err := json.Marshal(api.SessionEvent{
			IntegrationID: in.ID, Name: in.Name, Kind: in.Kind, Status: known.Heard, PreviousStatus: known.Session,
		})
		if err != nil {
			return fmt.Errorf("write an event: %w", err)
		}
		n = &peal.Notice{TenantID: in.TenantID, Type: peal.NoticeIntegrationSession, At: now, Subject: in.ID, Data: data}
	}
	told, err := w.Records.SetSession(ctx, in.ID, known.Session, known.Heard, now, n)
	if err == nil && told && n != nil {
		w.Log.Info("session has come to another state", "integration_id", in.ID, "state", known.Heard, "before", known.Session)
	}
	return err
}

// sessionFine is the state of a session that sends.
const sessionFine = "connected"

// suspicion begins when enough was sent long enough ago and no webhook has told of any message since, and ends when one does.
func (w *Watcher) suspicion(ctx context.Context, in *peal.Integration, known *peal.Watch, now time.Time) error {
	suspect := !known.SuspectSince.IsZero()
	if suspect && known.LastReceipt.After(known.SuspectSince) {
		suspect = false
		if err := w.set(ctx, in, time.Time{}, "receipts come again", now); err != nil {
			return err
		}
	} else if !suspect {
		reason, err := w.reason(ctx, in, known, now)
		if err != nil {
			return err
		}
		if suspect = reason != ""; suspect {
			if err := w.set(ctx, in, now, reason, now); err != nil {
				return err
			}
			w.ask(ctx, in)
		}
	}
	w.Metrics.Suspect.WithLabelValues(in.ID).Set(map[bool]float64{true: 1}[suspect])
	return nil
}

// reason tells why an integration is suspect, and what to look at; empty: it is not.
func (w *Watcher) reason(ctx context.Context, in *peal.Integration, known *peal.Watch, now time.Time) (string, error) {
	before := now.Add(-in.ReceiptTimeout)
	after := known.Since
	for _, t := range []time.Time{known.LastReceipt, before.Add(-watchBack)} {
		if t.After(after) {
			after = t
		}
	}
	if !after.Before(before) {
		return "", nil // mostly: a receipt has come a moment ago
	}
	n, first, err := w.Records.Unheard(ctx, in, after, before)
	if err != nil || n < suspectAfter {
		return "", err
	}
	return fmt.Sprintf("%d messages were sent since %s, and no receipt has come: %s", n, first.UTC().Format(time.RFC3339), w.hint(known, first)), nil
}

// hint tells what to look at.
func (w *Watcher) hint(known *peal.Watch, first time.Time) string {
	switch {
	case known.Refused > 0:
		return fmt.Sprintf("%d webhooks were refused, since they do not carry the right secret: give the integration the provider's (app_secret, webhook_secret)", known.Refused)
	case known.LastWebhook.After(first):
		return "webhooks come, and none of them tells of messages: see that they are subscribed to at the provider (messages; messages.update)"
	default:
		return "no webhook has come: see that the provider has the integration's webhook_url, and that it can reach it"
	}
}

// set begins a suspicion, or with a zero time ends it.
func (w *Watcher) set(ctx context.Context, in *peal.Integration, since time.Time, reason string, now time.Time) error {
	data := api.IntegrationEvent{IntegrationID: in.ID, Name: in.Name, Kind: in.Kind, Code: CodeNoReceipts, Reason: reason, Ended: since.IsZero()}
	if !since.IsZero() {
		data.Since = &since
	}
	raw, err := json.Marshal(&data)
	if err != nil {
		return fmt.Errorf("write an event: %w", err)
	}
	kept := reason
	if since.IsZero() {
		kept = ""
	}
	news, err := w.Records.SetSuspect(ctx, in.ID, since, kept, peal.Notice{
		TenantID: in.TenantID, Type: peal.NoticeIntegrationSuspect, At: now, Subject: in.ID, Data: raw,
	})
	if err != nil || !news {
		return err
	}
	if since.IsZero() {
		w.Log.Info("integration is above suspicion: receipts come again", "integration_id", in.ID)
	} else {
		w.Log.Error("integration is suspect: its calls succeed, and no receipts come", "integration_id", in.ID, "reason", reason)
	}
	return nil
}

// ask asks a suspect's account whether it can send, which webhooks would have told of. That it cannot pauses the integration.
func (w *Watcher) ask(ctx context.Context, in *peal.Integration) {
	kind, ok := w.Integrations.Kind(in.Kind)
	if !ok || in.Pause != nil {
		return
	}
	client, err := kind.Open(in, w.Env)
	if err != nil {
		return
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, in.Timeout)
	defer cancel()
	h := client.Probe(ctx)
	if h.OK || h.State == "" { // that it was not answered says nothing
		return
	}
	w.Log.Error("integration paused; its jobs stay queued", "integration_id", in.ID, "code", peal.PauseSession, "reason", h.State)
	p := &peal.Pause{Code: peal.PauseSession, Reason: "the provider says: " + h.State, Since: w.Now()}
	if err := w.Integrations.Pause(ctx, in.ID, in.Version, p); err != nil {
		w.Log.Warn("pause not recorded", "integration_id", in.ID, "error", err)
	}
}

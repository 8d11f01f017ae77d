package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"peal/client"
	"peal/emulator/wasender"
)

// gate stands between the emulator's webhooks and Peal, and remembers which ones Peal said it had taken.
type gate struct {
	url    string // that the emulator posts to
	target string // Peal
	client *http.Client

	mu    sync.Mutex
	taken map[string]int // the highest status by the key of the message, since the last wipe
}

func newGate(t *testing.T, p *process) *gate {
	t.Helper()
	g := &gate{target: "http://" + p.addr, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}, taken: map[string]int{}}
	t.Cleanup(g.client.CloseIdleConnections)
	srv := httptest.NewServer(http.HandlerFunc(g.pass))
	t.Cleanup(srv.Close)
	g.url = srv.URL
	return g
}

func (g *gate) pass(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	req, err := http.NewRequestWithContext(r.Context(), r.Method, g.target+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	req.Header = r.Header.Clone()
	res, err := g.client.Do(req)
	if err != nil { // Peal is down: the emulator tries again, as the provider may
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer res.Body.Close() //nolint:errcheck // nothing of it is wanted
	if res.StatusCode == http.StatusOK {
		g.note(body)
	}
	w.WriteHeader(res.StatusCode)
}

func (g *gate) note(body []byte) {
	var event struct {
		Data struct {
			Key    struct{ ID string }
			Update struct{ Status int }
		}
	}
	if json.Unmarshal(body, &event) != nil || event.Data.Key.ID == "" {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.taken[event.Data.Key.ID] = max(g.taken[event.Data.Key.ID], event.Data.Update.Status)
}

// forget lets go of what was taken: the folder in which it may have waited is gone.
func (g *gate) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.taken)
}

// receipts fails the test unless every webhook that Peal said it had taken shows in its row.
func (g *gate) receipts(t *testing.T, l *load, emu *emulator) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), settle)
	defer cancel()
	if err := emu.Idle(ctx); err != nil {
		t.Fatalf("webhooks are still being posted: %v", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	want := map[string]int{} // by text
	for _, m := range emu.Messages(wasender.Query{}) {
		if status := g.taken[m.KeyID]; status > 0 {
			want[m.Text] = status
		}
	}
	if len(want) == 0 {
		t.Error("Peal took no webhook at all since the last wipe")
	}
	told := len(want)
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	ranks := []string{"", "", "sent", "delivered", "read"} // the provider's numbers
	for {
		for d, err := range l.peal.Deliveries(ctx, client.DeliveryQuery{Limit: 500}) {
			if err != nil {
				t.Fatalf("read the log: %v", err)
			}
			// An uncertain one has no id that a receipt could be known by.
			if status, ok := want[*d.Content.Text]; ok && (d.Status == "uncertain" || slices.Index(ranks, d.Status) >= status) {
				delete(want, *d.Content.Text)
			}
		}
		if len(want) == 0 {
			t.Logf("the receipts of %d messages, taken since the last wipe, are all there", told)
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			var missing []string
			for text := range want {
				missing = append(missing, text)
			}
			t.Fatalf("of %d messages receipts were taken and do not show: %s", len(missing), strings.Join(missing[:min(10, len(missing))], ", "))
		}
	}
}

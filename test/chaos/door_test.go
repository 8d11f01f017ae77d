package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// doorTime is how long a node may take to answer a webhook before another is asked.
const doorTime = 3 * time.Second

// door is what an installation has in front of its nodes: it hands a webhook to one, and to the next when that one does
// not take it. It remembers what Peal said it had taken.
type door struct {
	w   *world
	url string

	mu    sync.Mutex
	taken map[string]int // the highest status by the key of the message
}

func newDoor(t *testing.T, w *world) *door {
	t.Helper()
	d := &door{w: w, taken: map[string]int{}}
	srv := httptest.NewServer(http.HandlerFunc(d.pass))
	t.Cleanup(srv.Close)
	d.url = srv.URL
	return d
}

func (d *door) pass(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller has gone
	}
	for _, n := range d.w.order() {
		status, err := d.hand(r, n, body)
		switch {
		case err != nil:
			n.avoid()
			continue
		case status == http.StatusOK:
			d.note(body)
		case status >= http.StatusInternalServerError:
			continue
		}
		w.WriteHeader(status)
		return
	}
	w.WriteHeader(http.StatusBadGateway) // the provider tries again
}

func (d *door) hand(r *http.Request, n *node, body []byte) (int, error) {
	ctx, cancel := context.WithTimeout(r.Context(), doorTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.Method, "http://"+n.addr+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header = r.Header.Clone()
	res, err := d.w.http.Do(req)
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, res.Body) // so that the connection is used again
	return res.StatusCode, res.Body.Close()
}

func (d *door) note(body []byte) {
	var event struct {
		Data struct {
			Key    struct{ ID string }
			Update struct{ Status int }
		}
	}
	if json.Unmarshal(body, &event) != nil || event.Data.Key.ID == "" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taken[event.Data.Key.ID] = max(d.taken[event.Data.Key.ID], event.Data.Update.Status)
}

package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"peal/api"
)

// receiver is a tenant's own system: it verifies what it is told with the scheme's own library, and keeps it.
type receiver struct {
	*httptest.Server

	mu     sync.Mutex
	verify *standardwebhooks.Webhook
	broken bool // it answers 500
	bad    []string
	told   map[string][]string // statuses of a delivery, in the order that they came
	times  map[string]int      // how often an event came
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{told: map[string][]string{}, times: map[string]int{}}
	r.Server = httptest.NewServer(r.handler())
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		body, err := io.ReadAll(req.Body)
		if err == nil && r.verify != nil {
			err = r.verify.Verify(body, req.Header)
		}
		var e api.EventMessage
		var d api.DeliveryEvent
		if err == nil {
			err = json.Unmarshal(body, &e)
		}
		if err == nil {
			err = json.Unmarshal(e.Data, &d)
		}
		if err != nil {
			r.bad = append(r.bad, err.Error())
		}
		if r.broken || err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		if r.times[e.ID]++; r.times[e.ID] == 1 && d.DeliveryID != "" {
			r.told[d.DeliveryID] = append(r.told[d.DeliveryID], d.Status)
		}
	})
}

// endpoint has the receiver told what happens.
func (w *world) endpoint(t *testing.T, r *receiver, types ...string) *api.Endpoint {
	t.Helper()
	e, err := w.peal.CreateEndpoint(t.Context(), api.EndpointRequest{Name: "shop", URL: r.URL, Types: types})
	if err != nil {
		t.Fatalf("make endpoint: %v", err)
	}
	verify, err := standardwebhooks.NewWebhook(e.Secret)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.verify = verify
	r.mu.Unlock()
	return e
}

// knows waits until the receiver was told how each of the deliveries got to be read.
func (r *receiver) knows(t *testing.T, ids map[string]string) {
	t.Helper()
	eventually(t, "the receiver is told everything", func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, id := range ids {
			if got := r.told[id]; !slices.Contains(got, "read") {
				return fmt.Errorf("of %s it was told %v", id, got)
			}
		}
		return nil
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		if got := strings.Join(r.told[id], " "); got != "queued sent delivered read" && got != "queued sent read" && got != "queued delivered read" && got != "queued read" {
			t.Errorf("of %s it was told %s", id, got)
		}
	}
	if len(r.bad) > 0 {
		t.Errorf("what it could not verify or read: %v", r.bad)
	}
}

// TestEndpointIsToldInOrder: a tenant's system is told each delivery's states in order, signed, and after a restart in the
// middle nothing is missing. What failed meanwhile it is told again on request.
func TestEndpointIsToldInOrder(t *testing.T) {
	t.Parallel()
	w, r := setup(t), newReceiver(t)
	e := w.endpoint(t, r, "delivery.*")
	ids := w.sendMany(t, 50)
	r.knows(t, ids)
	w.pause(t)
	more := w.sendMany(t, 50)
	w.restart(t)
	w.resume(t)
	r.knows(t, more)

	a, err := w.peal.TestEndpoint(t.Context(), "shop")
	if err != nil || !a.OK || a.Status != 200 || a.Type != "endpoint.test" {
		t.Errorf("test: %+v, %v", a, err)
	}
	r.mu.Lock()
	r.broken = true
	r.mu.Unlock()
	_, lone := w.sendText(t, "while it is broken")
	eventually(t, "the failure shows", func() error {
		got, err := w.peal.Endpoint(t.Context(), e.ID)
		if err != nil {
			return err
		}
		if got.State != "failing" || got.Waiting == 0 || got.LastError == "" {
			return fmt.Errorf("%+v", got)
		}
		return nil
	})
	r.mu.Lock()
	r.broken = false
	r.mu.Unlock()
	if _, err := w.peal.UpdateEndpoint(t.Context(), "shop", api.EndpointPatch{Disabled: new(true)}); err != nil {
		t.Fatal(err)
	}
	got, err := w.peal.EnableEndpoint(t.Context(), "shop", api.EnableRequest{}) // it need not wait for the next try
	if err != nil || got.Disabled != nil {
		t.Fatalf("%+v, %v", got, err)
	}
	r.knows(t, map[string]string{"": lone})

	r.mu.Lock()
	before, told := len(r.times), 0
	for _, n := range r.times {
		told += n
	}
	r.mu.Unlock()
	start := e.CreatedAt
	if _, err := w.peal.ReplayEndpoint(t.Context(), "shop", api.EndpointReplayRequest{Since: &start, Types: []string{"delivery.read"}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the replay is told", func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		n := 0
		for _, times := range r.times {
			n += times
		}
		if n < told+101 || len(r.times) != before {
			return fmt.Errorf("%d calls, %d before; %d events, %d before", n, told, len(r.times), before)
		}
		return nil
	})
}

// TestEndpointMovesOn: nodes share the endpoints; when one leaves, the endpoints that it called are called by another from
// where it was.
func TestEndpointMovesOn(t *testing.T) {
	t.Parallel()
	onlyLarge(t)
	w, r := setup(t), newReceiver(t)
	n := w.another(t)
	w.endpoint(t, r, "delivery.*")
	r.knows(t, w.sendMany(t, 30))
	n.stop(t)
	r.knows(t, w.sendMany(t, 30))
}

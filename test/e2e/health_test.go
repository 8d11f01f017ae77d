package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/internal/app"
	"peal/internal/config"
)

// TestHealth: who watches the process is answered without a key; the counts need the operator's.
func TestHealth(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, path := range []string{"/healthz", "/readyz", "/openapi.json", "/docs"} {
		if a := s.do(t, "GET", path, "", ""); a.status != http.StatusOK || len(a.body) == 0 {
			t.Errorf("GET %s: %d %s", path, a.status, a.body)
		}
	}
	if a := s.do(t, "GET", "/", "", ""); a.status != http.StatusFound || a.header.Get("Location") != "/docs" {
		t.Errorf("GET /: %d, to %q", a.status, a.header.Get("Location"))
	}
	if a := s.do(t, "GET", "/metrics", "", ""); a.status != http.StatusUnauthorized {
		t.Errorf("GET /metrics without a key: %d", a.status)
	}
	for path, status := range map[string]int{"/nope": 404, "/v1": 404, "/v1/nope": 404, "/v1/deliveries/a/b": 404} {
		if a := s.do(t, "GET", path, operatorKey, ""); a.status != status || a.problem(t).Code != api.CodeNotFound {
			t.Errorf("GET %s: %d %s", path, a.status, a.body)
		}
	}
	a := s.do(t, "DELETE", "/v1/deliveries", operatorKey, "")
	if a.status != http.StatusMethodNotAllowed || a.problem(t).Code != api.CodeMethodNotAllowed || !strings.Contains(a.header.Get("Allow"), "GET") {
		t.Errorf("DELETE /v1/deliveries: %d %s, allow %q", a.status, a.body, a.header.Get("Allow"))
	}
	open := newServer(t, func(c *config.Config) { c.MetricsOpen = true })
	if a := open.do(t, "GET", "/metrics", "", ""); a.status != http.StatusOK {
		t.Errorf("GET /metrics, open: %d", a.status)
	}
}

// TestMetrics: the operator sees what was accepted and what became of it, what waits and for how long.
func TestMetrics(t *testing.T) {
	t.Parallel()
	w := setupWith(t, wasenderDefault(), func(c *config.Config) { c.LedgerEvery = 20 * time.Millisecond }, oneAttempt,
		func(s *api.Settings) { s.Limit = &api.Limit{Rate: 1000} })
	in := fmt.Sprintf("integration=%q", w.integration.ID)
	for _, id := range w.sendMany(t, 5) {
		w.reaches(t, id, "read")
	}
	w.dead(t, 2, 503)
	w.do(t, "POST", post, w.key, "{}")
	w.do(t, "POST", post, w.key, body("+919812345678", "hi"), "Idempotency-Key", "k")
	w.do(t, "POST", post, w.key, body("+919812345678", "hi"), "Idempotency-Key", "k")
	eventually(t, "the last is read", func() error {
		return want("read", w.metric(t, "peal_deliveries_total", in, `status="read"`), 6)
	})
	w.pause(t)
	w.sendMany(t, 3)
	for _, m := range []struct {
		family string
		labels []string
		want   float64
	}{
		{"peal_accepted_total", []string{in}, 11},
		{"peal_refused_total", []string{`code="invalid_request"`}, 1},
		{"peal_replayed_total", nil, 1},
		{"peal_deliveries_total", []string{in, `status="sent"`}, 6},
		{"peal_deliveries_total", []string{in, `status="failed"`}, 2},
		{"peal_attempts_total", []string{in, `outcome="accepted"`}, 6},
		{"peal_attempts_total", []string{in, `outcome="temporary"`}, 2},
		{"peal_call_seconds_count", []string{in}, 8},
		{"peal_queue_depth", []string{in}, 3},
		{"peal_dead_letters", []string{in}, 2},
		{"peal_integration_paused", []string{in}, 1},
		{"peal_uncertain", []string{in}, 0},
		{"peal_callbacks_backlog", nil, 0},
		{"peal_receipts_unmatched_total", nil, 0},
		{"peal_callbacks_unreadable_total", nil, 0},
		{"peal_ledger_mended_total", nil, 0},
	} {
		eventually(t, m.family+fmt.Sprint(m.labels), func() error { return want("value", w.metric(t, m.family, m.labels...), m.want) })
	}
	eventually(t, "the oldest ages", func() error {
		return want("older than nothing", w.metric(t, "peal_queue_oldest_age_seconds", in) > 0, true)
	})
	for _, family := range []string{"peal_limiter_wait_seconds_count", "peal_callbacks_total", "peal_receipts_parked_total"} {
		if w.metric(t, family) == 0 {
			t.Errorf("%s is 0", family)
		}
	}
	// A look-up may have found a message read before its receipt of delivery came.
	if n := w.metric(t, "peal_deliveries_total", in, `status="delivered"`); n > 6 {
		t.Errorf("%v delivered", n)
	}
}

// TestOpenAPI: the document is whole: version 3.1, every reference leads somewhere, every operation says what it answers.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var doc map[string]any
	s.do(t, "GET", "/openapi.json", "", "").decode(t, &doc)
	if v, _ := doc["openapi"].(string); !strings.HasPrefix(v, "3.1") {
		t.Errorf("openapi is %v", doc["openapi"])
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok && lookup(doc, ref) == nil {
				t.Errorf("%s leads nowhere", ref)
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(doc)
	for path, methods := range doc["paths"].(map[string]any) {
		for method, o := range methods.(map[string]any) {
			o := o.(map[string]any)
			if o["summary"] == nil || o["tags"] == nil || len(o["responses"].(map[string]any)) < 2 {
				t.Errorf("%s %s is not described", method, path)
			}
		}
	}
	if codes, ok := doc["x-error-codes"].([]any); !ok || len(codes) != len(api.Codes()) {
		t.Errorf("x-error-codes: %v", doc["x-error-codes"])
	}
}

func lookup(doc map[string]any, ref string) any {
	var v any = doc
	for _, name := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

// TestReadiness: a process that drains, or whose records are gone, says that requests should go elsewhere; it is alive
// all the same, and what it cannot keep it does not accept.
func TestReadiness(t *testing.T) {
	t.Parallel()
	cfg := newConfig(t)
	a, err := app.Open(t.Context(), cfg, (&logs{}).logger())
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(a.Handler())
	defer srv.Close()
	status := func(path string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", srv.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+operatorKey)
		res, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode
	}
	for _, state := range []struct {
		name                      string
		enter                     func()
		ready, healthy, tenantsOK int
	}{
		{"open", func() {}, 200, 200, 200},
		{"draining", a.Drain, 503, 200, 200},
		{"closed", func() {
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		}, 503, 200, 500},
	} {
		state.enter()
		if r, h, o := status("/readyz"), status("/healthz"), status("/v1/tenants"); r != state.ready || h != state.healthy || o/100 != state.tenantsOK/100 {
			t.Errorf("%s: readyz %d, healthz %d, tenants %d", state.name, r, h, o)
		}
	}
}

// TestServe: the production entry point says when it is up and where, and stops within seconds of being told.
func TestServe(t *testing.T) {
	t.Parallel()
	cfg := newConfig(t)
	l := &logs{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- app.Serve(ctx, cfg, l) }()
	var url string
	eventually(t, "it says that it is up", func() error {
		for line := range strings.Lines(l.text()) {
			var e struct{ Msg, URL string }
			if json.Unmarshal([]byte(line), &e) == nil && e.Msg == "peal is up" {
				url = e.URL
			}
		}
		return want("said", url != "", true)
	})
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Get(url + "/readyz")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%+v, %v", res, err)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	cancel()
	told := time.Now()
	if err := <-ended; err != nil || time.Since(told) > 10*time.Second {
		t.Errorf("stopped after %v: %v", time.Since(told), err)
	}
	if !strings.Contains(l.text(), "peal has stopped") {
		t.Errorf("log:\n%s", l.text())
	}
}

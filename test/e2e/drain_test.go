package e2e_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"peal/internal/app"
)

// readiness is what /readyz says.
type readiness struct {
	Status   string
	Failing  []string
	Degraded []string
}

// TestDrainDelay: a Peal that is told to stop says so to load balancers first, and answers requests all the same until
// they have noticed.
func TestDrainDelay(t *testing.T) {
	t.Parallel()
	cfg := newConfig(t)
	cfg.DrainDelay = 10 * time.Second // far more than it takes to look, on a busy machine too
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
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // each request knocks at the door anew
	get := func(path, key string) (int, readiness) {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		res, err := c.Do(req)
		if err != nil {
			return 0, readiness{}
		}
		defer res.Body.Close()
		var r readiness
		if err := json.NewDecoder(res.Body).Decode(&r); err != nil {
			t.Error(err)
		}
		return res.StatusCode, r
	}
	cancel()
	told := time.Now()
	eventually(t, "it is not ready", func() error {
		status, r := get("/readyz", "")
		if status == http.StatusServiceUnavailable && !slices.Contains(r.Failing, "draining") {
			t.Errorf("it names %v", r.Failing)
		}
		return want("status", status, http.StatusServiceUnavailable)
	})
	if status, _ := get("/v1/tenants", operatorKey); status != http.StatusOK {
		t.Errorf("a request in that time is answered %d", status)
	}
	if err := <-ended; err != nil || time.Since(told) < cfg.DrainDelay {
		t.Errorf("it ended after %s: %v", time.Since(told), err)
	}
}

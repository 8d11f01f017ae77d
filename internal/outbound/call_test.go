package outbound_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"peal/api"
	"peal/internal/netguard"
	"peal/internal/outbound"
)

// TestAddresses: a name that leads to a private address is found out when it is dialed, a redirect is not followed, and plain
// http goes to the operator's own network alone.
func TestAddresses(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/here", http.StatusTemporaryRedirect)
		}
	}))
	defer srv.Close()
	b := setup(t, nil)
	b.endpoint("acme", "shop")
	try := func(guard *netguard.Guard, url string) (code string) {
		t.Helper()
		stage := outbound.New(outbound.Config{Guard: guard})
		defer stage.Close()
		service := outbound.NewService(outbound.ServiceConfig{
			Register: b.store, Listed: b.store, Switch: b.store, Replays: b.store, Log: b.store, Vault: b.vault, Guard: guard, Stage: stage,
		})
		if _, err := service.Update(t.Context(), "acme", "shop", &api.EndpointPatch{URL: &url}); err != nil {
			return err.Error()
		}
		a, err := service.Test(t.Context(), "acme", "shop")
		b.ok(err)
		return a.Code
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(srv.URL, "http://"), ":")
	if got := try(netguard.New(), "https://localhost:"+port+"/"); got != "address_refused" {
		t.Errorf("a name that leads inside: %s", got)
	}
	if got := try(netguard.New(netip.MustParsePrefix("10.0.0.0/8")), "http://localhost:"+port+"/"); got != "address_refused" {
		t.Errorf("plain http to what the allow-list does not have: %s", got)
	}
	if got := try(netguard.New(), "http://127.0.0.1:"+port+"/"); !strings.Contains(got, "give an https URL") {
		t.Errorf("plain http without an allow-list: %s", got)
	}
	if reached.Load() != 0 {
		t.Errorf("%d calls reached a refused address", reached.Load())
	}
	allowed := netguard.New(netip.MustParsePrefix("127.0.0.0/8"))
	if got := try(allowed, srv.URL+"/away"); got != "http_307" || reached.Load() != 1 {
		t.Errorf("a redirect: %s after %d calls", got, reached.Load())
	}
	if got := try(allowed, srv.URL+"/"); got != "" {
		t.Errorf("what the allow-list has: %s", got)
	}
	if got := try(allowed, "https://127.0.0.1:"+port+"/"); got != "tls" {
		t.Errorf("https to who does not speak it: %s", got)
	}
}

package fcm_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"peal/api"
	emulator "peal/emulator/fcm"
	"peal/internal/netguard"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/fcm"
)

// TestManySendersOneToken: a hundred at once, before the first token, and when it has been revoked.
func TestManySendersOneToken(t *testing.T) {
	t.Parallel()
	b := setup(t, emulator.Options{TokenLatency: 100 * time.Millisecond, Limits: emulator.NoLimits()})
	m := b.phone(emulator.Android, hello())
	for round := range 3 {
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if out := b.client.Send(t.Context(), m); out.Class != peal.ClassAccepted {
					t.Errorf("round %d: %+v", round, out)
				}
			})
		}
		wg.Wait()
		if c := b.emu.Counts(); c.Tokens != int64(round+1) || c.Accepted != int64(100*(round+1)) {
			t.Errorf("round %d: %d tokens, %d accepted", round, c.Tokens, c.Accepted)
		}
		b.emu.RevokeTokens(project)
	}
}

func TestTokenEndpointSays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault emulator.Fault
		want  peal.Outcome
		words string
	}{
		"gone":          {emulator.Fault{Failure: emulator.InvalidGrant}, stop("token_invalid_grant", peal.PauseCredentials), "key was deleted"},
		"unwell":        {emulator.Fault{Failure: emulator.InternalFailure}, later("token_internal_failure", 10*time.Second), "500"},
		"away":          {emulator.Fault{Status: 503, RetryAfter: "20"}, later("token_http_503", 20*time.Second), "503"},
		"busy":          {emulator.Fault{Status: 429}, slower("token_http_429", time.Minute, ""), "429"},
		"front end":     {emulator.Fault{Status: 403, Body: `{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}`}, stop("token_http_403", peal.PauseCredentials), "403"},
		"account":       {emulator.Fault{Status: 401, Body: `{"error":"invalid_client","error_description":"The OAuth client was not found."}`}, stop("token_invalid_client", peal.PauseCredentials), "was not found"},
		"redirect":      {emulator.Fault{Status: 302}, stop("token_http_302", peal.PauseBlocked), "redirect"},
		"no token":      {emulator.Fault{Status: 200, Body: `{}`}, later("token_answer", 10*time.Second), "without an access token"},
		"odd token":     {emulator.Fault{Status: 200, Body: `{"access_token":"a\r\nb"}`}, later("token_answer", 10*time.Second), "without an access token"},
		"another type":  {emulator.Fault{Status: 200, Body: `{"access_token":"a","token_type":"mac"}`}, later("token_answer", 10*time.Second), "without an access token"},
		"a page":        {emulator.Fault{Status: 200, Body: `<html>`}, later("token_answer", 10*time.Second), "without an access token"},
		"long":          {emulator.Fault{Status: 200, Body: strings.Repeat("x", 1<<17)}, later("token_answer", 10*time.Second), "without an access token"},
		"talks of keys": {emulator.Fault{Status: 400, Body: `{"error":"invalid_grant","error_description":"for sender@demo.iam.gserviceaccount.com 4f2a9c0d1e2b3a4f5a6b7c8d9e0f1a2b3c4d5e6f"}`}, stop("token_invalid_grant", peal.PauseCredentials), "for *** [token]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, emulator.Options{})
			m := b.phone(emulator.Android, hello())
			c.fault.Kind, c.fault.Route = emulator.FaultError, emulator.RouteToken
			b.fault(c.fault)
			out := b.client.Send(t.Context(), m)
			if !strings.Contains(out.Reason, c.words) || strings.Contains(out.Reason, "iam.gserviceaccount.com") {
				t.Errorf("reason %q, want %q in it", out.Reason, c.words)
			}
			out.Reason, out.Took = "", 0
			if out != c.want {
				t.Errorf("got  %+v\nwant %+v", out, c.want)
			}
			if h := b.client.Probe(t.Context()); h.OK || h.Reason == "" || h.State == "" {
				t.Errorf("Probe: %+v", h)
			}
			if n := b.emu.Counts().Arrived; n != 0 {
				t.Errorf("%d calls without a token", n)
			}
		})
	}
}

// TestRevokedKey: tokens that are out end with the key, and the next one is refused.
func TestRevokedKey(t *testing.T) {
	t.Parallel()
	b := setup(t, emulator.Options{})
	m := b.phone(emulator.Android, hello())
	if out := b.client.Send(t.Context(), m); out.Class != peal.ClassAccepted {
		t.Fatalf("%+v", out)
	}
	b.emu.RemoveServiceAccounts(project)
	b.emu.RevokeTokens(project)
	b.check(m, stop("token_invalid_grant", peal.PauseCredentials))
}

// TestWrongClock: Google's own time tells what is wrong.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	past := time.Now().Add(-3 * time.Hour)
	emu := emulator.New(emulator.Options{Clock: func() time.Time { return past }})
	t.Cleanup(emu.Close)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", past.UTC().Format(http.TimeFormat))
		emu.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	emu.SetURL(srv.URL)
	file := accountFile(srv.URL)
	if err := emu.AddServiceAccount([]byte(file)); err != nil {
		t.Fatal(err)
	}
	b := &bundle{T: t, emu: emu, in: &peal.Integration{BaseURL: srv.URL, Credentials: map[string]string{"service_account": file}}}
	out := b.open().Send(t.Context(), b.phone(emulator.Android, hello()))
	if out.Class != peal.ClassIntegration || out.Pause != peal.PauseCredentials || !strings.Contains(out.Reason, "clock differs from Google's by 3h0m") {
		t.Errorf("%+v", out)
	}
}

// TestTokenAddress: token_uri is in the file that a tenant gives, and goes where the guard lets it.
func TestTokenAddress(t *testing.T) {
	t.Parallel()
	b := setup(t, emulator.Options{})
	transport := netguard.New().Transport(netguard.Config{})
	t.Cleanup(transport.CloseIdleConnections)
	c, err := fcm.Kind{}.Open(b.in, provider.Env{Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	out := c.Send(t.Context(), b.phone(emulator.Android, api.Push{Body: "x"}))
	if out.Class != peal.ClassIntegration || out.Pause != peal.PauseBlocked || !strings.Contains(out.Reason, "token_uri") {
		t.Errorf("%+v", out)
	}
	if n := b.emu.Counts().Tokens; n != 0 {
		t.Error("it was called")
	}
}

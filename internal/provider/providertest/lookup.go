package providertest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"peal/internal/peal"
	"peal/internal/provider"
)

func testLookup(t *testing.T, s *Suite) {
	if len(s.Kind.Defaults().Checks) == 0 {
		t.Skip("the provider has no look-ups")
	}
	r := setup(t, s)
	out := r.send(t, t.Context())
	r.want(t, out, peal.ClassAccepted, 1, 1)
	ev, err := r.client.Lookup(t.Context(), out.MessageID)
	if err != nil {
		t.Fatal(err)
	}
	if ev.MessageID != out.MessageID || ev.MessageKey == "" {
		t.Errorf("got %+v, want both ids of message %s", ev, out.MessageID)
	}
	if ev.Status != "" && ev.Status != peal.Failed && ev.Status.Rank() < peal.Sent.Rank() {
		t.Errorf("a look-up does not say %s", ev.Status)
	}
	r.wantError(t, t.Context(), "999999999999", peal.ClassPermanent)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	r.wantError(t, ended, out.MessageID, peal.ClassTemporary)
	for status, class := range map[int]peal.Class{
		http.StatusInternalServerError: peal.ClassTemporary,
		http.StatusTooManyRequests:     peal.ClassThrottled,
		http.StatusUnauthorized:        peal.ClassIntegration,
	} {
		r.server.Fail(t, Failure{Mode: ModeStatus, Status: status, Everywhere: true})
		r.wantError(t, t.Context(), out.MessageID, class)
		if h := r.client.Probe(t.Context()); h.OK || h.Reason == "" {
			t.Errorf("status %d: Probe says %+v", status, h)
		}
	}
	if n := r.server.Taken(); n != 1 || r.sends.Load() != 1 {
		t.Errorf("looking up has sent something: %d calls, %d taken", r.sends.Load(), n)
	}
}

func (r *rig) wantError(t *testing.T, ctx context.Context, id string, class peal.Class) {
	t.Helper()
	_, err := r.client.Lookup(ctx, id)
	var e *provider.Error
	if !errors.As(err, &e) || e.Class != class || e.Code == "" {
		t.Errorf("got %#v, want a *provider.Error of class %s", err, class)
		return
	}
	r.suite.checkDiscreet(t, r.in, fmt.Sprintf("%v %+v", err, e))
}

package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"peal/api"
	"peal/client"
)

// TestDryRun: it tells what would be sent, is refused as the real one is, and leaves no trace.
func TestDryRun(t *testing.T) {
	t.Parallel()
	w := setup(t)
	const dry = post + "?dry_run=true"
	to := phone()
	body := strings.ReplaceAll(saying(`{"text":"hi"}`), "PHONE", to)
	for range 2 {
		a := w.do(t, http.MethodPost, dry, w.key, body, "Idempotency-Key", "the-key-of-a-dry-run")
		var out api.DryRun
		a.decode(t, &out)
		if a.status != http.StatusOK || len(out.Deliveries) != 1 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		d := out.Deliveries[0]
		if d.Status != "queued" || d.Recipient != to || d.IntegrationID != w.integration.ID || d.Request == nil ||
			!strings.HasSuffix(d.Request.URL, "/send-message") || d.Request.Header["Authorization"] != "" {
			t.Errorf("%s", a.body)
		}
		if diff := cmp.Diff(decoded(t, `{"to":"`+to+`","text":"hi"}`), decoded(t, string(d.Request.Body))); diff != "" {
			t.Errorf("what would be sent (-want +got):\n%s", diff)
		}
	}
	if got, err := w.peal.DeliveryPage(t.Context(), client.DeliveryQuery{Recipient: to}); err != nil || len(got.Deliveries) != 0 {
		t.Errorf("it left %+v, %v", got, err)
	}
	sent, err := w.peal.Send(t.Context(), func() api.NotificationRequest {
		req := text(to, "something else")
		req.IdempotencyKey = "the-key-of-a-dry-run"
		return req
	}())
	if err != nil || sent.Replayed {
		t.Errorf("the key of a dry run was used: %+v, %v", sent, err)
	}
	nobody, err := w.peal.DryRun(t.Context(), api.NotificationRequest{Recipient: api.Recipient{UserID: "nobody-knows"}, Content: text(to, "x").Content, Integration: "wa"})
	if err != nil || len(nobody.Deliveries) != 1 || nobody.Deliveries[0].Status != "skipped" || nobody.Deliveries[0].Reason != "no_phone" || nobody.Deliveries[0].Request != nil {
		t.Errorf("nobody: %+v, %v", nobody, err)
	}
	for query, path := range map[string]string{"?dry_run=yes": "dry_run", "?dry_run": "dry_run", "?dry_run=true&dry_run=false": "dry_run", "?dry_run=true;": "dry_run", "?dryrun=true": "dryrun"} {
		a := w.do(t, http.MethodPost, post+query, w.key, body)
		if p := a.problem(t); a.status != 422 || len(p.Errors) != 1 || p.Errors[0].Path != path {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
	if a := w.do(t, http.MethodPost, dry, w.key, strings.ReplaceAll(saying(`{"text":""}`), "PHONE", to)); a.status != 422 || a.problem(t).Errors[0].Path != "content.text" {
		t.Errorf("a dry run of what is wrong: %d %s", a.status, a.body)
	}
	if a := w.do(t, http.MethodPost, dry, w.key, strings.ReplaceAll(saying(`{"push":{"body":"x"}}`), "PHONE", to)); a.status != 422 {
		t.Errorf("a push over WhatsApp: %d %s", a.status, a.body)
	}
}

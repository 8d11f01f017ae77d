package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"peal/api"
)

// TestEventConflict: who said nothing of a key is told what stood for it.
func TestEventConflict(t *testing.T) {
	t.Parallel()
	w := silent(t)
	event := strings.ReplaceAll(with(`"event":{"type":"order.shipped","occurred_at":"2026-11-21T09:30:00Z"}`), "PHONE", phone())
	if a := w.do(t, http.MethodPost, post, w.key, event); a.status != http.StatusAccepted {
		t.Fatalf("%d %s", a.status, a.body)
	}
	a := w.do(t, http.MethodPost, post, w.key, strings.Replace(event, `"hi"`, `"ho"`, 1))
	p := a.problem(t)
	if a.status != http.StatusUnprocessableEntity || p.Code != api.CodeIdempotencyConflict || len(p.Errors) != 1 || p.Errors[0].Path != "event" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestEmptyKey: an empty key is a caller's mistake that would cost it a double.
func TestEmptyKey(t *testing.T) {
	t.Parallel()
	w := silent(t)
	good := body(phone(), "hi")
	for path, body := range map[string]string{post: good, post + "/batch": `{"notifications":[` + good + `]}`} {
		a := w.do(t, http.MethodPost, path, w.key, body, "Idempotency-Key", "")
		if p := a.problem(t); a.status != http.StatusUnprocessableEntity || p.Code != api.CodeInvalidRequest {
			t.Errorf("POST %s: %d %s", path, a.status, a.body)
		}
	}
}

package e2e_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"peal/api"
	"peal/internal/config"
)

// unsent posts a body of which nothing ever comes, and gives the answer.
func (s *server) unsent(t *testing.T, path string) answer {
	t.Helper()
	r, w := io.Pipe()
	defer w.Close() //nolint:errcheck // a pipe's never fails
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path, r)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, b}
}

// TestStrangersHook: an address that nobody was given is answered before a byte of the body is read.
func TestStrangersHook(t *testing.T) {
	t.Parallel()
	w := silent(t)
	token := w.integration.WebhookURL[strings.LastIndex(w.integration.WebhookURL, "/")+1:]
	for _, path := range []string{"/hooks/wasender/" + nobody, "/hooks/other/" + token} {
		if a := w.unsent(t, path); a.status != http.StatusNotFound || a.problem(t).Code != api.CodeNotFound {
			t.Errorf("POST %s: %d %s", path, a.status, a.body)
		}
	}
}

// TestSmallAcceptQueue: a batch gets in however small the queue is.
func TestSmallAcceptQueue(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *config.Config) { c.AcceptQueue = 1 })
	if _, err := s.operator(t).CreateTenant(t.Context(), api.TenantRequest{ID: "small", Name: "Small"}); err != nil {
		t.Fatal(err)
	}
	a := s.do(t, http.MethodPost, post+"/batch", s.adminKey(t, "small").Secret, `{"notifications":[`+body(phone(), "hi")+`]}`)
	if a.status != http.StatusAccepted {
		t.Errorf("%d %s", a.status, a.body)
	}
}

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

// TestStrangersBody: without a good key a body is neither read nor judged.
func TestStrangersBody(t *testing.T) {
	t.Parallel()
	w := silent(t)
	for _, o := range w.operations(t) {
		path := strings.Replace(o.path, "{id}", nobody, 1)
		for _, key := range []string{"", "peal_x"} {
			a := w.do(t, o.method, path+"?nonsense=1", key, `{"nonsense":`)
			if p := a.problem(t); a.status != http.StatusUnauthorized || p.Errors != nil {
				t.Errorf("%s %s with the key %q: %d %s", o.method, path, key, a.status, a.body)
			}
		}
		if o.method == http.MethodPost {
			if a := w.unsent(t, path); a.status != http.StatusUnauthorized {
				t.Errorf("POST %s without a body: %d %s", path, a.status, a.body)
			}
		}
	}
}

// TestScheme: the name of an authentication scheme is in any case (RFC 9110, section 11.1).
func TestScheme(t *testing.T) {
	t.Parallel()
	w := silent(t)
	for _, tt := range []struct {
		header string
		status int
	}{
		{"bearer " + w.key, 200}, {"BEARER " + w.key, 200}, {"Bearer", 401}, {"Bearer ", 401}, {w.key, 401}, {"Basic " + w.key, 401},
	} {
		if a := w.do(t, http.MethodGet, "/v1/keys", "", "", "Authorization", tt.header); a.status != tt.status {
			t.Errorf("%.8q: %d %s", tt.header, a.status, a.body)
		}
	}
}

// TestKeyTimes: a key's end is ahead, and a time that can be told.
func TestKeyTimes(t *testing.T) {
	t.Parallel()
	w := silent(t)
	for _, end := range []string{"2020-01-01T00:00:00Z", "9999-12-31T23:30:00-01:00", "0001-01-01T00:00:00Z"} {
		a := w.do(t, http.MethodPost, "/v1/keys", w.key, `{"name":"k","scopes":["read"],"expires_at":"`+end+`"}`)
		if p := a.problem(t); a.status != http.StatusUnprocessableEntity || len(p.Errors) != 1 || p.Errors[0].Path != "expires_at" {
			t.Errorf("%s: %d %s", end, a.status, a.body)
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

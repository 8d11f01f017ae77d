package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"peal/api"

	"github.com/google/go-cmp/cmp"
)

// seen is one request as the fake server saw it.
type seen struct {
	Method, URI, Body string
	Header            http.Header
}

// fake is a server that answers every request with the same answer and remembers the last request.
type fake struct {
	status int
	header http.Header
	body   string
	last   seen
	count  int
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.last = seen{r.Method, r.RequestURI, string(body), r.Header}
	f.count++
	for name, values := range f.header {
		w.Header()[name] = values
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(f.status)
	_, _ = io.WriteString(w, f.body)
}

// setup starts a fake that answers body with status, and a client for it.
func setup(t *testing.T, status int, body string, opts ...Option) (*Client, *fake) {
	t.Helper()
	f := &fake{status: status, body: body, header: http.Header{}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	c, err := New(server.URL+"/", "key-1", opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c, f
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "127.0.0.1:7325", "ftp://x", "http://", "http://u:hush@x", "http://x?y", "://"} {
		if _, err := New(base, ""); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("New(%q): error %v, want one without a password", base, err)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	c, f := setup(t, 200, `{}`, WithTenant("acme"), WithUserAgent("mine/1"))
	if _, err := c.UpdateTenant(t.Context(), "a", api.TenantPatch{}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Authorization": "Bearer key-1", "Peal-Tenant": "acme", "User-Agent": "mine/1", "Content-Type": "application/json", "Idempotency-Key": "",
	} {
		if got := f.last.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestProblem(t *testing.T) {
	t.Parallel()
	want := &api.Problem{
		Type: "https://x/invalid_request", Title: "A field is wrong", Status: 422, Code: api.CodeInvalidRequest,
		Errors: []api.FieldError{{Path: "recipient.phone", Code: "invalid", Message: "write it in E.164"}}, RequestID: "r1",
	}
	body, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	c, f := setup(t, 422, string(body))
	f.header.Set("Content-Type", "application/problem+json; charset=utf-8")
	_, err = c.Send(t.Context(), api.NotificationRequest{})
	got, ok := errors.AsType[*api.Problem](err)
	if !ok {
		t.Fatalf("%v is no Problem", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Problem (-want +got):\n%s", diff)
	}
	if want := "POST /v1/notifications: A field is wrong; recipient.phone: write it in E.164"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}

func TestForeignErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status       int
		name, value  string
		body, detail string
	}{
		{502, "Content-Type", "text/html", "<h1>Bad\n  Gateway</h1>", "<h1>Bad Gateway</h1>"},
		{500, "Content-Type", api.ProblemType, "not JSON", "not JSON"},
		{404, "Content-Type", "text/plain", "\xff\xfe", ""},
		{404, "Content-Type", "text/plain", strings.Repeat("x", 1000), strings.Repeat("x", maxErrorText) + "…"},
		{308, "Location", "https://else.example/", "", "it redirects to https://else.example/; use that address"},
	} {
		c, f := setup(t, tt.status, tt.body)
		f.header.Set(tt.name, tt.value)
		_, err := c.Keys(t.Context())
		p, ok := errors.AsType[*api.Problem](err)
		if !ok || p.Status != tt.status || p.Code != "" || p.Detail != tt.detail {
			t.Errorf("%d %q: %#v, %v", tt.status, tt.body, p, err)
		}
	}
}

func TestOddSuccess(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, 200, "<html>")
	if _, err := c.Keys(t.Context()); err == nil || !strings.Contains(err.Error(), "is the URL right?") {
		t.Errorf("HTML: error %v", err)
	}
	c, _ = setup(t, 200, strings.Repeat(" ", maxAnswer+1))
	if _, err := c.Keys(t.Context()); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("endless answer: error %v", err)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	c, f := setup(t, 503, `{}`)
	f.header.Set("Retry-After", "7")
	_, err := c.Keys(t.Context())
	if got := RetryAfter(err); got != 7*time.Second {
		t.Errorf("RetryAfter(%v) = %v", err, got)
	}
	if got := RetryAfter(errNoID); got != 0 {
		t.Errorf("RetryAfter of another error = %v", got)
	}
	header := http.Header{"Retry-After": {time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}}
	if got := retryAfter(header); got < 59*time.Minute || got > time.Hour {
		t.Errorf("a date in an hour = %v", got)
	}
}

func TestEmptyID(t *testing.T) {
	t.Parallel()
	c, f := setup(t, 200, `{}`)
	for _, id := range []string{"", ".", ".."} {
		_, err := c.Delivery(t.Context(), id)
		if !errors.Is(err, errNoID) {
			t.Errorf("Delivery(%q): %v", id, err)
		}
		if err := c.DeleteUser(t.Context(), id); !errors.Is(err, errNoID) {
			t.Errorf("DeleteUser(%q): %v", id, err)
		}
	}
	if f.count != 0 {
		t.Errorf("%d requests went out", f.count)
	}
}

func TestNewUser(t *testing.T) {
	t.Parallel()
	_, f := setup(t, 200, `{"user_id":"raju","web_push":[]}`)
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	tokens := []string{"first", "second", ""}
	c, err := NewUser(server.URL, func(context.Context) (string, error) {
		token := tokens[0]
		tokens = tokens[1:]
		if token == "" {
			return "", errors.New("the backend is away")
		}
		return token, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"first", "second"} {
		if got, err := c.ClientConfig(t.Context()); err != nil || got.UserID != "raju" || f.last.Header.Get("Authorization") != "Bearer "+want {
			t.Errorf("%+v, %v, with %q", got, err, f.last.Header.Get("Authorization"))
		}
	}
	if _, err := c.ClientConfig(t.Context()); err == nil || !strings.Contains(err.Error(), "the backend is away") {
		t.Errorf("without a token: %v", err)
	}
}

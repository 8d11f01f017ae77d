package client

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"peal/api"
)

// TestEvents: a stream that breaks is taken up again where it was, and what is refused for good ends it.
func TestEvents(t *testing.T) {
	t.Parallel()
	answers := []string{
		"retry: 1\nid: 3\n\n:\n\nid: 5\nevent: delivery.sent\ndata: {\"id\":\"evt_5\",\"type\":\"delivery.sent\",\"timestamp\":\"2026-01-02T03:04:05Z\",\"data\":{\"status\":\"sent\"}}\n\nid: 6\nevent: deli",
		"503",
		"id: 7\r\nevent: reset\r\ndata: {}\r\n\r\nid: 9\ndata: {\"id\":\"evt_9\",\ndata: \"type\":\"x\"}\n\n",
		":\nid: 11\n\n",
		"401",
	}
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		switch a := answers[len(asked)-1]; a {
		case "503", "401":
			w.Header().Set("Content-Type", api.ProblemType)
			w.WriteHeader(map[string]int{"503": 503, "401": 401}[a])
			_, _ = io.WriteString(w, `{"status":`+a+`,"code":"c`+a+`"}`)
		default:
			_, _ = io.WriteString(w, a)
		}
	}))
	defer server.Close()
	c, err := New(server.URL, "key")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	troubles := 0
	q := EventQuery{Types: []string{"delivery.*", "x"}, Integration: "wa", Trouble: func(error) { troubles++ }}
	for e, err := range c.Events(t.Context(), q) {
		if err != nil {
			p, ok := errors.AsType[*api.Problem](err)
			if !ok || p.Code != "c401" {
				t.Errorf("it ended with %v", err)
			}
			got = append(got, "end")
			continue
		}
		what := e.ID + "@" + e.Position
		if e.Reset {
			what = "reset@" + e.Position
		}
		got = append(got, what)
	}
	if diff := cmp.Diff([]string{"evt_5@5", "reset@7", "evt_9@9", "end"}, got); diff != "" {
		t.Error(diff)
	}
	rest := "integration=wa&type=delivery.%2A&type=x"
	if diff := cmp.Diff([]string{rest, "after=5&" + rest, "after=5&" + rest, "after=9&" + rest, "after=11&" + rest}, asked); diff != "" {
		t.Error(diff)
	}
	if troubles != 1 {
		t.Errorf("%d troubles were told, want that of the 503", troubles)
	}
}

package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"peal/api"

	"github.com/google/go-cmp/cmp"
)

func TestSend(t *testing.T) {
	t.Parallel()
	c, f := setup(t, 202, `{"id":"ntf_1","created_at":"2026-01-02T03:04:05Z","deliveries":[{"id":"dlv_1","status":"queued"}]}`)
	f.header.Set("Idempotent-Replayed", "true")
	text := "hi"
	req := api.NotificationRequest{Recipient: api.Recipient{Phone: "+4915"}, Content: api.Content{Text: &text}, IdempotencyKey: "order-1"}
	got, err := c.Send(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	want := &Sent{Replayed: true, Accepted: api.Accepted{
		ID: "ntf_1", CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Deliveries: []api.AcceptedDelivery{{ID: "dlv_1", Status: "queued"}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Send (-want +got):\n%s", diff)
	}
	if f.last.Method+" "+f.last.URI != "POST /v1/notifications" || f.last.Header.Get("Idempotency-Key") != "order-1" {
		t.Errorf("request %+v", f.last)
	}
	if want := `{"recipient":{"phone":"+4915"},"content":{"text":"hi"}}`; f.last.Body != want {
		t.Errorf("body %s, want %s", f.last.Body, want)
	}
}

func TestSendBatch(t *testing.T) {
	t.Parallel()
	c, f := setup(t, 202, `{"accepted":1,"refused":1,"results":[{"status":202,"notification":{"id":"n"}},{"status":422,"error":{"code":"invalid_request"}}]}`, WithRetries(1))
	reqs := []api.NotificationRequest{{IdempotencyKey: "mine"}, {}, {Event: &api.EventRef{Type: "x"}}}
	got, err := c.SendBatch(t.Context(), reqs)
	if err != nil || got.Accepted != 1 || got.Refused != 1 || got.Results[1].Error.Code != api.CodeInvalidRequest {
		t.Errorf("%+v, %v", got, err)
	}
	var sent api.BatchRequest
	if err := json.Unmarshal([]byte(f.last.Body), &sent); err != nil || f.last.URI != "/v1/notifications/batch" {
		t.Fatal(f.last, err)
	}
	keys := []string{sent.Notifications[0].IdempotencyKey, sent.Notifications[1].IdempotencyKey, sent.Notifications[2].IdempotencyKey}
	if keys[0] != "mine" || len(keys[1]) < 20 || keys[2] != "" {
		t.Errorf("keys %q, want mine, one made up, and none beside an event", keys)
	}
	if reqs[1].IdempotencyKey != "" {
		t.Error("the caller's slice was changed")
	}
}

// answers is a transport without a network: it gives one answer after the other and remembers what it was asked.
type answers struct {
	script []func() (*http.Response, error)
	keys   []string
	bodies []string
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a.keys = append(a.keys, r.Header.Get("Idempotency-Key"))
	a.bodies = append(a.bodies, string(body))
	next := a.script[0]
	a.script = a.script[1:]
	return next()
}

func answer(status int, retryAfter string) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		w := httptest.NewRecorder()
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"id":"ntf_1"}`)
		return w.Result(), nil
	}
}

func broken() (*http.Response, error) { return nil, errors.New("connection refused") }

func TestRetries(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		retries   int
		key       string
		script    []func() (*http.Response, error)
		wantCalls int
		wantErr   string
		wantWait  time.Duration // at least
	}{
		{"off", 0, "", []func() (*http.Response, error){answer(503, "")}, 1, "503", 0},
		{"503, refused, accepted", 3, "mine", []func() (*http.Response, error){answer(503, "3"), broken, answer(202, "")}, 3, "", 3 * time.Second},
		{"made-up key", 1, "", []func() (*http.Response, error){broken, answer(202, "")}, 2, "", 100 * time.Millisecond},
		{"exhausted", 2, "", []func() (*http.Response, error){broken, broken, broken}, 3, "connection refused", 200 * time.Millisecond},
		{"not for 500", 2, "", []func() (*http.Response, error){answer(500, "")}, 1, "500", 0},
		{"not for 422", 2, "", []func() (*http.Response, error){answer(422, "")}, 1, "422", 0},
		{"not when asked to wait too long", 2, "", []func() (*http.Response, error){answer(503, "3600")}, 1, "503", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				transport := &answers{script: tt.script}
				c, err := New("http://peal.test", "", WithHTTPClient(&http.Client{Transport: transport}), WithRetries(tt.retries))
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				_, err = c.Send(t.Context(), api.NotificationRequest{IdempotencyKey: tt.key})
				if (err == nil) != (tt.wantErr == "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("error %v, want %q", err, tt.wantErr)
				}
				if len(transport.keys) != tt.wantCalls {
					t.Errorf("%d calls, want %d", len(transport.keys), tt.wantCalls)
				}
				if took := time.Since(start); took < tt.wantWait || took > tt.wantWait+time.Minute {
					t.Errorf("waited %v, want at least %v", took, tt.wantWait)
				}
				for i, key := range transport.keys {
					if tt.retries > 0 && key == "" || key != transport.keys[0] || transport.bodies[i] != transport.bodies[0] {
						t.Errorf("try %d: key %q and body %s differ from the first", i, key, transport.bodies[i])
					}
				}
			})
		})
	}
}

func TestDeliveriesWalk(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("cursor") {
		case "":
			_, _ = fmt.Fprint(w, `{"deliveries":[{"id":"d1"},{"id":"d2"}],"next_cursor":"c2"}`)
		case "c2":
			_, _ = fmt.Fprint(w, `{"deliveries":[],"next_cursor":"c3"}`)
		case "c3":
			_, _ = fmt.Fprint(w, `{"deliveries":[{"id":"d3"}]}`)
		default:
			_, _ = fmt.Fprint(w, `{"deliveries":[],"next_cursor":"stuck"}`)
		}
	}))
	t.Cleanup(server.Close)
	c, err := New(server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for d, err := range c.Deliveries(t.Context(), DeliveryQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, d.ID)
	}
	if diff := cmp.Diff([]string{"d1", "d2", "d3"}, ids); diff != "" {
		t.Errorf("walk (-want +got):\n%s", diff)
	}
	for d, err := range c.DeadLetters(t.Context(), DeadLetterQuery{Cursor: "stuck"}) {
		if !errors.Is(err, errSameCursor) {
			t.Errorf("%v, %v; want an end of the endless walk", d, err)
		}
	}
	for range c.Deliveries(t.Context(), DeliveryQuery{}) {
		break
	}
}

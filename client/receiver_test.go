package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"peal/api"
)

// TestReceiver takes what the scheme's own library signs, and nothing else.
func TestReceiver(t *testing.T) {
	t.Parallel()
	const secret, other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
	const body = `{"id":"evt_1","type":"delivery.read","timestamp":"2026-01-02T03:04:05Z","data":{"delivery_id":"d1"}}`
	lib, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	sign := func(at time.Time, by *standardwebhooks.Webhook) http.Header {
		t.Helper()
		s, err := by.Sign("evt_1", at, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return http.Header{
			"Webhook-Id": {"evt_1"}, "Webhook-Timestamp": {strconv.FormatInt(at.Unix(), 10)}, "Webhook-Signature": {"v1a,xyz v1,AAAA " + s},
		}
	}
	for name, c := range map[string]struct {
		secrets []string
		header  http.Header
		body    string
		want    error
	}{
		"good":               {[]string{secret}, sign(now, lib), body, nil},
		"by the second":      {[]string{other, secret}, sign(now, lib), body, nil},
		"by another":         {[]string{other}, sign(now, lib), body, ErrNotSigned},
		"another body":       {[]string{secret}, sign(now, lib), body + " ", ErrNotSigned},
		"old":                {[]string{secret}, sign(now.Add(-6*time.Minute), lib), body, ErrNotSigned},
		"of the future":      {[]string{secret}, sign(now.Add(6*time.Minute), lib), body, ErrNotSigned},
		"without headers":    {[]string{secret}, http.Header{}, body, ErrNotSigned},
		"without a body":     {[]string{secret}, sign(now, lib), "", ErrNotSigned},
		"a strange time":     {[]string{secret}, http.Header{"Webhook-Id": {"x"}, "Webhook-Timestamp": {"now"}}, body, ErrNotSigned},
		"without signatures": {[]string{secret}, http.Header{"Webhook-Id": {"x"}, "Webhook-Timestamp": {strconv.FormatInt(now.Unix(), 10)}}, body, ErrNotSigned},
	} {
		r, err := NewReceiver(c.secrets...)
		if err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(c.body))
		req.Header = c.header
		e, err := r.Read(req)
		if !errors.Is(err, c.want) || (err == nil && (e.ID != "evt_1" || e.Type != "delivery.read")) {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	for _, bad := range [][]string{nil, {"whsec_"}, {"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, {"whsec_c2hvcnQ="}, {"whsec_!"}} {
		if _, err := NewReceiver(bad...); err == nil {
			t.Errorf("%v are taken for secrets", bad)
		}
	}
}

// TestSignWebhook: the scheme's own library takes what we sign.
func TestSignWebhook(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	key, err := api.WebhookKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	lib, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{`{"a":"é"}`, "", strings.Repeat("x", 1<<16)} {
		h := http.Header{}
		h.Set(api.WebhookIDHeader, "msg_1")
		h.Set(api.WebhookTimestampHeader, strconv.FormatInt(now.Unix(), 10))
		h.Set(api.WebhookSignatureHeader, "v1,AAAA "+api.SignWebhook(key, "msg_1", now, []byte(body)))
		if err := lib.Verify([]byte(body), h); err != nil {
			t.Errorf("%d bytes: %v", len(body), err)
		}
	}
}

// signed is a request as Peal makes it.
func signed(secret, id, body string) *http.Request {
	req := httptest.NewRequest(http.MethodPost, "/hooks/peal", strings.NewReader(body))
	key, err := api.WebhookKey(secret)
	if err != nil {
		panic(err)
	}
	now := time.Now()
	req.Header.Set(api.WebhookIDHeader, id)
	req.Header.Set(api.WebhookTimestampHeader, strconv.FormatInt(now.Unix(), 10))
	req.Header.Set(api.WebhookSignatureHeader, api.SignWebhook(key, id, now, []byte(body)))
	return req
}

// ExampleReceiver takes the calls of an endpoint.
func ExampleReceiver() {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // peal endpoint add shows it
	receiver, err := NewReceiver(secret)
	if err != nil {
		fmt.Println(err)
		return
	}
	hook := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := receiver.Read(r)
		if err != nil {
			http.Error(w, "not for us", http.StatusUnauthorized)
			return
		}
		fmt.Println(event.ID, event.Type) // keep it by its id; slow work is for later
		w.WriteHeader(http.StatusNoContent)
	})
	answer := httptest.NewRecorder()
	hook.ServeHTTP(answer, signed(secret, "evt_4", `{"id":"evt_4","type":"delivery.sent","timestamp":"2026-01-02T03:04:05Z","data":{}}`))
	fmt.Println(answer.Code)
	// Output:
	// evt_4 delivery.sent
	// 204
}

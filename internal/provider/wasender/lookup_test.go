package wasender

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
)

const documentedInfo = `{"success":true,"data":{"remoteJid":"919812345678@s.whatsapp.net","id":"KEY1","msgId":100000,
"key":{"id":"KEY1","fromMe":true,"remoteJid":"919812345678@s.whatsapp.net"},"message":{"conversation":"x"},
"messageTimestamp":"1751297488","status":2}}`

func TestLookup(t *testing.T) {
	t.Parallel()
	at := time.Unix(1751297488, 0).UTC()
	failed := peal.Evidence{MessageKey: "K", Status: peal.Failed, Code: "provider_error", Reason: reasonProviderError}
	for name, c := range map[string]struct {
		body string
		want peal.Evidence // without MessageID
	}{
		"documented":        {documentedInfo, peal.Evidence{MessageKey: "KEY1", Status: peal.Sent, At: at}},
		"milliseconds":      {`{"data":{"key":{"id":"K"},"messageTimestamp":1751297488123,"status":2}}`, peal.Evidence{MessageKey: "K", Status: peal.Sent, At: at.Add(123 * time.Millisecond)}},
		"ms as string":      {`{"data":{"key":{"id":"K"},"messageTimestamp":"1751297488000","status":"SERVER_ACK"}}`, peal.Evidence{MessageKey: "K", Status: peal.Sent, At: at}},
		"pending":           {`{"data":{"key":{"id":"K"},"messageTimestamp":1751297488,"status":1}}`, peal.Evidence{MessageKey: "K", At: at}},
		"error":             {`{"data":{"key":{"id":"K"},"messageTimestamp":1751297488,"status":0}}`, failed},
		"error as word":     {`{"data":{"key":{"id":"K"},"status":"failed"}}`, failed},
		"delivered":         {`{"data":{"key":{"id":"K"},"messageTimestamp":1751297488,"status":3}}`, peal.Evidence{MessageKey: "K", Status: peal.Delivered}},
		"read":              {`{"data":{"key":{"id":"K"},"status":4}}`, peal.Evidence{MessageKey: "K", Status: peal.Read}},
		"played":            {`{"data":{"key":{"id":"K"},"status":"5"}}`, peal.Evidence{MessageKey: "K", Status: peal.Read}},
		"no key":            {`{"success":true,"data":{"status":"in_progress","key":null}}`, peal.Evidence{}},
		"odd status":        {`{"success":true,"data":{"status":99,"key":{"id":"K"}}}`, peal.Evidence{MessageKey: "K"}},
		"odd types":         {`{"success":1,"data":{"status":3,"key":{"id":{},"fromMe":7},"messageTimestamp":[]}}`, peal.Evidence{Status: peal.Delivered}},
		"no time":           {`{"data":{"key":{"id":"K"},"messageTimestamp":"yesterday","status":2}}`, peal.Evidence{MessageKey: "K", Status: peal.Sent}},
		"key with newlines": {`{"data":{"key":{"id":"K\n"},"status":2}}`, peal.Evidence{Status: peal.Sent}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cl := open(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || r.URL.Path != "/api/messages/100000/info" || r.Header.Get("Authorization") != "Bearer "+testKey {
					t.Errorf("got %s %s", r.Method, r.URL)
				}
				_, _ = io.WriteString(w, c.body)
			})
			got, err := cl.Lookup(t.Context(), "100000")
			c.want.MessageID = "100000"
			if err != nil || got != c.want {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, c.want)
			}
		})
	}
}

func TestLookupFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		class  peal.Class
		code   string
		wait   time.Duration
	}{
		{200, ``, peal.ClassTemporary, "bad_answer", 0},
		{200, `[]`, peal.ClassTemporary, "bad_answer", 0},
		{200, `{"success":true,"data":{}}`, peal.ClassTemporary, "bad_answer", 0},
		{200, `{"success":false,"message":"` + testPhone + `"}`, peal.ClassTemporary, "rejected", 0},
		{301, ``, peal.ClassIntegration, "redirect", 0},
		{400, ``, peal.ClassPermanent, "validation", 0},
		{401, ``, peal.ClassIntegration, "unauthorized", 0},
		{402, ``, peal.ClassIntegration, "payment_required", 0},
		{403, ``, peal.ClassIntegration, "forbidden", 0},
		{404, `{"success":false,"message":"Message not found"}`, peal.ClassPermanent, "not_found", 0},
		{409, ``, peal.ClassTemporary, "http_409", 0},
		{422, ``, peal.ClassPermanent, "validation", 0},
		{429, `{"retry_after":30}`, peal.ClassThrottled, "throttled", 30 * time.Second},
		{500, ``, peal.ClassTemporary, "http_500", 0},
		{503, `{"retry_after":2}`, peal.ClassTemporary, "http_503", 2 * time.Second},
		{504, ``, peal.ClassTemporary, "http_504", 0},
	} {
		cl := open(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		_, err := cl.Lookup(t.Context(), "100000")
		var e *provider.Error
		if !errors.As(err, &e) || e.Class != c.class || e.Code != c.code || e.RetryAfter != c.wait {
			t.Errorf("%d %s: got %#v", c.status, c.body, err)
		} else if s := err.Error(); strings.Contains(s, testPhone) || strings.Contains(s, testKey) {
			t.Errorf("%d: the error gives away what it must not: %s", c.status, s)
		}
	}
}

func TestLookupOfWhatIsNoID(t *testing.T) {
	t.Parallel()
	c := open(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("a call was made: %s", r.URL) })
	for _, id := range []string{"", ".", "..", "1/2", "1?x", "a b", "1%2f", strings.Repeat("1", 129), "ü"} {
		_, err := c.Lookup(t.Context(), id)
		var e *provider.Error
		if !errors.As(err, &e) || e.Class != peal.ClassPermanent {
			t.Errorf("%q: got %v", id, err)
		}
	}
}

func TestLookupWithoutAnswer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := open(t, func(http.ResponseWriter, *http.Request) {}).Lookup(ctx, "1")
	var e *provider.Error
	if !errors.As(err, &e) || e.Class != peal.ClassTemporary || e.Code != "canceled" {
		t.Errorf("got %v", err)
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		want   provider.Health
	}{
		{200, `{"status":"connected"}`, provider.Health{OK: true, State: "connected"}},
		{200, `{"status":"CONNECTED"}`, provider.Health{OK: true, State: "connected"}},
		{200, `{"success":true,"data":{"status":"Connected"}}`, provider.Health{OK: true, State: "connected"}},
		{200, `{"status":"need_scan"}`, provider.Health{State: "need_scan", Reason: "the session is need_scan"}},
		{200, `{"status":"need scan"}`, provider.Health{Reason: "bad_answer: " + errNotJSON.Error()}},
		{200, `{"success":true,"data":{"status":"LOGGED_OUT","qrCode":"2@DTMU"}}`, provider.Health{State: "logged_out", Reason: "the session is logged_out"}},
		{200, `{"status":true}`, provider.Health{Reason: "bad_answer: " + errNotJSON.Error()}},
		{200, `{"status":"919812345678"}`, provider.Health{Reason: "bad_answer: " + errNotJSON.Error()}},
		{200, `connected`, provider.Health{Reason: "bad_answer: " + errNotJSON.Error()}},
		{401, `{"status":"connected"}`, provider.Health{Reason: "unauthorized: the provider answered 401 Unauthorized"}},
		{503, ``, provider.Health{Reason: "http_503: the provider answered 503 Service Unavailable"}},
	} {
		cl := open(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || r.URL.Path != "/api/status" || r.Header.Get("Authorization") != "Bearer "+testKey {
				t.Errorf("got %s %s", r.Method, r.URL)
			}
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		if got := cl.Probe(t.Context()); got != c.want {
			t.Errorf("%d %s: got %+v, want %+v", c.status, c.body, got, c.want)
		}
	}
}

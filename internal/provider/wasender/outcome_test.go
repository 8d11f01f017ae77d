package wasender

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"peal/internal/peal"
)

const (
	isConnected = `{"status":"connected"}`
	needScan    = `{"success":true,"data":{"status":"NEED_SCAN"}}`
)

func TestSendOutcomes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		body   string
		state  string
		want   peal.Outcome // Took and, unless it is set here, Reason are not compared
	}{
		{"accepted", 200, `{"success":true,"data":{"msgId":100000,"jid":"+123456789","status":"in_progress"}}`, isConnected,
			peal.Outcome{Class: peal.ClassAccepted, MessageID: "100000"}},
		{"id as string", 200, `{"success":true,"data":{"msgId":"100001"}}`, "", peal.Outcome{Class: peal.ClassAccepted, MessageID: "100001"}},
		{"large id", 200, `{"success":true,"data":{"msgId":9007199254740993123}}`, "",
			peal.Outcome{Class: peal.ClassAccepted, MessageID: "9007199254740993123"}},
		{"no success key", 200, `{"data":{"msgId":5}}`, "", peal.Outcome{Class: peal.ClassAccepted, MessageID: "5"}},
		{"other fields of odd types", 200, `{"success":"yes","message":{"a":1},"errors":3,"data":{"status":7,"msgId":6}}`, "",
			peal.Outcome{Class: peal.ClassAccepted, MessageID: "6"}},
		{"created", 201, `{"success":true,"data":{"msgId":7}}`, "", peal.Outcome{Class: peal.ClassAccepted, MessageID: "7"}},
		{"no id", 200, `{"success":true,"message":"queued"}`, isConnected, peal.Outcome{Class: peal.ClassUnknown, Code: "bad_answer"}},
		{"id is a fraction", 200, `{"success":true,"data":{"msgId":1.5}}`, isConnected, peal.Outcome{Class: peal.ClassUnknown, Code: "bad_answer"}},
		{"data is a list", 200, `{"success":true,"data":[1]}`, isConnected, peal.Outcome{Class: peal.ClassUnknown, Code: "bad_answer"}},
		{"cut off", 200, `{"success":true,"data":{"ms`, isConnected, peal.Outcome{Class: peal.ClassUnknown, Code: "bad_answer"}},
		{"empty", 200, ``, isConnected, peal.Outcome{Class: peal.ClassUnknown, Code: "bad_answer"}},
		{"no content", 204, ``, isConnected, peal.Outcome{Class: peal.ClassUnknown, Code: "bad_answer"}},
		{"list", 200, `[]`, isConnected, peal.Outcome{Class: peal.ClassUnknown, Code: "bad_answer"}},
		{"page", 200, `<html>maintenance</html>`, isConnected, peal.Outcome{Class: peal.ClassUnknown, Code: "bad_answer"}},
		{"endless", 200, `{"pad":"` + strings.Repeat("x", 1<<17) + `"}`, isConnected, peal.Outcome{Class: peal.ClassUnknown, Code: "bad_answer"}},

		{"success false", 200, `{"success":false,"message":"No."}`, isConnected,
			peal.Outcome{Class: peal.ClassPermanent, Code: "rejected", Reason: "No."}},
		{"success false with fields", 200, `{"success":false,"errors":{"to":["Bad."]}}`, needScan,
			peal.Outcome{Class: peal.ClassPermanent, Code: "validation", Reason: "to: Bad."}},
		{"success false, session down", 200, `{"success":false}`, needScan,
			peal.Outcome{Class: peal.ClassIntegration, Code: "session_need_scan", Pause: peal.PauseSession, Reason: "the session is need_scan"}},

		{"validation", 422, `{"success":false,"message":"Validation failed","errors":{"to":["The to field is required."],"text":"too long"}}`, needScan,
			peal.Outcome{Class: peal.ClassPermanent, Code: "validation", Reason: "Validation failed: text: too long; to: The to field is required."}},
		{"400, connected", 400, `{"success":false,"message":"Number +91 98123-45678 is not on WhatsApp"}`, isConnected,
			peal.Outcome{Class: peal.ClassPermanent, Code: "validation", Reason: "Number +[number] is not on WhatsApp"}},
		{"400, session down", 400, `{"success":false,"message":"anything"}`, `{"status":"LOGGED_OUT"}`,
			peal.Outcome{Class: peal.ClassIntegration, Code: "session_logged_out", Pause: peal.PauseSession}},
		{"422 without fields, session down", 422, `{"errors":[]}`, `{"status":"expired"}`,
			peal.Outcome{Class: peal.ClassIntegration, Code: "session_expired", Pause: peal.PauseSession}},
		{"409, connecting", 409, ``, `{"status":"connecting"}`,
			peal.Outcome{Class: peal.ClassIntegration, Code: "session_connecting", Pause: peal.PauseSession}},
		{"409, connected", 409, ``, `{"status":"Connected"}`,
			peal.Outcome{Class: peal.ClassPermanent, Code: "http_409", Reason: "the provider answered 409 Conflict"}},
		{"400, nobody knows", 400, `{}`, `{"state":"?"}`, peal.Outcome{Class: peal.ClassTemporary, Code: "validation"}},
		{"404, session down", 404, ``, needScan, peal.Outcome{Class: peal.ClassIntegration, Code: "session_need_scan", Pause: peal.PauseSession}},
		{"404, connected", 404, ``, isConnected, peal.Outcome{Class: peal.ClassPermanent, Code: "http_404"}},
		{"404, all of it", 404, `<html>`, "", peal.Outcome{Class: peal.ClassIntegration, Code: "base_url", Pause: peal.PauseBlocked}},
		{"405, a page", 405, ``, `<html>`, peal.Outcome{Class: peal.ClassIntegration, Code: "base_url", Pause: peal.PauseBlocked}},
		{"413", 413, ``, isConnected, peal.Outcome{Class: peal.ClassPermanent, Code: "http_413"}},

		{"401", 401, `{"message":"Invalid API key ` + testKey + `"}`, isConnected,
			peal.Outcome{Class: peal.ClassIntegration, Code: "unauthorized", Pause: peal.PauseCredentials, Reason: "Invalid API key ***"}},
		{"403", 403, ``, isConnected, peal.Outcome{Class: peal.ClassIntegration, Code: "forbidden", Pause: peal.PauseCredentials}},
		{"402", 402, `{"message":"Subscription ended"}`, isConnected,
			peal.Outcome{Class: peal.ClassIntegration, Code: "payment_required", Pause: peal.PausePayment, Reason: "Subscription ended"}},
		{"redirect", 302, ``, isConnected, peal.Outcome{Class: peal.ClassIntegration, Code: "redirect", Pause: peal.PauseBlocked}},
		{"redirect of a POST", 308, ``, isConnected, peal.Outcome{Class: peal.ClassIntegration, Code: "redirect", Pause: peal.PauseBlocked}},
		{"429", 429, `{"message":"You are on a free trial. You can only send 1 message every 1 minute.","retry_after":60}`, "",
			peal.Outcome{Class: peal.ClassThrottled, Code: "throttled", Pause: peal.PauseThrottled, RetryAfter: time.Minute,
				Reason: "You are on a free trial. You can only send 1 message every 1 minute."}},
		{"408", 408, ``, "", peal.Outcome{Class: peal.ClassTemporary, Code: "http_408"}},
		{"500", 500, `<html>`, "", peal.Outcome{Class: peal.ClassTemporary, Code: "http_500", Reason: "the provider answered 500 Internal Server Error"}},
		{"502", 502, ``, "", peal.Outcome{Class: peal.ClassUnknown, Code: "http_502"}},
		{"503", 503, `{"retry_after":"2.5"}`, "", peal.Outcome{Class: peal.ClassTemporary, Code: "http_503", RetryAfter: 2500 * time.Millisecond}},
		{"504", 504, ``, "", peal.Outcome{Class: peal.ClassUnknown, Code: "http_504"}},
		{"520", 520, ``, "", peal.Outcome{Class: peal.ClassUnknown, Code: "http_520"}},
		{"521", 521, ``, "", peal.Outcome{Class: peal.ClassTemporary, Code: "http_521"}},
		{"524", 524, ``, "", peal.Outcome{Class: peal.ClassUnknown, Code: "http_524"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := open(t, answering(c.status, nil, c.body, c.state)).Send(t.Context(), textMessage())
			if got.Took <= 0 {
				t.Error("Took is not set")
			}
			if got.Class != peal.ClassAccepted && got.Reason == "" {
				t.Error("there is no reason")
			}
			got.Took = 0
			if c.want.Reason == "" {
				got.Reason = ""
			}
			if got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestSendStateQuestionThatFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		want   peal.Outcome
	}{
		{401, peal.Outcome{Class: peal.ClassIntegration, Code: "unauthorized", Pause: peal.PauseCredentials}},
		{402, peal.Outcome{Class: peal.ClassIntegration, Code: "payment_required", Pause: peal.PausePayment}},
		{429, peal.Outcome{Class: peal.ClassTemporary, Code: "http_409"}},
		{503, peal.Outcome{Class: peal.ClassTemporary, Code: "http_409"}},
	} {
		cl := open(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/status" {
				w.WriteHeader(c.status)
				return
			}
			w.WriteHeader(http.StatusConflict)
		})
		got := cl.Send(t.Context(), textMessage())
		got.Took, got.Reason = 0, ""
		if got != c.want {
			t.Errorf("/status answers %d: got %+v, want %+v", c.status, got, c.want)
		}
	}
}

func TestThrottleWait(t *testing.T) {
	t.Parallel()
	now := time.Now()
	unix := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
	for _, c := range []struct {
		name               string
		body, retry, reset string
		atLeast, atMost    time.Duration
	}{
		{name: "nothing"},
		{name: "body first", body: "60", retry: "5", reset: "7", atLeast: time.Minute, atMost: time.Minute},
		{name: "body as string", body: `"30"`, atLeast: 30 * time.Second, atMost: 30 * time.Second},
		{name: "body of odd type", body: `{"a":1}`, retry: "5", atLeast: 5 * time.Second, atMost: 5 * time.Second},
		{name: "body zero", body: "0", retry: "5", atLeast: 5 * time.Second, atMost: 5 * time.Second},
		{name: "body negative", body: "-5"},
		{name: "body huge", body: "1e300", atLeast: maxWait, atMost: maxWait},
		{name: "header second", retry: "5", reset: "7", atLeast: 5 * time.Second, atMost: 5 * time.Second},
		{name: "header as date", retry: now.Add(time.Minute).UTC().Format(http.TimeFormat), atLeast: 58 * time.Second, atMost: time.Minute},
		{name: "header in the past", retry: now.Add(-time.Hour).UTC().Format(http.TimeFormat), reset: "7", atLeast: 7 * time.Second, atMost: 7 * time.Second},
		{name: "header unreadable", retry: "soon", reset: "7", atLeast: 7 * time.Second, atMost: 7 * time.Second},
		{name: "reset as seconds", reset: "42", atLeast: 42 * time.Second, atMost: 42 * time.Second},
		{name: "reset as time", reset: unix(time.Minute), atLeast: 58 * time.Second, atMost: time.Minute},
		{name: "reset as time in ms", reset: unix(time.Minute) + "000", atLeast: 58 * time.Second, atMost: time.Minute},
		{name: "reset just passed", reset: unix(-3 * time.Second)},
		{name: "reset far away", reset: unix(1000 * time.Hour), atLeast: maxWait, atMost: maxWait},
		{name: "not a number", reset: "NaN", body: `"Inf"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{}
			if c.retry != "" {
				h.Set("Retry-After", c.retry)
			}
			if c.reset != "" {
				h.Set("X-RateLimit-Reset", c.reset)
			}
			if got := throttleWait(h, []byte(c.body)); got < c.atLeast || got > c.atMost {
				t.Errorf("got %v, want %v to %v", got, c.atLeast, c.atMost)
			}
		})
	}
}

func TestRetryAfterOfTemporary(t *testing.T) {
	t.Parallel()
	h := http.Header{"Retry-After": {"11"}, "X-RateLimit-Reset": {"50"}}
	if got := open(t, answering(503, h, "", "")).Send(t.Context(), textMessage()); got.RetryAfter != 11*time.Second {
		t.Errorf("got %v, want 11s", got.RetryAfter)
	}
	h = http.Header{"X-RateLimit-Reset": {"50"}} // it is on every answer, and says nothing of a 503
	if got := open(t, answering(503, h, "", "")).Send(t.Context(), textMessage()); got.RetryAfter != 0 {
		t.Errorf("got %v, want none", got.RetryAfter)
	}
}

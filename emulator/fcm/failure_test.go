package fcm_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"peal/emulator/fcm"
)

// rows are the vendor's error table: what stands in each answer.
var rows = []struct {
	failure      fcm.Failure
	code         int
	status, fcm  string
	quota, field string
}{
	{fcm.InvalidArgument, 400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "", "-"},
	{fcm.BadRequest, 400, "INVALID_ARGUMENT", "", "", "message"},
	{fcm.TooBig, 400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "", "-"},
	{fcm.Unregistered, 404, "NOT_FOUND", "UNREGISTERED", "", "-"},
	{fcm.NotFound, 404, "NOT_FOUND", "", "", "-"},
	{fcm.SenderIDMismatch, 403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH", "", "-"},
	{fcm.PermissionDenied, 403, "PERMISSION_DENIED", "", "", "-"},
	{fcm.QuotaExceeded, 429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", "project:demo", "-"},
	{fcm.ProjectQuota, 429, "RESOURCE_EXHAUSTED", "", "", "-"},
	{fcm.DeviceQuota, 429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", "device:TO", "-"},
	{fcm.TopicQuota, 429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", "topic:TO", "-"},
	{fcm.Unavailable, 503, "UNAVAILABLE", "UNAVAILABLE", "", "-"},
	{fcm.Internal, 500, "INTERNAL", "INTERNAL", "", "-"},
	{fcm.ThirdPartyAuth, 401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR", "", "-"},
	{fcm.Unauthenticated, 401, "UNAUTHENTICATED", "", "", "-"},
	{fcm.Unspecified, 500, "UNKNOWN", "UNSPECIFIED_ERROR", "", "-"},
	{fcm.NoDetails, 503, "UNAVAILABLE", "", "", "-"},
}

func TestFailures(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{})
	for _, row := range rows {
		b.fault(fcm.Fault{Kind: fcm.FaultError, Failure: row.failure, RetryAfter: "17"})
		magic := "magic-" + string(row.failure) + "-1"
		for to, a := range map[string]answer{b.phone.Token: b.message(b.phone.Token, "", row.code), magic: b.message(magic, "", row.code)} {
			if at(a.json, "error", "status") != row.status || at(a.json, "error", "code") != float64(row.code) || code(a) != row.fcm || violation(a) != row.field {
				t.Errorf("%s to %s: %s", row.failure, to, a.body)
			}
			want := strings.Replace(row.quota, "TO", to, 1)
			if got, _ := at(detail(a, "google.rpc.QuotaFailure"), "violations", 0, "subject").(string); got != want {
				t.Errorf("%s: quota %q, want %q", row.failure, got, want)
			}
			if got := a.header.Get("Retry-After"); (got == "17") != (to == b.phone.Token) {
				t.Errorf("%s: Retry-After %q", row.failure, got)
			}
		}
		b.message(b.phone.Token, "", 200)
	}
	if got := detail(b.message("magic-project_quota", "", 429), "google.rpc.ErrorInfo"); got["reason"] != "RATE_LIMIT_EXCEEDED" || at(got, "metadata", "quota_limit") != "SendsPerMinutePerProject" {
		t.Errorf("%v", got)
	}
	for failure, code := range map[string]int{"html": 502, "empty": 503} {
		a := b.message("magic-"+failure, "", code)
		if a.json != nil || (a.body == "") != (failure == "empty") || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %v %s", failure, a.header, a.body)
		}
	}
	b.message("magic-nonsense", "", 400)
	b.message("magic-ok", "", 200)
	if c := b.emu.Counts(); c.Failures[fcm.Unregistered] != 2 || c.ByStatus[429] != 9 || c.Shown != int64(len(rows)) {
		t.Errorf("%+v", c)
	}
}

func TestFailureChanged(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{})
	b.fault(fcm.Fault{Kind: fcm.FaultError, Failure: fcm.Unspecified, Status: 418, Message: "odd"})
	if a := b.message(b.phone.Token, "", 418); at(a.json, "error", "code") != float64(418) || at(a.json, "error", "message") != "odd" {
		t.Errorf("%s", a.body)
	}
	b.fault(fcm.Fault{Kind: fcm.FaultError, Failure: fcm.HTML, Status: 500})
	b.message(b.phone.Token, "", 500)
	b.fault(fcm.Fault{Kind: fcm.FaultError, Status: 503, Body: "busy", ContentType: "text/plain", RetryAfter: "Wed, 21 Oct 2026 07:28:00 GMT"})
	if a := b.message(b.phone.Token, "", 503); a.body != "busy" || a.header.Get("Content-Type") != "text/plain" || !strings.Contains(a.header.Get("Retry-After"), "GMT") {
		t.Errorf("%v %s", a.header, a.body)
	}
}

func TestFaultMatches(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{})
	other := b.register(fcm.Device{})
	b.fault(fcm.Fault{Kind: fcm.FaultError, Failure: fcm.Unavailable, Address: other.Token, Times: 2})
	b.fault(fcm.Fault{Kind: fcm.FaultError, Failure: fcm.Internal, Project: "elsewhere", Every: true})
	b.message(b.phone.Token, "", 200)
	b.message(other.Token, "", 503)
	b.message(other.Token, "", 503)
	b.message(other.Token, "", 200)
	if b.emu.Calls(other.Token) != 3 || b.emu.Taken(other.Token) != 1 {
		t.Errorf("%d calls, %d taken", b.emu.Calls(other.Token), b.emu.Taken(other.Token))
	}
	b.fault(fcm.Fault{Kind: fcm.FaultError, Failure: fcm.Internal, TakeFirst: true})
	b.message(other.Token, "", 500)
	if c := b.emu.Counts(); c.Accepted != 3 || c.Lost != 1 {
		t.Errorf("%+v", c)
	}
	b.emu.ClearFaults()
	b.fault(fcm.Fault{Kind: fcm.FaultError, Failure: fcm.Internal, Probability: 0.5, Seed: 3})
	failed := 0
	for range 40 {
		if a, _ := b.call("POST", "/v1/projects/demo/messages:send", "application/json", `{"message":{"token":"magic-ok"}}`); a.status == 500 {
			failed++
		}
	}
	if failed == 0 || failed == 40 {
		t.Errorf("%d of 40", failed)
	}
}

func TestConnectionFaults(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{SlowFor: time.Millisecond})
	path := "/v1/projects/demo/messages:send"
	body := `{"message":{"token":"` + b.phone.Token + `"}}`
	for i, kind := range []fcm.FaultKind{fcm.FaultDropBefore, fcm.FaultDropAfter} {
		b.fault(fcm.Fault{Kind: kind})
		if a, err := b.call("POST", path, "application/json", body); err == nil {
			t.Errorf("%s: answered %d", kind, a.status)
		}
		magic := `{"message":{"token":"magic-` + string(kind) + `"}}`
		if a, err := b.call("POST", path, "application/json", magic); err == nil {
			t.Errorf("%s: answered %d", magic, a.status)
		}
		if n := len(b.emu.Shown("")); n != i {
			t.Errorf("%s: %d shown", kind, n)
		}
	}
	b.fault(fcm.Fault{Kind: fcm.FaultDelay, Delay: time.Millisecond})
	b.fault(fcm.Fault{Kind: fcm.FaultDelay, Delay: time.Millisecond, TakeFirst: true})
	b.send(body, 200)
	b.send(body, 200)
	b.message("magic-slow", "", 200)
	b.emu.SetLatency(time.Millisecond)
	b.send(body, 200)
	if c := b.emu.Counts(); c.ByStatus[0] != 4 || c.Lost != 1 {
		t.Errorf("%+v", c)
	}
	// A held request ends with the server.
	b.fault(fcm.Fault{Kind: fcm.FaultHold})
	ended := make(chan error)
	go func() {
		_, err := b.call("POST", path, "application/json", body)
		ended <- err
	}()
	b.eventually("the request waits", func() bool { fs := b.emu.Faults(); return fs[len(fs)-1].Hits == 1 })
	b.emu.Close()
	if <-ended == nil {
		t.Error("the held request was answered")
	}
	if a, err := b.call("POST", path, "application/json", body); err != nil || a.status != http.StatusServiceUnavailable {
		t.Errorf("closed: %v %d", err, a.status)
	}
}

func TestFaultsRefused(t *testing.T) {
	t.Parallel()
	emu := fcm.New(fcm.Options{})
	for want, f := range map[string]fcm.Fault{
		"kind":        {Kind: "x"},
		"route":       {Kind: fcm.FaultHold, Route: "x"},
		"project":     {Kind: fcm.FaultHold, Route: fcm.RouteToken, Project: "demo"},
		"take_first":  {Kind: fcm.FaultDropAfter, TakeFirst: true},
		"delay":       {Kind: fcm.FaultDelay},
		"times":       {Kind: fcm.FaultHold, Times: -1},
		"every":       {Kind: fcm.FaultHold, Times: 1, Every: true},
		"probability": {Kind: fcm.FaultHold, Probability: 2},
		"failure":     {Kind: fcm.FaultError},
		"none of":     {Kind: fcm.FaultError, Failure: "x"},
		"not with":    {Kind: fcm.FaultHold, Status: 500},
		"status":      {Kind: fcm.FaultError, Status: 99},
		"together":    {Kind: fcm.FaultError, Failure: fcm.HTML, Body: "x"},
		"one line":    {Kind: fcm.FaultError, Failure: fcm.HTML, RetryAfter: "1\r\nX: y"},
	} {
		if _, err := emu.AddFault(f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", f, err, want)
		}
	}
	if emu.RemoveFault(1) == nil {
		t.Error("removed what is not there")
	}
}

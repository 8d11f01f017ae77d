package fcm_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	emulator "peal/emulator/fcm"
	"peal/internal/peal"
	"peal/internal/provider"
)

// row is a row of the table of errors.
type row struct {
	name  string
	fault emulator.Fault
	want  peal.Outcome // but for Reason, Took and MessageID
	calls int64
}

const fcmError = `{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"`

func dead(code string) peal.Outcome {
	return peal.Outcome{Class: peal.ClassGone, Code: code, Device: peal.DeviceWord{Verdict: peal.DeviceDead}}
}

func later(code string, wait time.Duration) peal.Outcome {
	return peal.Outcome{Class: peal.ClassTemporary, Code: code, RetryAfter: wait}
}

func slower(code string, wait time.Duration, whom string) peal.Outcome {
	return peal.Outcome{Class: peal.ClassThrottled, Code: code, RetryAfter: wait, Pause: peal.PauseThrottled, Quiet: whom}
}

func stop(code string, pause peal.PauseCode) peal.Outcome {
	return peal.Outcome{Class: peal.ClassIntegration, Code: code, Pause: pause}
}

func never(code string) peal.Outcome { return peal.Outcome{Class: peal.ClassPermanent, Code: code} }

func rows() []row {
	says := func(f emulator.Failure) emulator.Fault { return emulator.Fault{Kind: emulator.FaultError, Failure: f} }
	wait := func(f emulator.Failure, after string) emulator.Fault {
		return emulator.Fault{Kind: emulator.FaultError, Failure: f, RetryAfter: after}
	}
	raw := func(status int, body string) emulator.Fault {
		return emulator.Fault{Kind: emulator.FaultError, Status: status, Body: body}
	}
	const s = time.Second
	return []row{
		{"bad token", says(emulator.InvalidArgument), dead("INVALID_ARGUMENT"), 1},
		{"bad token, by its field", raw(400, `{"error":{"status":"INVALID_ARGUMENT","message":"no","details":[`+fcmError+`INVALID_ARGUMENT"},{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"message.token","description":"Invalid registration"}]}]}}`), dead("INVALID_ARGUMENT"), 1},
		{"bad token, and a bad field", raw(400, `{"error":{"status":"INVALID_ARGUMENT","message":"The registration token is not a valid FCM registration token","details":[`+fcmError+`INVALID_ARGUMENT"},{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"message.token"},{"field":"message.data"}]}]}}`), never("INVALID_ARGUMENT"), 1},
		{"bad token, without FcmError", raw(400, `{"error":{"status":"INVALID_ARGUMENT","message":"The registration token is not a valid FCM registration token"}}`), never("INVALID_ARGUMENT"), 1},
		{"bad body", says(emulator.BadRequest), never("INVALID_ARGUMENT"), 1},
		{"too big", says(emulator.TooBig), never("INVALID_ARGUMENT"), 1},
		{"unregistered", says(emulator.Unregistered), dead("UNREGISTERED"), 1},
		{"404 of the project", says(emulator.NotFound), stop("NOT_FOUND", peal.PauseCredentials), 1},
		{"404 of a front end", raw(404, "<!DOCTYPE html><title>404</title>"), stop("http_404", peal.PauseCredentials), 1},
		{"another project's", says(emulator.SenderIDMismatch), dead("SENDER_ID_MISMATCH"), 1},
		{"no permission", says(emulator.PermissionDenied), stop("PERMISSION_DENIED", peal.PauseCredentials), 1},
		{"quota of the project", says(emulator.QuotaExceeded), slower("QUOTA_EXCEEDED", 60*s, ""), 1},
		{"quota of the project, without FcmError", says(emulator.ProjectQuota), slower("RESOURCE_EXHAUSTED", 60*s, ""), 1},
		{"quota of the project, with a time", wait(emulator.QuotaExceeded, "30"), slower("QUOTA_EXCEEDED", 30*s, ""), 1},
		{"quota of the project, too short", wait(emulator.QuotaExceeded, "1"), slower("QUOTA_EXCEEDED", 10*s, ""), 1},
		{"quota of the project, too long", wait(emulator.QuotaExceeded, "90000"), slower("QUOTA_EXCEEDED", time.Hour, ""), 1},
		{"quota of the project, rubbish", wait(emulator.QuotaExceeded, "soon"), slower("QUOTA_EXCEEDED", 60*s, ""), 1},
		{"quota of the device", says(emulator.DeviceQuota), slower("QUOTA_EXCEEDED", 60*s, peal.QuietRecipient), 1},
		{"quota of a topic", says(emulator.TopicQuota), slower("QUOTA_EXCEEDED", 60*s, ""), 1},
		{"unavailable", says(emulator.Unavailable), later("UNAVAILABLE", 10*s), 1},
		{"unavailable, with a time", wait(emulator.Unavailable, "120"), later("UNAVAILABLE", 120*s), 1},
		{"internal", says(emulator.Internal), later("INTERNAL", 10*s), 1},
		{"unauthenticated", emulator.Fault{Kind: emulator.FaultError, Failure: emulator.Unauthenticated, Times: 2}, stop("UNAUTHENTICATED", peal.PauseCredentials), 2},
		{"unspecified", says(emulator.Unspecified), later("UNSPECIFIED_ERROR", 10*s), 1},
		{"unspecified, of the message", emulator.Fault{Kind: emulator.FaultError, Failure: emulator.Unspecified, Status: 400}, never("UNSPECIFIED_ERROR"), 1},
		{"a code of tomorrow", raw(400, `{"error":{"status":"FAILED_PRECONDITION","message":"no","details":[`+fcmError+`TOO_HAPPY"}]}}`), never("TOO_HAPPY"), 1},
		{"a code of tomorrow, 5xx", raw(503, `{"error":{"details":[`+fcmError+`TOO_SAD"}]}}`), later("TOO_SAD", 10*s), 1},
		{"a code that is none", raw(400, `{"error":{"status":"a word","details":[`+fcmError+`no code"}]}}`), never("http_400"), 1},
		{"no details", says(emulator.NoDetails), later("UNAVAILABLE", 10*s), 1},
		{"HTML", says(emulator.HTML), peal.Outcome{Class: peal.ClassUnknown, Code: "http_502", RetryAfter: 10 * s}, 1},
		{"nothing", says(emulator.Empty), later("http_503", 10*s), 1},
		{"nothing, 400", raw(400, ""), never("http_400"), 1},
		{"another shape", raw(400, `{"error":"no"}`), never("http_400"), 1},
		{"half a body", raw(400, `{"error":{"status":"INVALID_ARGU`), never("http_400"), 1},
		{"endless", raw(503, strings.Repeat("x", 1<<17)), later("http_503", 10*s), 1},
		{"redirect", raw(301, ""), stop("redirect", peal.PauseBlocked), 1},
		{"200 without a name", raw(200, "{}"), peal.Outcome{Class: peal.ClassUnknown, Code: "bad_answer"}, 1},
		{"200 with a page", raw(200, "<html>"), peal.Outcome{Class: peal.ClassUnknown, Code: "bad_answer"}, 1},
		{"lost", emulator.Fault{Kind: emulator.FaultDropAfter}, peal.Outcome{Class: peal.ClassUnknown, Code: "connection_lost"}, 1},
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, c := range rows() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, emulator.Options{})
			m := b.phone(emulator.Android, hello())
			b.fault(c.fault)
			b.check(m, c.want)
			if n := b.emu.Counts().Arrived; n != c.calls {
				t.Errorf("%d calls, want %d", n, c.calls)
			}
			if out := b.client.Send(t.Context(), m); out.Class != peal.ClassAccepted {
				t.Errorf("the next one: %+v", out)
			}
		})
	}
}

// check sends a message, and compares all of its outcome but words, id and time.
func (b *bundle) check(m *provider.Message, want peal.Outcome) {
	b.Helper()
	out := b.client.Send(b.Context(), m)
	if out.Reason == "" || out.Took <= 0 || m.Device.Address != "" && strings.Contains(out.Reason, m.Device.Address) {
		b.Errorf("reason %q, took %v", out.Reason, out.Took)
	}
	out.Reason, out.Took = "", 0
	if out != want {
		b.Errorf("got  %+v\nwant %+v", out, want)
	}
}

func TestPlatformWithoutCredential(t *testing.T) {
	t.Parallel()
	for platform, want := range map[string]string{
		"ios": "platform:ios", "macos": "platform:ios", "web": "platform:web", "android": peal.QuietRecipient, "other": peal.QuietRecipient, "": peal.QuietRecipient,
	} {
		b := setup(t, emulator.Options{})
		m := b.phone(emulator.Android, hello())
		m.Device.Platform = platform
		b.fault(emulator.Fault{Kind: emulator.FaultError, Failure: emulator.ThirdPartyAuth})
		b.check(m, slower("THIRD_PARTY_AUTH_ERROR", 10*time.Minute, want))
		groups := b.client.(provider.Grouper).Groups(m)
		if want != peal.QuietRecipient && !slices.Equal(groups, []string{want}) || want == peal.QuietRecipient && len(groups) > 0 {
			t.Errorf("%s: groups %v", platform, groups)
		}
		if b.emu.Counts().Tokens != 1 {
			t.Errorf("%s: it was taken for an access token that is refused", platform)
		}
	}
}

// TestMismatches: a few devices of another project are moved ones, many are the wrong service account.
func TestMismatches(t *testing.T) {
	t.Parallel()
	b := setup(t, emulator.Options{})
	m := b.phone(emulator.Android, hello())
	for i := range 19 {
		b.fault(emulator.Fault{Kind: emulator.FaultError, Failure: emulator.SenderIDMismatch})
		if out := b.client.Send(t.Context(), m); out.Class != peal.ClassGone {
			t.Fatalf("%d: %+v", i, out)
		}
	}
	b.fault(emulator.Fault{Kind: emulator.FaultError, Failure: emulator.SenderIDMismatch, Every: true})
	for range 25 { // those that were on their way when it was found out are given up as little
		b.check(m, stop("sender_id_mismatches", peal.PauseCredentials))
	}

	b = setup(t, emulator.Options{})
	m = b.phone(emulator.Android, hello())
	for i := range 60 { // no more than half
		if i%2 == 1 {
			b.fault(emulator.Fault{Kind: emulator.FaultError, Failure: emulator.SenderIDMismatch})
		}
		if out := b.client.Send(t.Context(), m); i%2 == 1 && out.Class != peal.ClassGone {
			t.Fatalf("%d: %+v", i, out)
		}
	}
}

func TestRetryAfterAsDate(t *testing.T) {
	t.Parallel()
	b := setup(t, emulator.Options{})
	m := b.phone(emulator.Android, hello())
	b.fault(emulator.Fault{Kind: emulator.FaultError, Failure: emulator.QuotaExceeded, RetryAfter: time.Now().Add(5 * time.Minute).UTC().Format(http.TimeFormat)})
	if out := b.client.Send(t.Context(), m); out.RetryAfter < 4*time.Minute || out.RetryAfter > 5*time.Minute {
		t.Errorf("got %v", out.RetryAfter)
	}
}

// TestRealAnswers are errors that the emulator has by itself.
func TestRealAnswers(t *testing.T) {
	t.Parallel()
	b := setup(t, emulator.Options{Limits: emulator.Limits{DevicePerMinute: 2}})
	m := b.phone(emulator.Android, hello())
	for range 2 {
		if out := b.client.Send(t.Context(), m); out.Class != peal.ClassAccepted || out.MessageID == "" {
			t.Fatalf("%+v", out)
		}
	}
	if out := b.client.Send(t.Context(), m); out.Class != peal.ClassThrottled || out.Quiet != peal.QuietRecipient || out.RetryAfter < 10*time.Second {
		t.Errorf("%+v", out)
	}
	if err := b.emu.Unregister(m.Device.Address); err != nil {
		t.Fatal(err)
	}
	b.check(m, dead("UNREGISTERED"))
	b.check(messageTo("no-token", "android", hello()), dead("INVALID_ARGUMENT"))
	other, err := b.emu.Register(emulator.Device{Project: "other"})
	if err != nil {
		t.Fatal(err)
	}
	b.check(messageTo(other.Token, "android", hello()), dead("SENDER_ID_MISMATCH"))
	big := hello()
	big.Body = strings.Repeat("x", 4200)
	b.check(messageTo(b.phone(emulator.Android, hello()).Device.Address, "android", big), never("INVALID_ARGUMENT"))
}

func TestNoDevice(t *testing.T) {
	t.Parallel()
	b := setup(t, emulator.Options{})
	m := messageTo("", "android", hello())
	b.check(m, never("no_device"))
	m.Device = nil
	if out := b.client.Send(context.Background(), m); out.Class != peal.ClassPermanent {
		t.Errorf("%+v", out)
	}
	if _, err := b.client.Lookup(t.Context(), "1"); err == nil {
		t.Error("there are no look-ups")
	}
}

package apns

import (
	"net/http"
	"testing"
	"time"

	emulator "peal/emulator/apns"
	"peal/internal/peal"
)

// want is what a reason is to come to, from Apple's documents.
type want struct {
	class  peal.Class
	pause  peal.PauseCode
	wait   time.Duration
	device peal.DeviceVerdict
	quiet  string
	calls  int64 // default 1
	leave  bool  // the connection is closed
}

func wants() map[string]want {
	ours := want{class: peal.ClassPermanent}
	credentials := want{class: peal.ClassIntegration, pause: peal.PauseCredentials}
	dead := want{class: peal.ClassGone, device: peal.DeviceDead}
	return map[string]want{
		"BadDeviceToken": dead, "DeviceTokenNotForTopic": dead, "Unregistered": dead, "ExpiredToken": dead,
		"BadCollapseId": ours, "BadExpirationDate": ours, "BadMessageId": ours, "BadPriority": ours, "BadTopic": ours,
		"DuplicateHeaders": ours, "InvalidPushType": ours, "MissingDeviceToken": ours, "MissingTopic": ours, "PayloadEmpty": ours,
		"BadPath": ours, "MethodNotAllowed": ours, "PayloadTooLarge": ours,
		"BadChannelId": ours, "MissingChannelId": ours, "ChannelNotRegistered": ours, "FeatureNotEnabled": ours, "BadRequestParams": ours,
		"BadRequestPayload": ours, "MissingPushType": ours, "CannotCreateChannelConfig": ours, "TopicMismatch": ours,
		"TopicDisallowed": credentials, "BadCertificate": credentials, "BadCertificateEnvironment": credentials, "Forbidden": credentials,
		"InvalidProviderToken": credentials, "MissingProviderToken": credentials,
		"BadEnvironmentKeyIdInToken": credentials, "BadEnvironmentKeyInToken": credentials,
		"ExpiredProviderToken":        credentials, // the token is young: a clock
		"UnrelatedKeyIdInToken":       {class: peal.ClassIntegration, pause: peal.PauseCredentials, calls: 3, leave: true},
		"IdleTimeout":                 {class: peal.ClassTemporary, calls: 3, leave: true},
		"Shutdown":                    {class: peal.ClassTemporary, calls: 3, leave: true},
		"TooManyRequests":             {class: peal.ClassThrottled, pause: peal.PauseThrottled, wait: time.Minute, quiet: peal.QuietRecipient},
		"TooManyProviderTokenUpdates": {class: peal.ClassThrottled, pause: peal.PauseThrottled, wait: 20 * time.Minute, leave: true},
		"InternalServerError":         {class: peal.ClassTemporary, wait: 15 * time.Minute},
		"ServiceUnavailable":          {class: peal.ClassTemporary, wait: 15 * time.Minute},
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	all := wants()
	for _, reason := range emulator.Reasons() {
		if _, ok := all[reason]; !ok {
			t.Errorf("%s is not tested", reason)
		}
	}
	for reason, want := range all {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			r := setup(t, emulator.Options{})
			r.in.Apps = []string{testApp}
			fault := emulator.Fault{Kind: emulator.FaultReason, Reason: reason, Every: true}
			if emulator.StatusOf(reason) == 0 {
				fault.Status = http.StatusBadRequest
			}
			dead := time.Date(2026, 11, 20, 10, 0, 0, 123e6, time.UTC)
			if fault.Status == 0 && emulator.StatusOf(reason) == http.StatusGone {
				fault.Timestamp = dead
			}
			r.fault(t, fault)
			out := r.send(t)
			if out.Class != want.class || out.Pause != want.pause || out.RetryAfter != want.wait || out.Quiet != want.quiet ||
				out.Device.Verdict != want.device || out.Code != reason || out.Reason == "" || out.MessageID != "" {
				t.Errorf("got %+v, want %+v", out, want)
			}
			if !fault.Timestamp.IsZero() && !out.Device.Dead.Equal(dead) {
				t.Errorf("dead at %v, want %v", out.Device.Dead, dead)
			}
			if n := r.emu.Counts().Requests; n != max(1, want.calls) {
				t.Errorf("%d calls, want %d", n, max(1, want.calls))
			}
			if want.leave {
				until(t, "the connections are closed", func() bool { open, _ := openConns(r.emu); return open == 0 })
			} else if open, all := openConns(r.emu); open != 1 || all != 1 {
				t.Errorf("%d connections of %d are open, want the one", open, all)
			}
			r.emu.ClearFaults()
			if r.client.pools != nil && want.calls <= 1 && reason != tooManyTokens {
				wantAccepted(t, r.sendMany(t, 1), 1)
			}
		})
	}
}

// TestStatuses has answers that Apple's documents do not name.
func TestStatuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault emulator.Fault
		code  string
		want  want
	}{
		"unknown 400":        {emulator.Fault{Status: 400, Reason: "BadMoon"}, "BadMoon", want{class: peal.ClassPermanent}},
		"unknown 403":        {emulator.Fault{Status: 403, Reason: "BadMood"}, "BadMood", want{class: peal.ClassIntegration, pause: peal.PauseCredentials}},
		"unknown 410":        {emulator.Fault{Status: 410, Reason: "Moved"}, "Moved", want{class: peal.ClassGone, device: peal.DeviceDead}},
		"unknown 429":        {emulator.Fault{Status: 429, Reason: "TooMuch", RetryAfter: "30"}, "TooMuch", want{class: peal.ClassThrottled, pause: peal.PauseThrottled, wait: 30 * time.Second}},
		"unknown 500":        {emulator.Fault{Status: 500, Reason: "Oops"}, "Oops", want{class: peal.ClassTemporary, wait: 15 * time.Minute}},
		"a longer wait":      {emulator.Fault{Reason: "ServiceUnavailable", RetryAfter: "1800"}, "ServiceUnavailable", want{class: peal.ClassTemporary, wait: 30 * time.Minute}},
		"a shorter wait":     {emulator.Fault{Reason: "ServiceUnavailable", RetryAfter: "1"}, "ServiceUnavailable", want{class: peal.ClassTemporary, wait: 15 * time.Minute}},
		"device, with wait":  {emulator.Fault{Reason: "TooManyRequests", RetryAfter: "90"}, "TooManyRequests", want{class: peal.ClassThrottled, pause: peal.PauseThrottled, wait: 90 * time.Second, quiet: peal.QuietRecipient}},
		"no reason":          {emulator.Fault{Status: 400, Body: "<html>"}, "http_400", want{class: peal.ClassPermanent}},
		"a token as reason":  {emulator.Fault{Status: 400, Body: `{"reason":"` + testToken + `"}`}, "http_400", want{class: peal.ClassPermanent}},
		"too long":           {emulator.Fault{Status: 503, Body: string(make([]byte, 5000))}, "http_503", want{class: peal.ClassTemporary, wait: 15 * time.Minute}},
		"gateway":            {emulator.Fault{Status: 502, Body: "<html>"}, "http_502", want{class: peal.ClassUnknown}},
		"request timeout":    {emulator.Fault{Status: 408, Body: "{}"}, "http_408", want{class: peal.ClassTemporary}},
		"not there":          {emulator.Fault{Status: 404, Body: "not found"}, "base_url", want{class: peal.ClassIntegration, pause: peal.PauseBlocked}},
		"410 without a time": {emulator.Fault{Status: 410, Body: `{"reason":"Unregistered"}`}, "Unregistered", want{class: peal.ClassGone, device: peal.DeviceDead}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setup(t, emulator.Options{})
			c.fault.Kind = emulator.FaultReason
			r.fault(t, c.fault)
			out := r.send(t)
			if out.Class != c.want.class || out.Pause != c.want.pause || out.RetryAfter != c.want.wait || out.Quiet != c.want.quiet ||
				out.Device.Verdict != c.want.device || out.Code != c.code || out.Reason == "" || c.fault.Body != "" && !out.Device.Dead.IsZero() {
				t.Errorf("got %+v, want code %s and %+v", out, c.code, c.want)
			}
		})
	}
}

// TestGroups has an app that only devices name, and the sandbox: what is wrong with them stops nobody else.
func TestGroups(t *testing.T) {
	t.Parallel()
	r := setup(t, emulator.Options{})
	m := message(testToken)
	m.Device.Environment = peal.Sandbox
	for reason, group := range map[string]string{"TopicDisallowed": "app:" + testApp, "BadEnvironmentKeyInToken": "environment:sandbox"} {
		r.fault(t, emulator.Fault{Kind: emulator.FaultReason, Reason: reason})
		out := r.client.Send(t.Context(), m)
		if out.Class != peal.ClassThrottled || out.Quiet != group || out.Pause == "" || out.RetryAfter != groupWait {
			t.Errorf("%s: got %+v", reason, out)
		}
		found := false
		for _, g := range r.client.Groups(m) {
			found = found || g == group
		}
		if !found {
			t.Errorf("%s: %v has no %s", reason, r.client.Groups(m), group)
		}
	}
}

// TestBurst has an app whose environment is wrong: its devices are not given up one after the other.
func TestBurst(t *testing.T) {
	t.Parallel()
	for i, reason := range []string{badDeviceToken, badDeviceToken, notForTopic} {
		r, named := setup(t, emulator.Options{}), i > 0
		if named {
			r.in.Apps = []string{testApp}
		}
		r.fault(t, emulator.Fault{Kind: emulator.FaultReason, Reason: reason, Every: true})
		for i := 1; i <= 25; i++ {
			out := r.send(t)
			held := out.Class == peal.ClassThrottled && out.Quiet == "app:"+testApp || named && out.Class == peal.ClassIntegration
			if (i >= 20) != held || held == (out.Device.Verdict != "") || out.Code != reason {
				t.Fatalf("bad token %d: %+v", i, out)
			}
		}
	}
}

func TestBurstsAreOfApps(t *testing.T) {
	t.Parallel()
	var b bursts
	for !b.add("app", true) {
	}
	if b.add("other", true) {
		t.Error("an app's burst is another's")
	}
}

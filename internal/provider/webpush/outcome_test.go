package webpush

import (
	"net/http"
	"strings"
	"testing"
	"time"

	emulator "peal/emulator/webpush"
	"peal/internal/peal"
)

// TestAnswers has a case for each row of docs/providers/webpush.md.
func TestAnswers(t *testing.T) {
	t.Parallel()
	const never = "never worked"
	for name, c := range map[string]struct {
		fault  emulator.Fault
		before string
		want   peal.Outcome // without reason, time and message id
	}{
		"201":                     {fault: emulator.Fault{Status: 201}, want: peal.Outcome{Class: peal.ClassAccepted}},
		"200 of ntfy":             {fault: emulator.Fault{Status: 200}, want: peal.Outcome{Class: peal.ClassAccepted}},
		"202 with a receipt":      {fault: emulator.Fault{Status: 202}, want: peal.Outcome{Class: peal.ClassAccepted}},
		"404":                     {fault: emulator.Fault{Status: 404, Errno: 102}, want: peal.Outcome{Class: peal.ClassGone, Code: codeGone, Device: dead}},
		"410, expired":            {fault: emulator.Fault{Status: 410, Errno: 103}, want: peal.Outcome{Class: peal.ClassGone, Code: codeGone, Device: dead}},
		"410, unsubscribed":       {fault: emulator.Fault{Status: 410, Errno: 106}, want: peal.Outcome{Class: peal.ClassGone, Code: codeGone, Device: dead}},
		"400, it worked before":   {fault: emulator.Fault{Status: 400}, want: peal.Outcome{Class: peal.ClassPermanent, Code: codeRefused}},
		"400, it never worked":    {fault: emulator.Fault{Status: 400}, before: never, want: peal.Outcome{Class: peal.ClassPermanent, Code: codeRefused, Device: dead}},
		"401":                     {fault: emulator.Fault{Status: 401, Reason: "BadJwtToken"}, want: peal.Outcome{Class: peal.ClassGone, Code: codeVAPID, Device: dead}},
		"403":                     {fault: emulator.Fault{Status: 403, Reason: "VapidPkHashMismatch"}, want: peal.Outcome{Class: peal.ClassGone, Code: codeVAPID, Device: dead}},
		"413":                     {fault: emulator.Fault{Status: 413}, want: peal.Outcome{Class: peal.ClassPermanent, Code: codeTooLarge}},
		"429 with seconds":        {fault: emulator.Fault{Status: 429, RetryAfter: "7"}, want: throttled(7 * time.Second)},
		"429 with a date":         {fault: emulator.Fault{Status: 429, RetryAfterIn: 90 * time.Second}, want: throttled(90 * time.Second)},
		"429 of ntfy":             {fault: emulator.Fault{Status: 429}, want: throttled(time.Minute)},
		"429 with nonsense":       {fault: emulator.Fault{Status: 429, RetryAfter: "soon"}, want: throttled(time.Minute)},
		"429, a year":             {fault: emulator.Fault{Status: 429, RetryAfter: "31536000"}, want: throttled(24 * time.Hour)},
		"507":                     {fault: emulator.Fault{Status: 507}, want: peal.Outcome{Class: peal.ClassTemporary, Code: codeSubscriber, RetryAfter: time.Hour, Device: doubts}},
		"301":                     {fault: emulator.Fault{Status: 301, Location: "https://push.example.com/new"}, want: peal.Outcome{Class: peal.ClassPermanent, Code: codeMoved, Device: doubts}},
		"308 without a place":     {fault: emulator.Fault{Status: 308}, want: peal.Outcome{Class: peal.ClassPermanent, Code: codeMoved, Device: doubts}},
		"302":                     {fault: emulator.Fault{Status: 302, Location: "https://example.com/login"}, want: temporary(codeRedirect, 10*time.Second, doubts)},
		"408":                     {fault: emulator.Fault{Status: 408}, want: temporary("http_408", 10*time.Second, peal.DeviceWord{})},
		"500":                     {fault: emulator.Fault{Status: 500}, want: temporary("http_500", 10*time.Second, peal.DeviceWord{})},
		"502 of a proxy":          {fault: emulator.Fault{Status: 502, Body: "<html>", ContentType: "text/html"}, want: temporary("http_502", 10*time.Second, peal.DeviceWord{})},
		"503 with less than 10 s": {fault: emulator.Fault{Status: 503, RetryAfter: "2"}, want: temporary("http_503", 10*time.Second, peal.DeviceWord{})},
		"503 with more":           {fault: emulator.Fault{Status: 503, RetryAfter: "120"}, want: temporary("http_503", 2*time.Minute, peal.DeviceWord{})},
		"406, which nobody knows": {fault: emulator.Fault{Status: 406}, want: peal.Outcome{Class: peal.ClassPermanent, Code: "http_406"}},
		"an answer of 1 MB":       {fault: emulator.Fault{Status: 500, Body: strings.Repeat("x", 1<<20)}, want: temporary("http_500", 10*time.Second, peal.DeviceWord{})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, emulator.Options{})
			b.now = b.now.Truncate(time.Second) // dates have no more
			d := b.subscribe(t)
			if c.before == never {
				d.LastOKAt = time.Time{}
			}
			c.fault.Kind = emulator.FaultStatus
			b.fault(t, c.fault)
			out := b.client.Send(t.Context(), message(d))
			if c.want.Quiet != "" {
				c.want.Quiet = "origin:" + b.http.URL
			}
			accepted := out.Class == peal.ClassAccepted
			if accepted != (out.MessageID != "") || accepted == (out.Reason != "") {
				t.Errorf("got message id %q and reason %q", out.MessageID, out.Reason)
			}
			out.MessageID, out.Reason, out.Took = "", "", 0
			if out != c.want {
				t.Errorf("got  %+v\nwant %+v", out, c.want)
			}
		})
	}
}

func throttled(wait time.Duration) peal.Outcome {
	return peal.Outcome{Class: peal.ClassThrottled, Code: codeThrottled, Pause: peal.PauseThrottled, Quiet: "its origin", RetryAfter: wait}
}

func temporary(code string, wait time.Duration, word peal.DeviceWord) peal.Outcome {
	return peal.Outcome{Class: peal.ClassTemporary, Code: code, RetryAfter: wait, Device: word}
}

// TestNobodyListens: a subscription without a subscriber is given up when that lasts for days, from when it last worked or
// was registered.
func TestNobodyListens(t *testing.T) {
	t.Parallel()
	b := setup(t, emulator.Options{})
	b.fault(t, emulator.Fault{Kind: emulator.FaultStatus, Status: http.StatusInsufficientStorage, Every: true})
	const week = 7 * 24 * time.Hour
	for name, c := range map[string]struct {
		registered, worked time.Duration // ago
		want               peal.Class
	}{
		"just registered":        {time.Minute, 0, peal.ClassTemporary},
		"worked a day ago":       {4 * week, 24 * time.Hour, peal.ClassTemporary},
		"registered a day ago":   {24 * time.Hour, 4 * week, peal.ClassTemporary},
		"never worked in a week": {week + time.Hour, 0, peal.ClassGone},
		"worked a week ago":      {4 * week, week + time.Hour, peal.ClassGone},
	} {
		d := b.subscribe(t)
		d.RegisteredAt, d.LastOKAt = b.now.Add(-c.registered), time.Time{}
		if c.worked > 0 {
			d.LastOKAt = b.now.Add(-c.worked)
		}
		if out := b.client.Send(t.Context(), message(d)); out.Class != c.want || (out.Device == dead) != (c.want == peal.ClassGone) || out.Code != codeSubscriber {
			t.Errorf("%s: %+v", name, out)
		}
	}
}

func TestWhatReachesTheBrowser(t *testing.T) {
	t.Parallel()
	b := setup(t, emulator.Options{})
	d := b.subscribe(t)
	m := message(d)
	m.ExpiresAt = b.now.Add(90 * time.Second)
	m.Content.Push.Data = map[string]string{"order": "7"}
	badge := 3
	m.Content.Push.Badge = &badge
	out := b.client.Send(t.Context(), m)
	all := b.emu.Messages(emulator.Query{})
	if out.Class != peal.ClassAccepted || len(all) != 1 {
		t.Fatalf("got %+v, and %d messages", out, len(all))
	}
	got := all[0]
	if got.ID != out.MessageID || got.TTL != 90 || got.Urgency != "high" || len(got.Topic) != topicSize {
		t.Errorf("got %+v for %s", got, out.MessageID)
	}
	if s := got.Shown; !s.Declarative || s.Title != "Your order" || s.Data["peal.delivery_id"] != m.DeliveryID || s.Data["order"] != "7" || *s.Badge != 3 {
		t.Errorf("shown %+v", s)
	}
	if (got.BodyBytes-headerSize-tagSize)%bucket != 0 {
		t.Errorf("a body of %d bytes is not padded", got.BodyBytes)
	}
}

// TestWhatAcceptTookIsSent has an app whose origin makes the text a little longer than it was at accept.
func TestWhatAcceptTookIsSent(t *testing.T) {
	t.Parallel()
	b := setup(t, emulator.Options{})
	m := message(b.subscribe(t))
	m.Device.AppID = "https://shop.example.com"
	m.Content.Push.Link = ""
	for n := maxPlaintext; ; n-- {
		m.Content.Push.Body = strings.Repeat("x", n)
		if len((Kind{}).CheckContent(&m.Content)) == 0 {
			break
		}
	}
	if out := b.client.Send(t.Context(), m); out.Class != peal.ClassAccepted {
		t.Errorf("got %+v", out)
	}
	m.Content.Push.Body += strings.Repeat("x", 100)
	if out := b.client.Send(t.Context(), m); out.Class != peal.ClassPermanent || out.Code != codeTooLarge {
		t.Errorf("got %+v", out)
	}
}

func TestRefusalsOfOurKey(t *testing.T) {
	t.Parallel()
	b := setup(t, emulator.Options{})
	d := b.subscribe(t)
	b.fault(t, emulator.Fault{Kind: emulator.FaultStatus, Status: http.StatusForbidden, Every: true})
	var classes []peal.Class
	for range burst {
		classes = append(classes, b.client.Send(t.Context(), message(d)).Class)
	}
	for i, class := range classes {
		want := peal.ClassPermanent
		switch {
		case i < doubtful-1:
			want = peal.ClassGone
		case i == burst-1:
			want = peal.ClassIntegration
		}
		if class != want {
			t.Errorf("refusal %d: got %s, want %s", i+1, class, want)
		}
	}
	b.emu.ClearFaults() // the key is good after all: a refusal is about one device again
	for range window {
		if out := b.client.Send(t.Context(), message(d)); out.Class != peal.ClassAccepted {
			t.Fatalf("got %+v", out)
		}
	}
	b.fault(t, emulator.Fault{Kind: emulator.FaultStatus, Status: http.StatusForbidden})
	if out := b.client.Send(t.Context(), message(d)); out.Class != peal.ClassGone || out.Device != dead {
		t.Errorf("got %+v", out)
	}
}

func TestMessageIDs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		location, body, want string
	}{
		"resource":      {"https://push.example.com/m/abc-1", "", "abc-1"},
		"relative":      {"/message/abc", "", "abc"},
		"long resource": {"https://push.example.com/m/" + strings.Repeat("x", 200), "", digest("https://push.example.com/m/" + strings.Repeat("x", 200))},
		"ntfy":          {"", `{"id":"b7Gx"}`, "b7Gx"},
		"nothing":       {"", "", "d-1"},
		"junk":          {"", `{"id":7}`, "d-1"},
		"a text":        {"", "ok", "d-1"},
	} {
		r := &reply{status: 201, header: http.Header{}, body: []byte(c.body)}
		if c.location != "" {
			r.header.Set("Location", c.location)
		}
		if got := messageID(r, "d-1"); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestWordsWithoutSecrets(t *testing.T) {
	t.Parallel()
	b := setup(t, emulator.Options{})
	d := b.subscribe(t)
	m := message(d)
	for body, want := range map[string]string{
		`{"reason":"BadJwtToken"}`:                               "the push service answered 403 Forbidden: BadJwtToken",
		`{"errno":109,"message":"no key ` + d.P256dh + ` here"}`: "the push service answered 403 Forbidden: no key […] here",
		"see https://push.example.com/x?y=z":                     "the push service answered 403 Forbidden: see […]",
		"<html><body>no</body></html>":                           "the push service answered 403 Forbidden",
		"token eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.e.x\x00":     "the push service answered 403 Forbidden: token […]",
		"\xff\xfe": "the push service answered 403 Forbidden",
	} {
		if got := b.client.words(&reply{status: 403, body: []byte(body)}, m); got != want {
			t.Errorf("%q: got %q, want %q", body, got, want)
		}
	}
}

package webpush_test

import (
	"context"
	"encoding/json"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"peal/emulator/webpush"
)

// TestEveryAnswer has a row for each answer a push service is known to give.
func TestEveryAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, webpush.Options{})
	sub := b.subscribe()
	status := func(f webpush.Fault) webpush.Fault { f.Kind = webpush.FaultStatus; return f }
	date := b.now.Add(2 * time.Minute).UTC().Format(http.TimeFormat)
	for name, tc := range map[string]struct {
		fault  webpush.Fault
		header string
		want   string // of the header, else in the body
		errno  int
	}{
		"202":                       {status(webpush.Fault{Status: 202, TakeFirst: true}), "", "", 0},
		"404":                       {status(webpush.Fault{Status: 404}), "", "Not Found", 102},
		"404 expired":               {status(webpush.Fault{Status: 404, Errno: 103}), "", "", 103},
		"410":                       {status(webpush.Fault{Status: 410}), "", "Gone", 106},
		"410 errno 103":             {status(webpush.Fault{Status: 410, Errno: 103}), "", "", 103},
		"410 errno 105":             {status(webpush.Fault{Status: 410, Errno: 105}), "", "", 105},
		"400":                       {status(webpush.Fault{Status: 400}), "", "", 110},
		"401":                       {status(webpush.Fault{Status: 401}), "", "", 109},
		"403":                       {status(webpush.Fault{Status: 403}), "", "", 109},
		"403 of Apple":              {status(webpush.Fault{Status: 403, Reason: "BadJwtToken"}), "", `{"reason":"BadJwtToken"}`, 0},
		"400 of Apple":              {status(webpush.Fault{Status: 400, Reason: "VapidPkHashMismatch"}), "", `{"reason":"VapidPkHashMismatch"}`, 0},
		"413":                       {status(webpush.Fault{Status: 413}), "", "", 104},
		"429 with seconds":          {status(webpush.Fault{Status: 429, RetryAfter: "30"}), "Retry-After", "30", 0},
		"429 with a date":           {status(webpush.Fault{Status: 429, RetryAfterIn: 2 * time.Minute}), "Retry-After", date, 0},
		"429 of ntfy, without":      {status(webpush.Fault{Status: 429}), "Retry-After", "", 0},
		"507":                       {status(webpush.Fault{Status: 507}), "", "previously active subscriber", 0},
		"301":                       {status(webpush.Fault{Status: 301, Location: "https://example.com/new"}), "Location", "https://example.com/new", 0},
		"308":                       {status(webpush.Fault{Status: 308, Location: "http://169.254.169.254/"}), "Location", "http://169.254.169.254/", 0},
		"500":                       {status(webpush.Fault{Status: 500}), "", "", 201},
		"502 in HTML":               {status(webpush.Fault{Status: 502, Body: "<html>", ContentType: "text/html"}), "Content-Type", "text/html", 0},
		"503 with Retry-After":      {status(webpush.Fault{Status: 503, RetryAfter: "10"}), "Retry-After", "10", 201},
		"503 after it was taken":    {status(webpush.Fault{Status: 503, TakeFirst: true}), "", "", 201},
		"an empty body, with delay": {status(webpush.Fault{Status: 204, Delay: time.Millisecond}), "", "", 0},
	} {
		tc.fault.Endpoint = sub.Endpoint
		before := b.emu.Counts().Accepted
		b.fault(tc.fault)
		a := b.push(sub, "x", tc.fault.Status)
		if a.errno() != tc.errno {
			t.Errorf("%s: %s", name, a.body)
		}
		if tc.header != "" && a.header.Get(tc.header) != tc.want || tc.header == "" && !strings.Contains(a.body, tc.want) {
			t.Errorf("%s: %v %s", name, a.header, a.body)
		}
		if taken := b.emu.Counts().Accepted > before; taken != (tc.fault.TakeFirst && tc.fault.Status < 300) && !tc.fault.TakeFirst {
			t.Errorf("%s: taken is %v", name, taken)
		}
	}
	b.push(sub, "x", 201)
}

func TestFaultsMatch(t *testing.T) {
	t.Parallel()
	b := setup(t, webpush.Options{})
	one, two := b.subscribe(), b.subscribe()
	b.fault(webpush.Fault{Kind: webpush.FaultStatus, Status: 500, Endpoint: one.Endpoint, Times: 2})
	b.push(two, "x", 201)
	b.push(one, "x", 500)
	b.push(one, "x", 500)
	b.push(one, "x", 201)
	id := b.fault(webpush.Fault{Kind: webpush.FaultStatus, Status: 503, Every: true})
	b.push(one, "x", 503)
	b.push(two, "x", 503)
	if f := b.emu.Faults(); len(f) != 2 || !f[0].Done || f[1].Hits != 2 {
		t.Errorf("%+v", f)
	}
	if err := b.emu.RemoveFault(id); err != nil || b.emu.RemoveFault(id) == nil {
		t.Error("remove", err)
	}
	b.push(one, "x", 201)
	for _, f := range []webpush.Fault{
		{},
		{Kind: webpush.FaultStatus},
		{Kind: webpush.FaultDelay},
		{Kind: webpush.FaultHold, Status: 500},
		{Kind: webpush.FaultDropBefore, TakeFirst: true},
		{Kind: webpush.FaultStatus, Status: 500, Times: -1},
		{Kind: webpush.FaultStatus, Status: 500, Times: 1, Every: true},
		{Kind: webpush.FaultStatus, Status: 500, Body: "x", Reason: "y"},
		{Kind: webpush.FaultStatus, Status: 500, RetryAfter: "1", RetryAfterIn: 1},
		{Kind: webpush.FaultStatus, Status: 500, RetryAfter: "1\r\nX: y"},
		{Kind: webpush.FaultStatus, Status: 500, Delay: time.Hour},
	} {
		if _, err := b.emu.AddFault(f); err == nil {
			t.Errorf("taken: %+v", f)
		}
	}
}

func TestConnectionsAreDropped(t *testing.T) {
	t.Parallel()
	b := setup(t, webpush.Options{})
	sub := b.subscribe()
	b.fault(webpush.Fault{Kind: webpush.FaultDropBefore})
	if a, err := b.do(b.request(sub, seal(t, sub, "one", 0))); err == nil {
		t.Errorf("answered %+v", a)
	}
	if len(b.seen()) != 0 {
		t.Error("taken")
	}
	b.fault(webpush.Fault{Kind: webpush.FaultDropAfter})
	if a, err := b.do(b.request(sub, seal(t, sub, "two", 0))); err == nil {
		t.Errorf("answered %+v", a)
	}
	m := b.emu.Messages(webpush.Query{Contains: "two"})
	if c := b.emu.Counts(); len(m) != 1 || !m[0].AnswerLost || c.AnswerLost != 1 || c.Faulted != 1 || c.ByStatus[0] != 2 {
		t.Errorf("%+v %+v", m, c)
	}
}

func TestHeldPushesAreReleased(t *testing.T) {
	t.Parallel()
	b := setup(t, webpush.Options{Latency: time.Millisecond})
	sub := b.subscribe()
	id := b.fault(webpush.Fault{Kind: webpush.FaultHold, TakeFirst: true})
	answered := make(chan answer, 1)
	req := b.request(sub, seal(t, sub, "x", 0))
	go func() {
		a, _ := b.do(req)
		answered <- a
	}()
	for len(b.emu.Messages(webpush.Query{})) == 0 {
		select {
		case a := <-answered:
			t.Fatalf("answered %+v", a)
		default:
		}
	}
	if err := b.emu.RemoveFault(id); err != nil {
		t.Fatal(err)
	}
	if a := <-answered; a.status != 201 {
		t.Errorf("%+v", a)
	}
	b.emu.Close()
	b.emu.Close()
	b.push(sub, "x", 503)
}

func TestNtfy(t *testing.T) {
	t.Parallel()
	b := setup(t, webpush.Options{})
	sub := b.ntfy()
	if !strings.HasPrefix(sub.Endpoint, b.url+"/up") || len(sub.Endpoint) != len(b.url)+len("/up")+12 {
		t.Error(sub.Endpoint)
	}
	none := set("Authorization")
	a := b.push(sub, "hello", 200, set("TTL"), none)
	if a.json["event"] != "message" || a.json["expires"].(float64)-a.json["time"].(float64) != 43200 || a.header.Get("Location") != "" {
		t.Error(a.body)
	}
	b.raw(sub, seal(t, sub, strings.Repeat("a", 3994), 0), 200, none) // 4097 bytes: cut off
	m := b.emu.Messages(webpush.Query{})
	if m[0].State != webpush.StateBroken || m[0].BodyBytes != 4096 || m[1].Shown.Platform != "android" || m[1].Text != "hello" {
		t.Errorf("%+v", m)
	}
	req := b.request(sub, nil)
	req.Method, req.URL.RawQuery = http.MethodGet, "up=1"
	if a, err := b.do(req); err != nil || a.status != 200 || a.body != `{"unifiedpush":{"version":1}}` {
		t.Errorf("%+v %v", a, err)
	}

	signed, err := b.emu.SubscribeWith(webpush.SubscribeOptions{Ntfy: true, VAPIDPublicKey: public(b.key)})
	if err != nil {
		t.Fatal(err)
	}
	b.push(signed, "x", 200)
	b.push(signed, "x", 401, set("Authorization", "vapid x"))
}

func TestSubscriptionsEnd(t *testing.T) {
	t.Parallel()
	b := setup(t, webpush.Options{})
	sub := b.subscribe()
	gone := func(status int) {
		t.Helper()
		if err := b.emu.SetGone(sub.Endpoint, status); err != nil {
			t.Fatal(err)
		}
	}
	gone(410)
	if a := b.push(sub, "x", 410); a.errno() != 106 {
		t.Error(a.body)
	}
	gone(404)
	if a := b.push(sub, "x", 404); a.errno() != 103 {
		t.Error(a.body)
	}
	gone(0)
	b.push(sub, "x", 201)
	if b.emu.SetGone(sub.Endpoint, 500) == nil || b.emu.Unsubscribe(b.url+"/push/none") == nil {
		t.Error("taken")
	}
	if err := b.emu.Unsubscribe(sub.Endpoint); err != nil {
		t.Fatal(err)
	}
	b.push(sub, "x", 410)

	short, err := b.emu.SubscribeWith(webpush.SubscribeOptions{VAPIDPublicKey: public(b.key), Lifetime: time.Hour})
	if err != nil || short.ExpirationTime == nil || *short.ExpirationTime != b.now.Add(time.Hour).UnixMilli() {
		t.Fatal(short, err)
	}
	b.push(short, "x", 201)
	b.pass(time.Hour)
	b.push(short, "x", 404)
	unknown := sub
	unknown.Endpoint = b.url + "/push/nobody"
	if a := b.push(unknown, "x", 404); a.errno() != 102 {
		t.Error(a.body)
	}
	if c := b.emu.Counts(); c.Gone != 4 || c.Unknown != 1 {
		t.Errorf("%+v", c)
	}
	text, err := json.Marshal(sub)
	if want := `"expirationTime":null,"keys":{"p256dh":"`; err != nil || !strings.Contains(string(text), want) {
		t.Errorf("%s", text)
	}
}

func TestSubscribeRefuses(t *testing.T) {
	t.Parallel()
	emu := webpush.New(webpush.Options{})
	if _, err := emu.Subscribe(public(newKey(t))); err == nil || !strings.Contains(err.Error(), "origin") {
		t.Error(err)
	}
	for _, origin := range []string{"", "127.0.0.1:1", "ftp://a", "http://a/b", "http://a?b=c"} {
		if emu.SetOrigin(origin) == nil {
			t.Errorf("taken: %q", origin)
		}
	}
	if err := emu.SetOrigin("https://push.example.com/"); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", "AAAA", public(newKey(t)) + "=", "not base64!"} {
		if _, err := emu.Subscribe(key); err == nil || !strings.Contains(err.Error(), "vapid_public_key") {
			t.Errorf("%q: %v", key, err)
		}
	}
	sub, err := emu.Subscribe(public(newKey(t)))
	if err != nil || !strings.HasPrefix(sub.Endpoint, "https://push.example.com/push/") {
		t.Error(sub, err)
	}
}

func TestHeldPushesEndWithTheirCaller(t *testing.T) {
	t.Parallel()
	b := setup(t, webpush.Options{})
	sub := b.subscribe()
	b.fault(webpush.Fault{Kind: webpush.FaultHold, Every: true})
	ctx, cancel := context.WithCancel(t.Context())
	req := b.request(sub, seal(t, sub, "x", 0)).WithContext(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if a, err := b.do(req); err == nil {
			t.Errorf("answered %+v", a)
		}
	}()
	for b.emu.Faults()[0].Hits == 0 {
		runtime.Gosched()
	}
	cancel()
	<-done
	for b.emu.Counts().ByStatus[0] == 0 { // its request has ended, too
		runtime.Gosched()
	}
}

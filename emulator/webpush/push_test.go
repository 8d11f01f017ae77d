package webpush_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"peal/emulator/webpush"
)

const declared = `{"web_push":8030,"notification":{"title":"Hi","body":"there","navigate":"https://example.com/a","lang":"en","icon":"https://example.com/i.png",` +
	`"image":"https://example.com/b.png","tag":"t1","silent":false,"data":{"peal":{"delivery_id":"d1"},"n":7,"none":null},` +
	`"actions":[{"action":"yes","title":"Yes","navigate":"https://example.com/yes"}]},"app_badge":3,"mutable":true}`

func TestPushIsTakenAndShown(t *testing.T) {
	t.Parallel()
	b := setup(t, webpush.Options{})
	sub := b.subscribe()
	a := b.raw(sub, seal(b, sub, declared, 100), 201, set("Urgency", "high"), set("Topic", "abc_-9"))
	if a.header.Get("TTL") != "60" || !strings.HasPrefix(a.header.Get("Location"), b.url+"/message/") || a.body != "" {
		t.Errorf("%v %q", a.header, a.body)
	}
	m := b.emu.Messages(webpush.Query{Endpoint: sub.Endpoint})
	if len(m) != 1 || m[0].Text != declared || m[0].Padding != 100 || m[0].TextBytes != len(declared) || m[0].State != webpush.StateShown ||
		m[0].BodyBytes != len(declared)+203 || m[0].Urgency != "high" || m[0].Topic != "abc_-9" || m[0].TTL != 60 {
		t.Fatalf("%+v", m)
	}
	seen := b.seen()
	if len(seen) != 1 {
		t.Fatalf("shown %+v", seen)
	}
	s := seen[0]
	if !s.Declarative || s.Problem != "" || s.Title != "Hi" || s.Body != "there" || s.Link != "https://example.com/a" || *s.Badge != 3 ||
		s.CollapseKey != "t1" || s.Image != "https://example.com/b.png" || s.Silent || s.Phone != sub.Endpoint || s.Platform != "web" {
		t.Errorf("shown %+v", s)
	}
	if len(s.Actions) != 1 || s.Actions[0] != (webpush.Action{ID: "yes", Title: "Yes", Link: "https://example.com/yes"}) {
		t.Errorf("actions %+v", s.Actions)
	}
	if s.Data["peal.delivery_id"] != "d1" || s.Data["n"] != "7" || len(s.Data) != 2 {
		t.Errorf("data %v", s.Data)
	}
}

func TestOtherTextsAreShown(t *testing.T) {
	t.Parallel()
	b := setup(t, webpush.Options{AllowEmpty: true})
	sub := b.subscribe()
	for _, tc := range []struct {
		text  string
		check func(webpush.Shown) bool
	}{
		{"hello", func(s webpush.Shown) bool { return s.Body == "hello" && string(s.Raw) == `"hello"` && !s.Silent }},
		{"[1]", func(s webpush.Shown) bool { return s.Body == "[1]" }},
		{"\xff", func(s webpush.Shown) bool { return s.Body == "\uFFFD" }},
		{`{"title":"T","body":"B","url":"https://x/","data":{"k":"v"}}`, func(s webpush.Shown) bool {
			return s.Title == "T" && s.Body == "B" && s.Link == "https://x/" && s.Data["k"] == "v" && !s.Declarative && s.Problem == ""
		}},
		{`{"notification":{"title":"T"},"data":{"k":"v"}}`, func(s webpush.Shown) bool { return s.Title == "T" && s.Data["k"] == "v" }},
		{`{"data":{"k":"v"}}`, func(s webpush.Shown) bool { return s.Silent && s.Data["k"] == "v" }},
		{`{"web_push":8030,"notification":{"title":"T"}}`, func(s webpush.Shown) bool {
			return s.Title == "T" && !s.Declarative && strings.Contains(s.Problem, "navigate")
		}},
		{`{"web_push":8030,"notification":{"title":5,"navigate":"https://x/"}}`, func(s webpush.Shown) bool { return !s.Declarative && s.Problem != "" }},
		{`{"web_push":8030,"notification":{"title":"T","navigate":"https://x/","actions":[{"action":"a"}]}}`, func(s webpush.Shown) bool {
			return strings.Contains(s.Problem, "actions[0]")
		}},
		{`{"title":"T","app_badge":"12"}`, func(s webpush.Shown) bool { return s.Badge != nil && *s.Badge == 12 }},
		{`{"title":"T","app_badge":-1}`, func(s webpush.Shown) bool { return s.Badge == nil && s.Problem != "" }},
	} {
		b.push(sub, tc.text, 201)
		seen := b.seen()
		if s := seen[len(seen)-1]; !tc.check(s) {
			t.Errorf("%s: %+v", tc.text, s)
		}
	}
	b.raw(sub, nil, 201, set("Content-Encoding"))
	if seen := b.seen(); !seen[len(seen)-1].Silent {
		t.Error("an empty push has something to show")
	}
}

func TestHeadersAreChecked(t *testing.T) {
	t.Parallel()
	b := setup(t, webpush.Options{MaxTTL: time.Hour})
	sub := b.subscribe()
	for _, tc := range []struct {
		name, value string
		status      int
		errno       int
	}{
		{"TTL", "", 400, 111},
		{"TTL", "-1", 400, 112},
		{"TTL", "1.5", 400, 112},
		{"TTL", "60s", 400, 112},
		{"TTL", "0", 201, 0},
		{"TTL", "99999999999999999999", 201, 0},
		{"Urgency", "urgent", 400, 111},
		{"Urgency", "High", 400, 111},
		{"Urgency", "very-low", 201, 0},
		{"Urgency", "low", 201, 0},
		{"Urgency", "normal", 201, 0},
		{"Topic", strings.Repeat("a", 33), 400, 113},
		{"Topic", "a b", 400, 113},
		{"Topic", "a+b", 400, 113},
		{"Topic", strings.Repeat("a", 32), 201, 0},
		{"Content-Encoding", "", 400, 101},
		{"Content-Encoding", "aesgcm", 400, 101},
	} {
		change := set(tc.name)
		if tc.value != "" {
			change = set(tc.name, tc.value)
		}
		if a := b.push(sub, "x", tc.status, change); a.errno() != tc.errno {
			t.Errorf("%s %q: %s", tc.name, tc.value, a.body)
		}
	}
	if a := b.push(sub, "x", 201, set("TTL", "7200")); a.header.Get("TTL") != "3600" {
		t.Errorf("granted %s", a.header.Get("TTL"))
	}
	b.push(sub, "x", 400, set("TTL", "1", "2"))
	req := b.request(sub, nil)
	req.Method = http.MethodPut
	if a, err := b.do(req); err != nil || a.status != 405 || a.header.Get("Allow") != "POST" {
		t.Errorf("%+v %v", a, err)
	}
}

func TestVAPIDIsChecked(t *testing.T) {
	t.Parallel()
	b := setup(t, webpush.Options{})
	sub := b.subscribe()
	other := newKey(t)
	ok := b.claims(b.url, time.Hour, "mailto:a@example.com")
	good := b.vapid()
	unkeyed, _, _ := strings.Cut(good, ",")
	tampered := strings.Replace(good, "vapid t=", "vapid t=x", 1)
	for name, tc := range map[string]struct {
		header string
		status int
		want   string
	}{
		"another key":      {sign(other, es256, ok), 403, "another VAPID key"},
		"not vapid":        {"Bearer abc", 401, "vapid t="},
		"the old scheme":   {"WebPush " + good[8:], 401, "vapid t="},
		"no k":             {unkeyed, 401, "parameters t and k"},
		"t twice":          {good + ", t=a", 401, "twice"},
		"k of another":     {strings.Replace(good, public(b.key), public(other), 1), 401, "does not verify"},
		"k is no point":    {"vapid t=a.b.c, k=AAAA", 401, "k: "},
		"tampered":         {tampered, 401, "token"},
		"two parts":        {"vapid t=a.b, k=" + public(b.key), 401, "three parts"},
		"alg none":         {sign(b.key, `{"alg":"none"}`, ok), 401, "alg"},
		"another typ":      {sign(b.key, `{"alg":"ES256","typ":"JWE"}`, ok), 401, "typ"},
		"aud with a path":  {sign(b.key, es256, b.claims(b.url+"/", time.Hour, "mailto:a@example.com")), 401, "aud"},
		"aud elsewhere":    {sign(b.key, es256, b.claims("https://example.com", time.Hour, "mailto:a@example.com")), 401, "aud"},
		"expired":          {sign(b.key, es256, b.claims(b.url, -time.Second, "mailto:a@example.com")), 401, "expired"},
		"too far ahead":    {sign(b.key, es256, b.claims(b.url, 25*time.Hour, "mailto:a@example.com")), 401, "24h"},
		"exp is a text":    {sign(b.key, es256, `{"aud":"`+b.url+`","exp":"soon"}`), 401, "claims"},
		"no exp":           {sign(b.key, es256, `{"aud":"`+b.url+`","sub":"mailto:a@example.com"}`), 401, "exp"},
		"no sub":           {sign(b.key, es256, b.claims(b.url, time.Hour, "")), 401, "sub"},
		"sub is a name":    {sign(b.key, es256, b.claims(b.url, time.Hour, "ops")), 401, "sub"},
		"sub with a space": {sign(b.key, es256, b.claims(b.url, time.Hour, "mailto: <a@example.com>")), 401, "sub"},
		"sub is http":      {sign(b.key, es256, b.claims(b.url, time.Hour, "http://example.com")), 401, "sub"},
		"sub is https":     {sign(b.key, es256, b.claims(b.url, time.Hour, "https://example.com")), 201, ""},
		"params swapped":   {"VAPID k=" + public(b.key) + ",t=" + strings.TrimPrefix(strings.Split(good, ",")[0], "vapid t="), 201, ""},
	} {
		a := b.push(sub, "x", tc.status, set("Authorization", tc.header))
		if !strings.Contains(a.body, tc.want) || (tc.status != 201 && a.errno() != 109) {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	b.push(sub, "x", 401, set("Authorization"))
	if c := b.emu.Counts(); c.Unauthorized != 22 || c.Accepted != 2 {
		t.Errorf("%+v", c)
	}

	b.pass(13 * time.Hour) // a token that was good, and is remembered
	b.push(sub, "x", 401, set("Authorization", good))
}

func TestATokenIsVerifiedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, webpush.Options{AllowNoSubject: true})
	sub, second := b.subscribe(), b.subscribe()
	header := sign(b.key, es256, `{"aud":"`+b.url+`","exp":`+b.claimsExp()+`}`)
	for range 10 {
		b.push(sub, "x", 201, set("Authorization", header))
		b.push(second, "x", 201, set("Authorization", header))
	}
	if c := b.emu.Counts(); c.Signatures != 1 || c.Accepted != 20 {
		t.Errorf("%+v", c)
	}
}

func (b *bench) claimsExp() string {
	_, rest, _ := strings.Cut(b.claims("", time.Hour, ""), `"exp":`)
	exp, _, _ := strings.Cut(rest, ",")
	return exp
}

func TestBodyIsChecked(t *testing.T) {
	t.Parallel()
	b := setup(t, webpush.Options{})
	sub, other := b.subscribe(), b.subscribe()
	b.push(sub, strings.Repeat("a", 3993), 201) // 4096 bytes
	if a := b.push(sub, strings.Repeat("a", 3994), 413); a.errno() != 104 {
		t.Error(a.body)
	}
	b.raw(sub, make([]byte, 100_000), 413)
	b.raw(sub, nil, 400)
	b.raw(sub, []byte("no ciphertext"), 400)
	if a := b.raw(sub, seal(t, other, "x", 0), 400); a.errno() != 110 || !strings.Contains(a.body, "keys of this subscription") {
		t.Error(a.body)
	}
	if c := b.emu.Counts(); c.Accepted != 1 || c.Invalid != 5 || c.ByStatus[413] != 2 || c.ByStatus[400] != 3 || c.TextBytes != 3993 {
		t.Errorf("%+v", c)
	}
}

func TestBlindTakesWhatIsBroken(t *testing.T) {
	t.Parallel()
	b := setup(t, webpush.Options{Blind: true})
	sub, other := b.subscribe(), b.subscribe()
	b.raw(sub, seal(t, other, "x", 0), 201)
	m := b.emu.Messages(webpush.Query{})
	if len(m) != 1 || m[0].State != webpush.StateBroken || m[0].Problem == "" || len(b.seen()) != 0 || b.emu.Counts().Broken != 1 {
		t.Errorf("%+v", m)
	}
}

func TestOneInManyIsDecrypted(t *testing.T) {
	t.Parallel()
	b := setup(t, webpush.Options{DecryptOneIn: 5})
	sub := b.subscribe()
	for range 20 {
		b.push(sub, "x", 201)
	}
	if c := b.emu.Counts(); c.Accepted != 20 || c.Shown != 4 {
		t.Errorf("%+v", c)
	}
}

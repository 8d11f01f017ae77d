package providertest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"peal/internal/peal"
)

func testWebhooks(t *testing.T, s *Suite) {
	if s.NoWebhooks {
		body := []byte(`{"event":"sent"}`)
		if s.Kind.CheckWebhook(s.Integration("http://provider.invalid"), http.Header{}, body) {
			t.Error("the provider has no webhooks, and one is let in")
		}
		if facts, err := s.Kind.ParseWebhook(http.Header{}, body); err == nil || len(facts) > 0 {
			t.Errorf("the provider has no webhooks, and one is understood: %v", facts)
		}
	}
	for name, body := range s.Webhooks {
		kept := bytes.Clone(body)
		facts, err := s.Kind.ParseWebhook(http.Header{}, body)
		if err != nil || len(facts) == 0 {
			t.Errorf("%s: got %d facts and %v, want at least one fact", name, len(facts), err)
		}
		if !bytes.Equal(kept, body) {
			t.Errorf("%s: the body was changed", name)
		}
		for _, f := range facts {
			if (f.Evidence == nil) == (f.Session == nil) {
				t.Errorf("%s: a fact is evidence or of the session: %+v", name, f)
			}
			e := f.Evidence
			if e == nil {
				continue
			}
			s.checkDiscreet(t, s.Integration("http://provider.invalid"), fmt.Sprintf("%+v", *e))
			if e.MessageID == "" && e.MessageKey == "" || e.IntegrationID != "" {
				t.Errorf("%s: evidence names a message and leaves the integration to the caller: %+v", name, e)
			}
			if e.Status != "" && e.Status != peal.Failed && e.Status.Rank() < peal.Sent.Rank() {
				t.Errorf("%s: evidence does not say %s", name, e.Status)
			}
			if !e.At.IsZero() && e.At.Location() != time.UTC {
				t.Errorf("%s: the time is not in UTC: %v", name, e.At)
			}
		}
	}
}

func testWebhookSecret(t *testing.T, s *Suite) {
	in := s.Integration("http://provider.invalid")
	other := s.Integration("http://provider.invalid")
	for name := range other.Credentials {
		other.Credentials[name] += "-other"
	}
	bare := s.Integration("http://provider.invalid")
	bare.Credentials = map[string]string{}
	for name, body := range s.Webhooks {
		right, wrong, none := http.Header{}, http.Header{}, http.Header{}
		s.Sign(in, right, body)
		s.Sign(other, wrong, body)
		s.Sign(bare, none, body)
		for _, c := range []struct {
			what   string
			in     *peal.Integration
			header http.Header
			want   bool
		}{
			{"right", in, right, true},
			{"wrong", in, wrong, false},
			{"absent", in, http.Header{}, false},
			{"no header at all", in, nil, false},
			{"of an empty secret", in, none, false},
			{"of an empty secret, to an integration without one", bare, none, false},
			{"right, to an integration without one", bare, right, false},
			{"absent, to an integration without one", bare, http.Header{}, false},
		} {
			if got := s.Kind.CheckWebhook(c.in, c.header, body); got != c.want {
				t.Errorf("%s: secret %s: got %v", name, c.what, got)
			}
		}
		for key := range right {
			empty := right.Clone()
			empty[key] = []string{""}
			if s.Kind.CheckWebhook(in, empty, body) {
				t.Errorf("%s: taken with an empty %s", name, key)
			}
		}
	}
}

// testWebhookJunk feeds the parser what no provider sends: it may say what it likes, as long as it says it.
func testWebhookJunk(t *testing.T, s *Suite) {
	try := func(body []byte) {
		defer func() {
			if p := recover(); p != nil {
				t.Errorf("%.200q: panic: %v", body, p)
			}
		}()
		facts, err := s.Kind.ParseWebhook(http.Header{}, body)
		if err != nil && len(facts) > 0 {
			t.Errorf("%.200q: %d facts beside the error %v", body, len(facts), err)
		}
	}
	for _, junk := range []string{"", "null", "0", `""`, "{}", "[]", "[[]]", "[null]", "{\"", "\x00", "\xff\xfe", "<?xml?>", "a=b&c=d"} {
		try([]byte(junk))
	}
	try(bytes.Repeat([]byte("["), 100_000))
	try(bytes.Repeat([]byte(`{"data":`), 20_000))
	if _, err := s.Kind.ParseWebhook(nil, nil); err == nil {
		t.Error("nothing at all is taken for a webhook")
	}
	random := rand.New(rand.NewPCG(1, 2))
	values := [][]byte{[]byte("null"), []byte("{}"), []byte("[]"), []byte(`"x"`), []byte("-1"), []byte("1e999"), []byte("true")}
	for _, body := range s.Webhooks {
		for i := range body {
			try(body[:i])
		}
		for range 500 {
			try(mutate(random, body, values))
		}
	}
}

// mutate changes some bytes, or puts another value behind one of the colons.
func mutate(random *rand.Rand, body []byte, values [][]byte) []byte {
	b := bytes.Clone(body)
	if random.IntN(2) == 0 {
		for range 1 + random.IntN(4) {
			b[random.IntN(len(b))] = byte(random.IntN(256))
		}
		return b
	}
	from := random.IntN(len(b))
	colon := bytes.IndexByte(b[from:], ':')
	if colon < 0 {
		return b[:from]
	}
	colon += from + 1
	end := bytes.IndexAny(b[colon:], ",}]")
	if end < 0 {
		return b[:colon]
	}
	value := values[random.IntN(len(values))]
	return append(append(append([]byte{}, b[:colon]...), value...), b[colon+end:]...)
}

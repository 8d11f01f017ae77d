package providertest

import (
	"errors"
	"net/url"
	"slices"
	"testing"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
)

func testKind(t *testing.T, s *Suite) {
	k := s.Kind
	if k.Name() == "" || k.Channel() == "" {
		t.Errorf("it has no name or no channel: %q, %q", k.Name(), k.Channel())
	}
	d := k.Defaults()
	if s.NoBaseURL {
		if d.BaseURL != "" {
			t.Errorf("the default base URL is %q, want none", d.BaseURL)
		}
	} else if u, err := url.Parse(d.BaseURL); err != nil || u.Scheme != "https" || u.Host == "" {
		t.Errorf("the default base URL is %q, want a https one", d.BaseURL)
	}
	if d.Limit.Rate < 0 || d.Limit.Rate > 0 && (d.Limit.Period <= 0 || d.Limit.Burst < 1) {
		t.Errorf("the default limit is %+v", d.Limit)
	}
	switch d.OnUnknown {
	case peal.Reconcile, peal.Hold, peal.Resend:
	default:
		t.Errorf("the default policy is %q", d.OnUnknown)
	}
	for i, c := range d.Checks {
		if c <= 0 || i > 0 && c <= d.Checks[i-1] {
			t.Errorf("the checks do not rise: %v", d.Checks)
		}
	}
	names := map[string]bool{}
	for _, c := range k.Credentials() {
		if c.Name == "" || c.Help == "" || names[c.Name] {
			t.Errorf("a credential without name or help, or twice: %+v", c)
		}
		names[c.Name] = true
	}
	for name := range s.Integration("http://provider.invalid").Credentials {
		if !names[name] {
			t.Errorf("the suite's integration has a credential %s that the kind does not name", name)
		}
	}
	if fields := k.CheckContent(&s.Message.Content); len(fields) > 0 {
		t.Errorf("the suite's message is refused: %+v", fields)
	}
	fields := k.CheckContent(&api.Content{})
	if len(fields) == 0 {
		t.Error("a content that says nothing is taken")
	}
	for _, f := range fields {
		if f.Code == "" || f.Message == "" {
			t.Errorf("a field without code or mend: %+v", f)
		}
	}
}

// testDevices checks what only kinds that reach devices have.
func testDevices(t *testing.T, s *Suite) {
	k, ok := s.Kind.(provider.PushKind)
	if !ok {
		t.Skip("it does not reach devices")
	}
	d := s.message("https://provider.invalid").Device
	if d == nil {
		t.Fatal("the suite's message has no device")
	}
	if k.Channel() != peal.ChannelPush || !slices.Contains(k.Devices(), d.Kind) {
		t.Errorf("channel %s, devices %v: the suite's device is of kind %s", k.Channel(), k.Devices(), d.Kind)
	}
	if fields := k.CheckDevice(d); len(fields) > 0 {
		t.Errorf("the suite's device is refused: %+v", fields)
	}
	for _, kind := range k.Devices() {
		fields := k.CheckDevice(&peal.Device{Kind: kind})
		if len(fields) == 0 {
			t.Errorf("%s: a device without an address is taken", kind)
		}
		for _, f := range fields {
			if f.Path == "" || f.Code == "" || f.Message == "" {
				t.Errorf("%s: a field without path, code or mend: %+v", kind, f)
			}
		}
	}
}

// testOpen opens with settings that cannot work.
func testOpen(t *testing.T, s *Suite) {
	rt := transport()
	refused := func(what string, in *peal.Integration) {
		t.Helper()
		_, err := s.Kind.Open(in, environment(rt))
		var e *peal.Error
		if !errors.As(err, &e) || e.Kind != peal.Invalid {
			t.Errorf("%s: got %v, want a *peal.Error of kind %s", what, err, peal.Invalid)
			return
		}
		s.checkDiscreet(t, in, err.Error())
	}
	bases := []string{"", "provider.invalid", "ftp://provider.invalid", "http://", "https://user:word@provider.invalid", "https://provider.invalid/?a=b", ":"}
	if s.NoBaseURL {
		bases = nil
		in := s.Integration("https://provider.invalid")
		in.BaseURL = "https://provider.invalid"
		refused("a base URL", in)
	}
	for _, base := range bases {
		refused("base URL "+base, s.Integration(base))
	}
	in := s.Integration("https://provider.invalid")
	in.Credentials = nil
	refused("no credentials", in)
	if _, err := s.Kind.Open(s.Integration("https://provider.invalid"), provider.Env{}); err == nil {
		t.Error("opened without a transport, which would go around the guard")
	}
}

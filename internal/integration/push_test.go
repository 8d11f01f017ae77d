package integration_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/internal/integration"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/vault"
)

// pigeon is a kind that reaches devices, and makes its own key.
type pigeon struct{ name string }

var (
	_ provider.PushKind  = pigeon{}
	_ provider.Maker     = pigeon{}
	_ provider.Publisher = pigeon{}
)

func (p pigeon) Name() string  { return p.name }
func (pigeon) Channel() string { return peal.ChannelPush }
func (pigeon) Credentials() []provider.Credential {
	return []provider.Credential{{Name: "key", Required: true}}
}
func (p pigeon) Defaults() provider.Defaults {
	if p.name == "mute" { // its devices bring their own
		return provider.Defaults{}
	}
	return provider.Defaults{BaseURL: "https://pigeon.example.com"}
}
func (pigeon) CheckContent(*api.Content) []peal.Field                    { return nil }
func (pigeon) ParseWebhook(http.Header, []byte) ([]provider.Fact, error) { return nil, nil }
func (pigeon) CheckWebhook(*peal.Integration, http.Header, []byte) bool  { return false }
func (pigeon) Devices() []peal.DeviceKind                                { return []peal.DeviceKind{peal.DeviceFCMToken} }
func (pigeon) CheckDevice(*peal.Device) []peal.Field                     { return nil }
func (pigeon) Public(in *peal.Integration) map[string]string {
	return map[string]string{"public_key": "of " + in.Credentials["key"]}
}

func (pigeon) MakeCredentials(given map[string]string) error {
	if given["key"] == "" {
		given["key"] = "made"
	}
	return nil
}

func (p pigeon) Open(_ *peal.Integration, env provider.Env) (provider.Client, error) {
	if p.name == "mute" {
		return bird{}, nil
	}
	return asked{env: env}, nil
}

type bird struct{ provider.Client }

func (bird) Close() {}

type asked struct {
	bird

	env provider.Env
}

func (a asked) Validate(ctx context.Context, m *provider.Message) peal.Outcome {
	_, err := a.env.Dial(ctx, "tcp", m.Device.Address)
	return peal.Outcome{Class: peal.ClassGone, Code: err.Error(), Reason: m.Content.Push.Body}
}

// flock is a service of kinds that reach devices.
func flock(t *testing.T) *integration.Service {
	t.Helper()
	b := setup(t)
	v, err := vault.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	d := integration.NewDirectory(b.store, v, []provider.Kind{pigeon{"pigeon"}, pigeon{"mute"}}, slog.New(slog.DiscardHandler))
	return integration.NewService(d, b.store, time.Now)
}

func bringing(name, kind string, apps ...string) *api.IntegrationRequest {
	return &api.IntegrationRequest{Name: name, Kind: kind, Settings: api.Settings{Apps: apps}}
}

func TestCredentialsAreMade(t *testing.T) {
	t.Parallel()
	s := flock(t)
	in, err := s.Create(t.Context(), "a", bringing("one", "pigeon"))
	if err != nil {
		t.Fatal(err)
	}
	if in.Credentials["key"] != "made" || s.Public(in)["public_key"] != "of made" {
		t.Errorf("made %v, and public are %v", in.Credentials, s.Public(in))
	}
	req := bringing("two", "pigeon", "app")
	req.Credentials = map[string]string{"key": "given"}
	if in, err = s.Create(t.Context(), "a", req); err != nil || in.Credentials["key"] != "given" {
		t.Errorf("%+v, %v", in, err)
	}
	_, err = s.Update(t.Context(), "a", "two", &api.IntegrationPatch{Credentials: map[string]string{"key": ""}})
	if w := wrong(t, err); w != "credentials.key required" {
		t.Errorf("a key is made behind the tenant's back: %q", w)
	}
}

func TestKindsWithoutABaseURL(t *testing.T) {
	t.Parallel()
	s := flock(t)
	for base, want := range map[string]string{"": "", "https://example.com/": "https://example.com"} {
		req := bringing("mute"+want, "mute", "app"+base)
		req.Settings.BaseURL = base
		if in, err := s.Create(t.Context(), "a", req); err != nil || in.BaseURL != want {
			t.Errorf("%q: %+v, %v", base, in, err)
		}
	}
	req := bringing("wrong", "mute", "x")
	req.Settings.BaseURL = "example.com"
	if _, err := s.Create(t.Context(), "a", req); wrong(t, err) != "settings.base_url invalid" {
		t.Errorf("%v", err)
	}
}

func TestAnAppIsServedByOneOfAKind(t *testing.T) {
	t.Parallel()
	s := flock(t)
	for _, c := range []struct {
		tenant string
		req    *api.IntegrationRequest
		want   string
	}{
		{"a", bringing("one", "pigeon", "x", "y"), ""},
		{"a", bringing("same", "pigeon", "z", "y"), "settings.apps[1] taken"},
		{"a", bringing("other-kind", "mute", "x"), ""},
		{"b", bringing("other-tenant", "pigeon", "x"), ""},
		{"a", bringing("rest", "pigeon"), ""},
		{"a", bringing("rest-too", "pigeon"), "settings.apps required"},
		{"a", bringing("twice", "pigeon", "q", "q"), "settings.apps[1] duplicate"},
		{"a", bringing("empty", "pigeon", ""), "settings.apps[0] invalid"},
		{"a", bringing("long", "pigeon", strings.Repeat("a", 256)), "settings.apps[0] invalid"},
	} {
		_, err := s.Create(t.Context(), c.tenant, c.req)
		if got := wrong(t, err); got != c.want {
			t.Errorf("%s: %q, want %q", c.req.Name, got, c.want)
		}
	}
	in, err := s.Update(t.Context(), "a", "one", &api.IntegrationPatch{Settings: &api.Settings{Apps: []string{"y", "z"}}})
	if err != nil || strings.Join(in.Apps, " ") != "y z" { // its own do not stand in its way
		t.Errorf("changed to %+v, %v", in, err)
	}
	_, err = s.Update(t.Context(), "a", "one", &api.IntegrationPatch{Settings: &api.Settings{Apps: []string{}}})
	if got := wrong(t, err); got != "settings.apps required" {
		t.Errorf("a second one for the rest: %q", got)
	}
	for app, want := range map[string]string{"y": "one", "w": "rest", "": "rest"} {
		d := &peal.Device{Kind: peal.DeviceFCMToken, AppID: app}
		for _, in := range s.OfTenant("a") {
			if in.Kind == "pigeon" && s.Serves(in, d) != (in.Name == want) {
				t.Errorf("%s serves %q: %v", in.Name, app, s.Serves(in, d))
			}
		}
	}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	cert := block("CERTIFICATE", der)
	b := setup(t)
	for name, c := range map[string]struct {
		pem  string
		good bool
	}{
		"one": {cert, true}, "two, with words": {"# ours\n" + cert + "\n" + cert, true}, "words": {"ours", false},
		"a key": {block("PRIVATE KEY", raw), false}, "a key behind": {cert + block("PRIVATE KEY", raw), false},
		"bytes": {block("CERTIFICATE", []byte("x")), false}, "a torn one": {cert + cert[:len(cert)/2], false},
		"too long": {strings.Repeat(cert, 64<<10/len(cert)+1), false},
	} {
		in, err := b.Create(t.Context(), "a", request("main", func(r *api.IntegrationRequest) { r.Settings.CA = c.pem }))
		got := wrong(t, err)
		if (got == "") != c.good || (got != "" && !strings.HasPrefix(got, "settings.ca ")) {
			t.Errorf("%s: %q", name, got)
		}
		if err == nil {
			if in.CA != c.pem {
				t.Errorf("%s: it became %q", name, in.CA)
			}
			if err := b.Delete(t.Context(), "a", in.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	s := flock(t)
	s.CallWith(provider.Offline())
	in, err := s.Create(t.Context(), "a", bringing("one", "pigeon"))
	if err != nil {
		t.Fatal(err)
	}
	d, c := &peal.Device{Address: "here:1"}, &api.Content{Push: &api.Push{Body: "hi"}}
	o, err := s.Validate(t.Context(), in, d, c)
	if err != nil || o.Class != peal.ClassGone || o.Reason != "hi" || !strings.Contains(o.Code, "not for calls") {
		t.Errorf("%+v, %v", o, err)
	}
	if in, err = s.Create(t.Context(), "a", bringing("two", "mute")); err != nil {
		t.Fatal(err)
	}
	_, err = s.Validate(t.Context(), in, d, c)
	if w := wrong(t, err); w != "validate_only invalid" {
		t.Errorf("one that cannot be asked: %v", err)
	}
	_, err = s.Validate(t.Context(), &peal.Integration{Kind: "dodo"}, d, c)
	if pe, ok := errors.AsType[*peal.Error](err); !ok || pe.Kind != peal.NotFound {
		t.Errorf("one of no kind: %v", err)
	}
}

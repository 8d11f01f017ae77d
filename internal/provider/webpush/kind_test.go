package webpush

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
	"testing"

	"peal/internal/peal"
	"peal/internal/provider"
)

func TestOpenRefusesBadCredentials(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ key, subject, path string }{
		"no key":           {"", "mailto:ops@example.com", "credentials.private_key"},
		"a short key":      {testKey[:40], "mailto:ops@example.com", "credentials.private_key"},
		"no base64url":     {strings.Repeat("+", 43), "mailto:ops@example.com", "credentials.private_key"},
		"zero":             {strings.Repeat("A", 43), "mailto:ops@example.com", "credentials.private_key"},
		"the public key":   {vectorFrom, "mailto:ops@example.com", "credentials.private_key"},
		"PEM of something": {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "mailto:ops@example.com", "credentials.private_key"},
		"no subject":       {testKey, "", "credentials.subject"},
		"a bare address":   {testKey, "ops@example.com", "credentials.subject"},
		"no address":       {testKey, "mailto:ops", "credentials.subject"},
		"a name too":       {testKey, "mailto:Ops <ops@example.com>", "credentials.subject"},
		"http":             {testKey, "http://example.com", "credentials.subject"},
		"https of nobody":  {testKey, "https://", "credentials.subject"},
	} {
		in := account()
		in.Credentials = map[string]string{privateKey: c.key, subject: c.subject}
		_, err := Kind{}.Open(in, provider.Env{Transport: http.DefaultTransport})
		var e *peal.Error
		if !errors.As(err, &e) || e.Kind != peal.Invalid || len(e.Fields) != 1 || e.Fields[0].Path != c.path {
			t.Errorf("%s: got %v", name, err)
		} else if c.key != "" && strings.Contains(e.Error()+e.Fields[0].Message, c.key) {
			t.Errorf("%s: the error names the key", name)
		}
	}
}

func TestFormsOfKeys(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	ec, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]string{
		"base64url": encode(raw),
		"padded":    " " + encode(raw) + "=\n",
		"EC":        string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: ec})),
		"PKCS 8":    string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
	} {
		if got, err := parseKey(s); err != nil || !got.Equal(key) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if ec, err = x509.MarshalECPrivateKey(other); err != nil {
		t.Fatal(err)
	}
	if _, err := parseKey(string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: ec}))); err == nil {
		t.Error("a key of another curve is taken")
	}
}

func TestKeysAreMade(t *testing.T) {
	t.Parallel()
	given := map[string]string{subject: "mailto:ops@example.com"}
	if err := (Kind{}).MakeCredentials(given); err != nil {
		t.Fatal(err)
	}
	made := given[privateKey]
	if _, err := parseKey(made); err != nil {
		t.Fatal(err)
	}
	if err := (Kind{}).MakeCredentials(given); err != nil || given[privateKey] != made {
		t.Errorf("a key that was given is made anew, or %v", err)
	}
	in := account()
	in.Credentials[privateKey] = vectorSender
	public := Kind{}.Public(in)[publicName]
	if public != vectorFrom || len(public) != 87 {
		t.Errorf("the public key is %s", public)
	}
	in.Credentials = nil
	if got := (Kind{}).Public(in); len(got) != 0 {
		t.Errorf("got %v without a key", got)
	}
}

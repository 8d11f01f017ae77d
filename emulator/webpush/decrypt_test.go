package webpush

import (
	"crypto/ecdh"
	"encoding/base64"
	"strings"
	"testing"
)

// The vectors of RFC 8291, section 5 and appendix A.
const (
	rfcPrivate = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
	rfcPublic  = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
	rfcAuth    = "BTBZMqHH6r4Tts7J_aSIgg"
	rfcBody    = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_" +
		"yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
	rfcText = "When I grow up, I want to be a watermelon"
)

func raw(t testing.TB, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func rfcKey(t testing.TB) *ecdh.PrivateKey {
	t.Helper()
	key, err := ecdh.P256().NewPrivateKey(raw(t, rfcPrivate))
	if err != nil {
		t.Fatal(err)
	}
	if got := base64.RawURLEncoding.EncodeToString(key.PublicKey().Bytes()); got != rfcPublic {
		t.Fatalf("public key %s", got)
	}
	return key
}

func TestDecryptRFC8291(t *testing.T) {
	t.Parallel()
	got, err := decrypt(rfcKey(t), raw(t, rfcAuth), raw(t, rfcBody))
	if err != nil || string(got.text) != rfcText || got.padding != 0 {
		t.Errorf("%q, padding %d, %v", got.text, got.padding, err)
	}
}

func TestDecryptRefuses(t *testing.T) {
	t.Parallel()
	key, auth := rfcKey(t), raw(t, rfcAuth)
	for name, tc := range map[string]struct {
		change func([]byte) []byte
		want   string
	}{
		"nothing":       {func([]byte) []byte { return nil }, "header alone"},
		"header only":   {func(b []byte) []byte { return b[:headerLen] }, "record: 0 bytes"},
		"short record":  {func(b []byte) []byte { return b[:headerLen+tagLen] }, "must be 17"},
		"cut off":       {func(b []byte) []byte { return b[:len(b)-1] }, "cannot be decrypted"},
		"flipped text":  {func(b []byte) []byte { b[headerLen] ^= 1; return b }, "cannot be decrypted"},
		"flipped salt":  {func(b []byte) []byte { b[0] ^= 1; return b }, "cannot be decrypted"},
		"flipped key":   {func(b []byte) []byte { b[headerLen-1] ^= 1; return b }, "not an uncompressed point"},
		"other idlen":   {func(b []byte) []byte { b[20] = 64; return b }, "keyid: must be"},
		"small rs":      {func(b []byte) []byte { b[18], b[19] = 0, 17; return b }, "rs: 17"},
		"two records":   {func(b []byte) []byte { b[18], b[19] = 0, 40; return b }, "more than one record"},
		"a key of zero": {func(b []byte) []byte { clear(b[21:headerLen]); return b }, "not an uncompressed point"},
	} {
		_, err := decrypt(key, auth, tc.change(raw(t, rfcBody)))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
	auth[0] ^= 1
	if _, err := decrypt(key, auth, raw(t, rfcBody)); err == nil {
		t.Error("a wrong auth secret was taken")
	}
}

func FuzzDecrypt(f *testing.F) {
	key, auth := rfcKey(f), raw(f, rfcAuth)
	f.Add(raw(f, rfcBody))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := decrypt(key, auth, body)
		if err == nil && len(got.text)+got.padding > len(body) {
			t.Errorf("%d bytes of text out of %d", len(got.text), len(body))
		}
	})
}

func FuzzCredentials(f *testing.F) {
	f.Add("vapid t=a.b.c, k=" + rfcPublic)
	f.Add("vapid k=, t=")
	f.Fuzz(func(t *testing.T, header string) {
		if c := readCredentials(header); c.err == nil && c.key == "" {
			t.Error("taken without a key")
		}
	})
}

func FuzzShown(f *testing.F) {
	f.Add([]byte(`{"web_push":8030,"notification":{"title":"a","navigate":"https://x/","data":{"a":{"b":1}}},"app_badge":"3"}`))
	f.Add([]byte(`[1]`))
	f.Add([]byte("\xff"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var v Shown
		v.read(text)
		if v.Declarative && v.Title == "" {
			t.Error("declarative without a title")
		}
	})
}

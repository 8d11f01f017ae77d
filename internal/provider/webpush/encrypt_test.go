package webpush

import (
	"crypto/ecdh"
	"testing"
)

// What RFC 8291, appendix A, gives.
const (
	vectorText     = "When I grow up, I want to be a watermelon"
	vectorSender   = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw" // private
	vectorFrom     = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
	vectorReceiver = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
	vectorAuth     = "BTBZMqHH6r4Tts7J_aSIgg"
	vectorSalt     = "DGv6ra1nlYgDCS1FRnbzlw"
	vectorShared   = "kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs"
	vectorKey      = "oIhVW04MRdy2XN9CiKLxTg"
	vectorNonce    = "4h_95klXJ5E_qnoN"
	vectorBody     = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)

func unbase64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := decode(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectorsOfRFC8291(t *testing.T) {
	t.Parallel()
	sender, err := ecdh.P256().NewPrivateKey(unbase64(t, vectorSender))
	if err != nil {
		t.Fatal(err)
	}
	if got := encode(sender.PublicKey().Bytes()); got != vectorFrom {
		t.Errorf("public key %s", got)
	}
	receiver, err := parsePoint(vectorReceiver)
	if err != nil {
		t.Fatal(err)
	}
	shared, err := sender.ECDH(receiver)
	if err != nil || encode(shared) != vectorShared {
		t.Errorf("shared secret %s, %v", encode(shared), err)
	}
	auth := unbase64(t, vectorAuth)
	salt := [saltSize]byte(unbase64(t, vectorSalt))
	key, nonce, err := derive(shared, auth, receiver.Bytes(), sender.PublicKey().Bytes(), salt[:])
	if err != nil || encode(key) != vectorKey || encode(nonce) != vectorNonce {
		t.Errorf("key %s, nonce %s, %v", encode(key), encode(nonce), err)
	}
	body, err := encrypt([]byte(vectorText), receiver, auth, sender, salt, len(vectorText)+1)
	if err != nil || encode(body) != vectorBody {
		t.Errorf("got %s, %v", encode(body), err)
	}
}

func TestPadding(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{0: 256, 1: 256, 255: 256, 256: 512, 511: 512, 3839: 3840, 3840: 3994, 3993: 3994} {
		if got := padded(n); got != want {
			t.Errorf("%d bytes are padded to %d, want %d", n, got, want)
		}
	}
	if maxPlaintext != 3993 {
		t.Errorf("the longest text has %d bytes", maxPlaintext)
	}
}

func TestTextsThatAreTooLong(t *testing.T) {
	t.Parallel()
	receiver, err := parsePoint(vectorReceiver)
	if err != nil {
		t.Fatal(err)
	}
	auth := unbase64(t, vectorAuth)
	if body, err := seal(make([]byte, maxPlaintext), receiver, auth); err != nil || len(body) != maxBody {
		t.Errorf("the longest text gives %d bytes, %v", len(body), err)
	}
	if _, err := seal(make([]byte, maxPlaintext+1), receiver, auth); err == nil {
		t.Error("a text of one byte too many is encrypted")
	}
}

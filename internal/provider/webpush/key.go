package webpush

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

var errKey = errors.New("give base64url of the 32 bytes of a P-256 private key, or that key as PEM")

// parseKey reads a VAPID private key.
func parseKey(s string) (*ecdsa.PrivateKey, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return nil, errKey
	}
	if block, _ := pem.Decode([]byte(s)); block != nil {
		return parsePEM(block)
	}
	raw, err := decode(s)
	if err != nil {
		return nil, errKey
	}
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
	if err != nil {
		return nil, errKey
	}
	return key, nil
}

func parsePEM(block *pem.Block) (*ecdsa.PrivateKey, error) {
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return onCurve(key)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return nil, errKey
	}
	return onCurve(key)
}

func onCurve(key *ecdsa.PrivateKey) (*ecdsa.PrivateKey, error) {
	if key.Curve != elliptic.P256() {
		return nil, errKey
	}
	return key, nil
}

// MakeCredentials makes a pair of VAPID keys for an integration that was given none.
func (Kind) MakeCredentials(given map[string]string) error {
	if given[privateKey] != "" {
		return nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make a VAPID key: %w", err)
	}
	raw, err := key.Bytes()
	if err != nil {
		return fmt.Errorf("write the VAPID key: %w", err)
	}
	given[privateKey] = encode(raw)
	return nil
}

// publicBytes is the public half, an uncompressed point.
func publicBytes(key *ecdsa.PrivateKey) []byte {
	b, err := key.PublicKey.Bytes()
	if err != nil { // only for keys that are no points of a curve, which parseKey does not give
		return nil
	}
	return b
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// decode reads base64url, with or without its padding.
func decode(s string) ([]byte, error) {
	return base64.RawURLEncoding.Strict().DecodeString(strings.TrimRight(s, "="))
}

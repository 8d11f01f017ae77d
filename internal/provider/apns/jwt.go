package apns

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// signer makes provider tokens.
type signer struct {
	team, kid string
	name      string
	key       *ecdsa.PrivateKey
}

// parseKey reads a .p8 file: PKCS#8 in PEM, of a P-256 key.
func parseKey(p8 string) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(p8))
	if block == nil {
		return nil, errors.New("apns: the key is no PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("apns: the key is no PKCS#8") // err may quote the key
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("apns: the key is not one of P-256")
	}
	return key, nil
}

// sign makes the token that was issued at a time: a JWT (RFC 7519) signed by ES256, whose signature is r and s, 32 bytes
// each (RFC 7518, 3.4). It has no end: Apple counts from iat.
func (s *signer) sign(at time.Time) (string, error) {
	header, err := json.Marshal(map[string]string{"alg": "ES256", "kid": s.kid})
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{"iss": s.team, "iat": at.Unix()})
	if err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding
	text := enc.EncodeToString(header) + "." + enc.EncodeToString(claims)
	sum := sha256.Sum256([]byte(text))
	r, sig, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
	if err != nil {
		return "", fmt.Errorf("apns: sign: %w", err)
	}
	raw := make([]byte, 64)
	r.FillBytes(raw[:32])
	sig.FillBytes(raw[32:])
	return text + "." + enc.EncodeToString(raw), nil
}

// newSigner makes a signer. Its name is what the nodes share the token by: the key's fingerprint is in it, so that nobody
// gets the token of another tenant by giving its ids with a key of their own.
func newSigner(team, kid string, key *ecdsa.PrivateKey) (*signer, error) {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("apns: public key: %w", err)
	}
	sum := sha256.Sum256(der)
	return &signer{team: team, kid: kid, key: key, name: "apns:" + team + ":" + kid + ":" + hex.EncodeToString(sum[:8])}, nil
}

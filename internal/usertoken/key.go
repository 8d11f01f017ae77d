package usertoken

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The algorithms.
const (
	HS256 = "HS256"
	EdDSA = "EdDSA"
)

const secretSize = 32

// Belongs is what the sealed secret of a key belongs to.
func Belongs(keyID string) string { return "user-key:" + keyID }

// NewSecret makes what HS256 signs with: the bytes of the text, as they are.
func NewSecret() string {
	secret := make([]byte, secretSize)
	rand.Read(secret) // never fails since Go 1.24: it stops the program instead
	return base64.RawURLEncoding.EncodeToString(secret)
}

// ParsePublicKey reads an Ed25519 public key: PEM, or base64url of its 32 bytes.
func ParsePublicKey(s string) (ed25519.PublicKey, error) {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "-----") {
		block, _ := pem.Decode([]byte(s))
		if block == nil {
			return nil, errors.New("it begins like PEM and is none; give the whole block, with its line breaks")
		}
		if strings.Contains(block.Type, "PRIVATE") {
			return nil, errors.New("it is a private key, which is for nobody but your backend; give the public one: openssl pkey -pubout")
		}
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, errors.New("the PEM block holds no public key; give the one that openssl pkey -pubout writes")
		}
		ed, ok := key.(ed25519.PublicKey)
		if !ok {
			return nil, fmt.Errorf("it is a key of another kind (%T); make one with: openssl genpkey -algorithm ed25519", key)
		}
		return ed, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("give an Ed25519 public key as PEM, or as base64url of its %d bytes", ed25519.PublicKeySize)
	}
	return raw, nil
}

// Sign makes a user token with the secret of an HS256 key.
func Sign(keyID, secret, userID string, now time.Time, lasts time.Duration) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Subject: userID, IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(lasts)),
	})
	t.Header["kid"] = keyID
	signed, err := t.SignedString([]byte(secret))
	if err != nil {
		return "", fmt.Errorf("sign user token: %w", err)
	}
	return signed, nil
}

package webpush

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"
)

// A token may be good for 24 h at most, by the push service's clock. Ours are for less, so that a clock that is off does
// no harm, and are used for two thirds of that.
const (
	tokenLife = 18 * time.Hour
	tokenUse  = 12 * time.Hour
)

// signer makes VAPID tokens.
type signer struct {
	key     *ecdsa.PrivateKey
	public  string // base64url, the parameter k
	subject string
}

func newSigner(key *ecdsa.PrivateKey, subject string) *signer {
	return &signer{key: key, public: encode(publicBytes(key)), subject: subject}
}

// authorization is the header for calls to an origin.
func (s *signer) authorization(origin string, now time.Time) (string, error) {
	claims, err := json.Marshal(struct {
		Aud string `json:"aud"`
		Exp int64  `json:"exp"`
		Sub string `json:"sub"`
	}{origin, now.Add(tokenLife).Unix(), s.subject})
	if err != nil {
		return "", fmt.Errorf("webpush: write a token: %w", err)
	}
	token := encode([]byte(`{"typ":"JWT","alg":"ES256"}`)) + "." + encode(claims)
	hash := sha256.Sum256([]byte(token))
	r, sv, err := ecdsa.Sign(rand.Reader, s.key, hash[:])
	if err != nil {
		return "", fmt.Errorf("webpush: sign a token: %w", err)
	}
	var sig [64]byte
	r.FillBytes(sig[:32])
	sv.FillBytes(sig[32:])
	return "vapid t=" + token + "." + encode(sig[:]) + ", k=" + s.public, nil
}

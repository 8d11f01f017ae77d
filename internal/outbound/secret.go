package outbound

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"peal/api"
)

const (
	secretSize = 32 // bytes of a secret that Peal makes
	maxSecrets = 4  // that sign at once: the newest, and those that it replaced a while ago
)

// Sealer seals secrets.
type Sealer interface {
	Seal(plain []byte, belongs string) []byte
	Open(sealed []byte, belongs string) ([]byte, error)
}

// secret is one that signs.
type secret struct {
	Text  string    `json:"secret"`
	Until time.Time `json:"until,omitzero"` // of one that was replaced
}

// newSecret makes one.
func newSecret() string {
	b := make([]byte, secretSize)
	rand.Read(b) // never fails since Go 1.24: it stops the program instead
	return api.WebhookSecretPrefix + base64.StdEncoding.EncodeToString(b)
}

func belongs(endpointID string) string { return "endpoint:" + endpointID }

// seal makes of secrets, the newest first, what is kept.
func seal(v Sealer, endpointID string, all []secret) ([]byte, error) {
	plain, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("write secrets: %w", err)
	}
	return v.Seal(plain, belongs(endpointID)), nil
}

// open gives the secrets that sign at a time, the newest first.
func open(v Sealer, endpointID string, sealed []byte, now time.Time) ([]secret, error) {
	plain, err := v.Open(sealed, belongs(endpointID))
	if err != nil {
		return nil, err
	}
	var all []secret
	if err := json.Unmarshal(plain, &all); err != nil || len(all) == 0 {
		return nil, errors.New("its secrets are not what they should be")
	}
	return slices.DeleteFunc(all, func(s secret) bool { return !s.Until.IsZero() && !now.Before(s.Until) }), nil
}

// rotate puts a new secret before those that sign, which do so for a while longer.
func rotate(all []secret, next string, now time.Time, overlap time.Duration) []secret {
	until := now.Add(overlap)
	out := []secret{{Text: next}}
	for _, s := range all {
		if s.Until.IsZero() || until.Before(s.Until) {
			s.Until = until
		}
		if overlap > 0 && len(out) < maxSecrets && s.Text != next {
			out = append(out, s)
		}
	}
	return out
}

// keysOf decodes secrets.
func keysOf(all []secret) ([][]byte, error) {
	keys := make([][]byte, len(all))
	for i, s := range all {
		k, err := api.WebhookKey(s.Text)
		if err != nil {
			return nil, err
		}
		keys[i] = k
	}
	return keys, nil
}

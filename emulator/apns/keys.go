package apns

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
)

// Key is a provider's signing key as Apple's account knows it.
type Key struct {
	Team string // 10 characters
	ID   string // 10 characters
	// PEM is the public key (PKIX), or the .p8 file (PKCS#8), whose public half
	// is kept.
	PEM []byte
	// Environment the key is for; empty: both.
	Environment Environment
	// Topics (bundles) the key is for; empty: all of the team's.
	Topics []string
}

type key struct {
	Key
	public *ecdsa.PublicKey
}

// AddKey registers a key, or replaces the one of its id.
func (s *Server) AddKey(k Key) error {
	public, err := publicKey(k.PEM)
	switch {
	case len(k.Team) != 10:
		return fmt.Errorf("team: must have 10 characters, has %d", len(k.Team))
	case len(k.ID) != 10:
		return fmt.Errorf("id: must have 10 characters, has %d", len(k.ID))
	case k.Environment != "" && k.Environment != Production && k.Environment != Sandbox:
		return fmt.Errorf("environment: %q is none of production, sandbox", k.Environment)
	case err != nil:
		return fmt.Errorf("pem: %w", err)
	}
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	k.Topics = slices.Clone(k.Topics)
	s.tokens.keys[k.ID] = &key{Key: k, public: public}
	s.tokens.forget(k.ID)
	return nil
}

// NewKey makes a key of a team, registers it for both environments and all
// topics, and returns its .p8 file.
func (s *Server) NewKey(team, kid string) (p8 []byte) {
	p8, err := newP8()
	if err == nil {
		err = s.AddKey(Key{Team: team, ID: kid, PEM: p8})
	}
	if err != nil { // a name that is not 10 long: the programmer of a test wrote it
		panic("apns: NewKey: " + err.Error())
	}
	return p8
}

// RemoveKey revokes a key: its tokens are refused from now on.
func (s *Server) RemoveKey(kid string) {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	delete(s.tokens.keys, kid)
	s.tokens.forget(kid)
}

func newP8() ([]byte, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func publicKey(text []byte) (*ecdsa.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("is not PEM")
	}
	var parsed any
	var err error
	if block.Type == "PUBLIC KEY" {
		parsed, err = x509.ParsePKIXPublicKey(block.Bytes)
	} else {
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, err
	}
	if private, ok := parsed.(*ecdsa.PrivateKey); ok {
		parsed = &private.PublicKey
	}
	public, ok := parsed.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return nil, errors.New("must be a key of the curve P-256")
	}
	return public, nil
}

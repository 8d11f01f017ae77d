package apns_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net"
	"sync"
	"testing"
	"time"

	"peal/internal/provider"
)

// newP8 makes a key as Apple hands it out.
func newP8(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// sharedTokens are those of several nodes.
type sharedTokens struct {
	mu   sync.Mutex
	all  map[string]provider.Token
	made int
	err  error
}

func (k *sharedTokens) SwapToken(_ context.Context, name string, old time.Time, next provider.Token) (provider.Token, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return provider.Token{}, k.err
	}
	if now := k.all[name]; next.MadeAt.IsZero() || !now.MadeAt.Equal(old) {
		return now, nil
	}
	if k.all == nil {
		k.all = map[string]provider.Token{}
	}
	k.all[name] = next
	k.made++
	return next, nil
}

// environment is what the process gives its clients.
func environment(tokens provider.Tokens) provider.Env {
	return provider.Env{Dial: (&net.Dialer{}).DialContext, Tokens: tokens}
}

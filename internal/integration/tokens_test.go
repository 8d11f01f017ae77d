package integration_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"peal/internal/integration"
	"peal/internal/provider"
	"peal/internal/vault"
)

// TestTokensOfAnotherMasterKey: a node with another key makes no tokens against those that make theirs, but what they have
// left behind long ago is not in its way.
func TestTokensOfAnotherMasterKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	of := func(key byte) *integration.Tokens {
		v, err := vault.New(bytes.Repeat([]byte{key}, 32))
		if err != nil {
			t.Fatal(err)
		}
		return &integration.Tokens{Records: b.store, Vault: v}
	}
	now := time.Now().Truncate(time.Microsecond)
	for name, made := range map[string]time.Time{"old": now.Add(-24 * time.Hour), "young": now.Add(-time.Hour)} {
		token := provider.Token{Value: "theirs", MadeAt: made}
		if got, err := of(1).SwapToken(t.Context(), name, time.Time{}, token); err != nil || got.Value != token.Value || !got.MadeAt.Equal(made) {
			t.Fatalf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := of(2).SwapToken(t.Context(), "young", time.Time{}, provider.Token{}); !errors.Is(err, vault.ErrWrongKey) {
		t.Errorf("a young one: %v", err)
	}
	found, err := of(2).SwapToken(t.Context(), "old", time.Time{}, provider.Token{})
	if err != nil || found.Value != "" {
		t.Fatalf("an old one: %+v, %v", found, err)
	}
	mine := provider.Token{Value: "mine", MadeAt: now}
	if got, err := of(2).SwapToken(t.Context(), "old", found.MadeAt, mine); err != nil || got.Value != mine.Value {
		t.Errorf("it was not replaced: %+v, %v", got, err)
	}
}

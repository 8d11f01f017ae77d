package integration

import (
	"context"
	"fmt"
	"time"

	"peal/internal/provider"
	"peal/internal/vault"
)

// TokenRecords is where shared tokens are kept, sealed.
type TokenRecords interface {
	// SwapToken puts a token in the place of the one of that name that was made at old (zero: there is none), unless that
	// is another one by now. It gives the one that stands then; nil when there is none. With next nil it only reads.
	SwapToken(ctx context.Context, name string, old time.Time, next []byte, made time.Time) (now []byte, madeAt time.Time, err error)
}

// unreadable is how long a token that cannot be opened is somebody's. One that is older was sealed under a master key of
// earlier, and has run out: another may take its place.
const unreadable = 2 * time.Hour

// Tokens are short-lived credentials that all nodes share, sealed at rest.
type Tokens struct {
	Records TokenRecords
	Vault   *vault.Vault
}

var _ provider.Tokens = (*Tokens)(nil)

// SwapToken is provider.Tokens's.
func (t *Tokens) SwapToken(ctx context.Context, name string, old time.Time, next provider.Token) (provider.Token, error) {
	var sealed []byte
	if !next.MadeAt.IsZero() {
		sealed = t.Vault.Seal([]byte(next.Value), "token:"+name)
	}
	now, made, err := t.Records.SwapToken(ctx, name, old, sealed, next.MadeAt)
	if err != nil || now == nil {
		return provider.Token{}, err
	}
	plain, err := t.Vault.Open(now, "token:"+name)
	if err != nil && time.Since(made) > unreadable {
		return provider.Token{MadeAt: made}, nil
	}
	if err != nil {
		return provider.Token{}, fmt.Errorf("shared token: %w", err)
	}
	return provider.Token{Value: string(plain), MadeAt: made}, nil
}

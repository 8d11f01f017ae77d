package vault_test

import (
	"bytes"
	"errors"
	"testing"

	"peal/internal/vault"
)

func newVault(t *testing.T, b byte) *vault.Vault {
	t.Helper()
	v, err := vault.New(bytes.Repeat([]byte{b}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSealedTextOpensOnlyWhereItBelongs(t *testing.T) {
	t.Parallel()
	v := newVault(t, 1)
	sealed := v.Seal([]byte("api key"), "integration:a")
	if got, err := v.Open(sealed, "integration:a"); err != nil || string(got) != "api key" {
		t.Fatalf("open: %q, %v", got, err)
	}
	if _, err := v.Open(sealed, "integration:b"); err == nil {
		t.Error("a sealed text opened for another row")
	}
	if _, err := newVault(t, 2).Open(sealed, "integration:a"); !errors.Is(err, vault.ErrWrongKey) {
		t.Errorf("another master key: %v, want ErrWrongKey", err)
	}
	if bytes.Contains(sealed, []byte("api key")) {
		t.Error("the secret can be read in the sealed text")
	}
}

func TestAnyChangedByteIsNoticed(t *testing.T) {
	t.Parallel()
	v := newVault(t, 1)
	sealed := v.Seal([]byte("secret"), "x")
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := v.Open(bad, "x"); err == nil {
			t.Fatalf("byte %d was changed and nobody noticed", i)
		}
	}
	for n := range sealed {
		if _, err := v.Open(sealed[:n], "x"); err == nil {
			t.Fatalf("a text cut to %d bytes opened", n)
		}
	}
}

func TestNewRefusesKeysOfAnotherLength(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 16, 31, 33} {
		if _, err := vault.New(make([]byte, n)); err == nil {
			t.Errorf("a key of %d bytes was taken", n)
		}
	}
}

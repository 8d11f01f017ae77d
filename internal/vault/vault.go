// Package vault seals secrets with AES-256-GCM under the installation's master key.
//
// A sealed text is: version (1 byte), id of the key (4 bytes of its SHA-256), nonce (12 bytes), ciphertext and tag. What
// it belongs to is authenticated with it, so a sealed text cannot be moved to another row.
package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

const (
	version   = 1
	keyIDSize = 4
	nonceSize = 12
	headSize  = 1 + keyIDSize + nonceSize
)

// ErrWrongKey says that a text was sealed under another master key.
var ErrWrongKey = errors.New("sealed under another master key")

// Vault seals and opens. It is safe for concurrent use.
type Vault struct {
	aead cipher.AEAD
	id   [keyIDSize]byte
}

// New makes a vault of a 32-byte key.
func New(key []byte) (*Vault, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("the master key has %d bytes, not 32", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	v := &Vault{aead: aead}
	sum := sha256.Sum256(append([]byte("peal master key id\x00"), key...))
	copy(v.id[:], sum[:])
	return v, nil
}

// KeyID names the master key, without telling anything of it.
func (v *Vault) KeyID() string { return hex.EncodeToString(v.id[:]) }

// Seal encrypts plain for the thing that belongs names, such as "integration:" and its id.
func (v *Vault) Seal(plain []byte, belongs string) []byte {
	out := make([]byte, headSize, headSize+len(plain)+v.aead.Overhead())
	out[0] = version
	copy(out[1:], v.id[:])
	nonce := out[1+keyIDSize : headSize]
	rand.Read(nonce) // never fails since Go 1.24: it stops the program instead
	return v.aead.Seal(out, nonce, plain, []byte(belongs))
}

// Open decrypts what Seal made for the same thing. ErrWrongKey when the master key is another one.
func (v *Vault) Open(sealed []byte, belongs string) ([]byte, error) {
	if len(sealed) < headSize+v.aead.Overhead() || sealed[0] != version {
		return nil, errors.New("not a sealed text")
	}
	if id := sealed[1 : 1+keyIDSize]; string(id) != string(v.id[:]) {
		return nil, fmt.Errorf("%w: %x, not %x", ErrWrongKey, id, v.id)
	}
	plain, err := v.aead.Open(nil, sealed[1+keyIDSize:headSize], sealed[headSize:], []byte(belongs))
	if err != nil {
		return nil, errors.New("the sealed text was tampered with or belongs elsewhere")
	}
	return plain, nil
}

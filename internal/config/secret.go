package config

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
)

// Secret is text that does not show itself: printing, logging or encoding it gives a placeholder.
// string(s) is the secret.
type Secret string

const hidden = "[secret]"

// String hides the secret; an empty one is empty.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// LogValue hides the secret from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the secret from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// maxSecretFile bounds what is read of a key's file, in bytes.
const maxSecretFile = 4096

// LoadSecrets fills the secrets that are not set from lookup (the environment, then the file) or from the files that
// MasterKeyFile and its like name. Both ways at once for one secret are refused.
func (c *Config) LoadSecrets(lookup func(env string) (string, bool)) error {
	return errors.Join(
		c.LoadDatabaseURL(lookup),
		loadSecret(&c.MasterKey, c.MasterKeyFile, "master-key", "PEAL_MASTER_KEY", lookup),
		loadSecret(&c.OperatorKey, c.OperatorKeyFile, "operator-key", "PEAL_OPERATOR_KEY", lookup),
		loadSecret(&c.NatsURL, c.NatsURLFile, "nats-url", "PEAL_NATS_URL", lookup),
		loadSecret(&c.NatsToken, c.NatsTokenFile, "nats-token", "PEAL_NATS_TOKEN", lookup),
	)
}

// LoadDatabaseURL fills DatabaseURL alone, as LoadSecrets does, for what needs the records and no key.
func (c *Config) LoadDatabaseURL(lookup func(env string) (string, bool)) error {
	return loadSecret(&c.DatabaseURL, c.DatabaseURLFile, "database-url", "PEAL_DATABASE_URL", lookup)
}

func loadSecret(s *Secret, file, flag, env string, lookup func(string) (string, bool)) error {
	if *s == "" {
		v, _ := lookup(env)
		*s = Secret(strings.TrimSpace(v))
	}
	if file == "" {
		return nil
	}
	if *s != "" {
		return fmt.Errorf("%s and --%s-file (%s_FILE) are both set: keep one", env, flag, env)
	}
	v, err := readSecret(file)
	if err != nil {
		return fmt.Errorf("--%s-file (%s_FILE): %w", flag, env, err)
	}
	*s = Secret(v)
	return nil
}

func readSecret(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // only read
	b, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxSecretFile {
		return "", fmt.Errorf("%s is larger than %d bytes: it holds more than a key", name, maxSecretFile)
	}
	v := strings.TrimSpace(string(b))
	if v == "" {
		return "", fmt.Errorf("%s is empty", name)
	}
	return v, nil
}

// MasterKeySize is the length of a master key in bytes.
const MasterKeySize = 32

// ParseMasterKey reads 32 bytes written as base64 (either alphabet, padded or not) or hex. Its errors never
// contain the key.
func ParseMasterKey(s Secret) ([MasterKeySize]byte, error) {
	var key [MasterKeySize]byte
	text := strings.TrimSpace(string(s))
	if text == "" {
		return key, errors.New("it is not set")
	}
	b, err := decodeKey(text)
	if err != nil {
		return key, err
	}
	if len(b) != MasterKeySize {
		return key, fmt.Errorf("it has %d bytes and must have %d", len(b), MasterKeySize)
	}
	copy(key[:], b)
	if key == [MasterKeySize]byte{} {
		return key, errors.New("it is all zeros")
	}
	return key, nil
}

// decodeKey tries hex first: 64 hex digits are also base64, of 48 bytes.
func decodeKey(text string) ([]byte, error) {
	if b, err := hex.DecodeString(text); err == nil {
		return b, nil
	}
	bare := strings.TrimRight(text, "=")
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if b, err := enc.Strict().DecodeString(bare); err == nil {
			return b, nil
		}
	}
	return nil, errors.New("it is neither base64 nor hex")
}

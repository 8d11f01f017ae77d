package config

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testKey is 32 different bytes whose base64 holds + and /.
func testKey() []byte {
	key := make([]byte, MasterKeySize)
	for i := range key {
		key[i] = byte(251 - i)
	}
	return key
}

func TestParseMasterKey(t *testing.T) {
	t.Parallel()
	key := testKey()
	for _, text := range []string{
		base64.StdEncoding.EncodeToString(key), base64.RawStdEncoding.EncodeToString(key),
		base64.URLEncoding.EncodeToString(key), base64.RawURLEncoding.EncodeToString(key),
		hex.EncodeToString(key), strings.ToUpper(hex.EncodeToString(key)), "\n" + hex.EncodeToString(key) + "\n",
	} {
		got, err := ParseMasterKey(Secret(text))
		if err != nil || string(got[:]) != string(key) {
			t.Errorf("ParseMasterKey(%q) = %x, %v", text, got, err)
		}
	}
}

func TestParseMasterKeyRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"", "not set"},
		{"  ", "not set"},
		{"correct horse battery staple!", "neither base64 nor hex"},
		{hex.EncodeToString(testKey()[:31]), "31 bytes"},
		{hex.EncodeToString(testKey()) + "00", "33 bytes"},
		{base64.StdEncoding.EncodeToString(testKey()[:16]), "16 bytes"},
		{strings.Repeat("0", 64), "all zeros"},
	} {
		_, err := ParseMasterKey(Secret(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("ParseMasterKey(%q): error %v, want one with %q", tt.text, err, tt.want)
			continue
		}
		if text := strings.TrimSpace(tt.text); text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("the error shows the key: %v", err)
		}
	}
}

func TestSecretHides(t *testing.T) {
	t.Parallel()
	c := Config{MasterKey: "not to be seen", OperatorKey: "not to be seen"}
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v %q %s", c, c, c.MasterKey, c.MasterKey), string(encoded), c.MasterKey.LogValue().String()} {
		if strings.Contains(text, "not to be seen") {
			t.Errorf("the secret shows: %s", text)
		}
	}
	if got := string(c.MasterKey); got != "not to be seen" {
		t.Errorf("string(secret) = %q", got)
	}
}

func TestLoadSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keyFile, empty, big := filepath.Join(dir, "key"), filepath.Join(dir, "empty"), filepath.Join(dir, "big")
	for name, text := range map[string]string{keyFile: "  from-file\n", empty: "\n", big: strings.Repeat("x", maxSecretFile+1)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name    string
		config  Config
		env     File
		want    Secret
		wantErr string
	}{
		{"environment", Config{}, File{"PEAL_MASTER_KEY": " from-env "}, "from-env", ""},
		{"file", Config{MasterKeyFile: keyFile}, nil, "from-file", ""},
		{"set before", Config{MasterKey: "given"}, File{"PEAL_MASTER_KEY": "from-env"}, "given", ""},
		{"neither", Config{}, nil, "", ""},
		{"both", Config{MasterKeyFile: keyFile}, File{"PEAL_MASTER_KEY": "from-env"}, "", "both set: keep one"},
		{"no such file", Config{MasterKeyFile: filepath.Join(dir, "none")}, nil, "", "--master-key-file (PEAL_MASTER_KEY_FILE): open"},
		{"empty file", Config{MasterKeyFile: empty}, nil, "", "is empty"},
		{"large file", Config{MasterKeyFile: big}, nil, "", "more than a key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := tt.config
			err := c.LoadSecrets(tt.env.Lookup)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("error %v, want one with %q", err, tt.wantErr)
				}
				return
			}
			if err != nil || c.MasterKey != tt.want {
				t.Errorf("master key %q, error %v; want %q", string(c.MasterKey), err, string(tt.want))
			}
		})
	}
}

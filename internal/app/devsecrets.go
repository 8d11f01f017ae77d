package app

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// devSecrets are made when they are needed first, and kept beside the data: the next run goes on with them.
type devSecrets struct {
	MasterKey     string `json:"master_key"`
	OperatorKey   string `json:"operator_key"`
	APIKey        string `json:"api_key,omitempty"`
	WasenderKey   string `json:"wasender_key"`
	WebhookSecret string `json:"webhook_secret"`

	CloudToken  string `json:"cloud_token,omitempty"` // of the emulated Meta
	CloudSecret string `json:"cloud_secret,omitempty"`

	UserKeyID      string `json:"user_key_id,omitempty"` // signs the tokens of the demo's users
	UserKey        string `json:"user_key,omitempty"`
	ServiceAccount string `json:"service_account,omitempty"` // of the emulated FCM
	FCMToken       string `json:"fcm_token,omitempty"`
	APNsKey        string `json:"apns_key,omitempty"` // of the emulated Apple, a .p8 file
	APNsToken      string `json:"apns_token,omitempty"`

	path string
}

func readSecrets(dir string) (*devSecrets, error) {
	s := &devSecrets{path: filepath.Join(dir, "dev.json")}
	b, err := os.ReadFile(s.path)
	switch {
	case err == nil:
		if err := json.Unmarshal(b, s); err != nil {
			return nil, fmt.Errorf("%s is damaged; delete the folder to start anew", s.path)
		}
		return s, nil
	case !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("read dev.json: %w", err)
	}
	key := make([]byte, 32)
	rand.Read(key) // never fails since Go 1.24: it stops the program instead
	s.MasterKey = base64.StdEncoding.EncodeToString(key)
	s.OperatorKey, s.WasenderKey, s.WebhookSecret = "operator-"+randomHex(16), "wasender-"+randomHex(8), "secret-"+randomHex(16)
	return s, s.write()
}

func (s *devSecrets) write() error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = os.WriteFile(s.path, b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write dev.json: %w", err)
	}
	return nil
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails since Go 1.24: it stops the program instead
	return hex.EncodeToString(b)
}

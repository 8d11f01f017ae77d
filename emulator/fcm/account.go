package fcm

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// account is a service account, which belongs to one project.
type account struct {
	email, project string
	keys           map[string]*rsa.PublicKey // by key id
	audience       string                    // token_uri
}

// bearer is what an access token stands for.
type bearer struct {
	project string
	expires time.Time
}

// serviceAccount is the JSON file that Google's console lets one download.
type serviceAccount struct {
	Type         string `json:"type"`
	ProjectID    string `json:"project_id"`
	PrivateKeyID string `json:"private_key_id"`
	PrivateKey   string `json:"private_key"`
	ClientEmail  string `json:"client_email"`
	ClientID     string `json:"client_id"`
	AuthURI      string `json:"auth_uri"`
	TokenURI     string `json:"token_uri"`
	Universe     string `json:"universe_domain"`
}

// NewServiceAccount makes a key for the project's service account (and the
// project, where there is none) and returns its JSON file, whose token_uri is
// this emulator. A project has one account; each call adds a key to it.
func (s *Server) NewServiceAccount(project string) ([]byte, error) {
	url := s.URL()
	switch {
	case url == "":
		return nil, errors.New("fcm: NewServiceAccount: Options.URL or SetURL must say first where the emulator is")
	case !isProject(project):
		return nil, fmt.Errorf("fcm: NewServiceAccount: project %q: must be 1 to 63 of a-z, 0-9 and -", project)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("fcm: NewServiceAccount: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("fcm: NewServiceAccount: %w", err)
	}
	id := sha256.Sum256(der)
	file, err := json.MarshalIndent(serviceAccount{
		Type: "service_account", ProjectID: project, PrivateKeyID: hex.EncodeToString(id[:20]),
		PrivateKey:  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		ClientEmail: "firebase-adminsdk@" + project + ".iam.gserviceaccount.com",
		ClientID:    "100000000000000000001", AuthURI: "https://accounts.google.com/o/oauth2/auth",
		TokenURI: url + "/token", Universe: "googleapis.com",
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("fcm: NewServiceAccount: %w", err)
	}
	return file, s.AddServiceAccount(file)
}

// AddServiceAccount registers a JSON file that was made before, by an emulator
// of an earlier start for instance.
func (s *Server) AddServiceAccount(file []byte) error {
	var f serviceAccount
	if err := json.Unmarshal(file, &f); err != nil {
		return fmt.Errorf("fcm: service account: %w", err)
	}
	if f.ClientEmail == "" || f.PrivateKeyID == "" || !isProject(f.ProjectID) {
		return errors.New("fcm: service account: client_email, private_key_id and project_id are required")
	}
	block, _ := pem.Decode([]byte(f.PrivateKey))
	if block == nil {
		return errors.New("fcm: service account: private_key: is no PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return fmt.Errorf("fcm: service account: private_key: %w", err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return errors.New("fcm: service account: private_key: must be RSA")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[f.ClientEmail]
	if a == nil {
		a = &account{email: f.ClientEmail, project: f.ProjectID, keys: map[string]*rsa.PublicKey{}}
		s.accounts[f.ClientEmail] = a
	}
	a.keys[f.PrivateKeyID], a.audience = &key.PublicKey, f.TokenURI
	s.project(f.ProjectID)
	return nil
}

// RemoveServiceAccounts takes every account and key of a project away, as when
// the tenant deletes them in the console: the token endpoint says
// invalid_grant from now on. Access tokens that are out stay good.
func (s *Server) RemoveServiceAccounts(project string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for email, a := range s.accounts {
		if a.project == project {
			delete(s.accounts, email)
		}
	}
}

// IssueToken makes an access token for the project (and the project, where
// there is none) without any assertion.
func (s *Server) IssueToken(project string) string {
	random := make([]byte, 48)
	_, _ = rand.Read(random) // never fails
	token := "ya29.c." + base64.RawURLEncoding.EncodeToString(random)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.project(project)
	s.bearers[token] = bearer{project: project, expires: s.opt.Clock().Add(s.opt.TokenLife)}
	return token
}

// RevokeTokens makes every access token of a project worthless: sends get 401.
func (s *Server) RevokeTokens(project string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for token, b := range s.bearers {
		if b.project == project {
			delete(s.bearers, token)
		}
	}
}

// isProject: the vendor wants 6 to 30 characters, which tests need not keep to.
func isProject(name string) bool {
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return name != "" && len(name) <= 63
}

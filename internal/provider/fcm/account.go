package fcm

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/url"
	"strings"

	"peal/internal/provider/wire"
)

// Bounds of what is taken for a service account.
const (
	maxAccount = 32 << 10
	minKeyBits = 2048 // Google's are
)

// account is a service account's key, as its JSON file tells it.
type account struct {
	project  string
	email    string
	keyID    string
	tokenURI *url.URL
	key      *rsa.PrivateKey
}

// parseAccount checks the file. The errors name what is missing and quote nothing of it.
func parseAccount(text string, plainHTTP bool) (*account, error) {
	bad := func(mend string) (*account, error) { return nil, wire.Invalid("credentials."+serviceAccount, mend) }
	if text == "" || len(text) > maxAccount {
		return bad("give the JSON file of a service account's key")
	}
	var f struct {
		Type         string `json:"type"`
		ProjectID    string `json:"project_id"`
		PrivateKeyID string `json:"private_key_id"`
		PrivateKey   string `json:"private_key"`
		ClientEmail  string `json:"client_email"`
		TokenURI     string `json:"token_uri"`
		Info         any    `json:"project_info"` // what google-services.json has instead
	}
	if json.Unmarshal(bytes.TrimPrefix([]byte(text), []byte("\ufeff")), &f) != nil {
		return bad("give the whole JSON file of the service account's key, as it was downloaded; this is no JSON of that shape")
	}
	switch {
	case f.Info != nil:
		return bad("this is google-services.json, which belongs into the app; give the service account's key: Firebase console, Project settings, Service accounts, Generate new private key")
	case f.Type != "" && f.Type != "service_account":
		return bad("this is a credential of another type; give one whose type is service_account")
	case !isName(f.ProjectID):
		return bad("its project_id is missing, or no project's id")
	case f.ClientEmail == "" || strings.ContainsFunc(f.ClientEmail, notToken):
		return bad("its client_email is missing")
	case f.PrivateKey == "":
		return bad("its private_key is missing")
	case strings.ContainsFunc(f.PrivateKeyID, notToken):
		return bad("its private_key_id is not one")
	}
	key, mend := parseKey(f.PrivateKey)
	if mend != "" {
		return bad(mend)
	}
	uri, err := url.Parse(f.TokenURI)
	switch {
	case err != nil || uri.Hostname() == "" || uri.User != nil || uri.RawQuery != "" || uri.Fragment != "":
		return bad("its token_uri is missing, or no URL; Google's is https://oauth2.googleapis.com/token")
	case uri.Scheme != "https" && (!plainHTTP || uri.Scheme != "http"):
		return bad("its token_uri is not https; only with a base_url of http, which test systems have, it may be http as well")
	}
	return &account{project: f.ProjectID, email: f.ClientEmail, keyID: f.PrivateKeyID, tokenURI: uri, key: key}, nil
}

// parseKey reads a private key, or says what to do about it.
func parseKey(text string) (key *rsa.PrivateKey, mend string) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, "its private_key is no PEM; line breaks in it have to stay \\n"
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, "its private_key is damaged, or not PKCS#8; download the file again"
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok || key.N.BitLen() < minKeyBits {
		return nil, "its private_key is not RSA of at least 2048 bits"
	}
	return key, ""
}

// isName tells what can be a project's id or number, and stand in a path. Old ids of a domain have a colon and dots.
func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != ':' && (c != '.' || i == 0) {
			return false
		}
	}
	return s != "" && len(s) <= 128
}

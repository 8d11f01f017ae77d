package fcm

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"time"

	"peal/internal/provider/wire"
)

const (
	scope     = "https://www.googleapis.com/auth/firebase.messaging"
	grantType = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	// A clock that is a little ahead of Google's makes assertions of the future, which it refuses.
	assertionBack = 10 * time.Second
	assertionLife = time.Hour // the longest that Google takes
)

// assertion is the JWT (RS256) that is traded for an access token.
func (a *account) assertion(now time.Time) (string, error) {
	iat := now.Add(-assertionBack).Unix()
	head := append([]byte(`{"alg":"RS256","typ":"JWT"`), memberIf("kid", a.keyID)...)
	head = append(head, '}')
	body := wire.AppendString([]byte(`{"iss":`), a.email)
	body = append(body, `,"scope":"`+scope+`","aud":`...)
	body = wire.AppendString(body, a.tokenURI.String())
	body = fmt.Appendf(body, `,"iat":%d,"exp":%d}`, iat, iat+int64(assertionLife/time.Second))

	b64 := base64.RawURLEncoding
	signed := b64.EncodeToString(head) + "." + b64.EncodeToString(body)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, a.key, crypto.SHA256, digest[:])
	if err != nil {
		return "", fmt.Errorf("sign the assertion: %w", err)
	}
	return signed + "." + b64.EncodeToString(signature), nil
}

// memberIf is a further member of a JSON object, unless the value is empty.
func memberIf(key, value string) []byte {
	if value == "" {
		return nil
	}
	return wire.AppendString([]byte(`,"`+key+`":`), value)
}

// grant is the form that asks for a token.
func (a *account) grant(now time.Time) ([]byte, error) {
	assertion, err := a.assertion(now)
	if err != nil {
		return nil, err
	}
	return []byte(url.Values{"grant_type": {grantType}, "assertion": {assertion}}.Encode()), nil
}

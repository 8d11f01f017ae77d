package usertoken

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"peal/internal/peal"
)

// keys are rows by their id; a missing one is not found, unless away is set.
type keys struct {
	rows  map[string]peal.UserKey
	away  error
	asked int
}

func (k *keys) UserKey(_ context.Context, id string) (peal.UserKey, error) {
	k.asked++
	if k.away != nil {
		return peal.UserKey{}, k.away
	}
	row, ok := k.rows[id]
	if !ok {
		return row, peal.Errorf(peal.NotFound, "there is no such user key")
	}
	return row, nil
}

// open is a vault that seals nothing.
type open struct{}

func (open) Open(sealed []byte, belongs string) ([]byte, error) {
	if !strings.HasPrefix(belongs, "user-key:") {
		return nil, errors.New("it belongs elsewhere")
	}
	return sealed, nil
}

type bundle struct {
	*Verifier

	keys     *keys
	now      time.Time
	hmac, ed string // ids
	secret   string
	private  ed25519.PrivateKey
	public   ed25519.PublicKey
}

func setup(tb testing.TB) *bundle {
	tb.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	b := &bundle{
		now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), hmac: peal.NewID(), ed: peal.NewID(), secret: NewSecret(),
		private: private, public: public,
	}
	b.keys = &keys{rows: map[string]peal.UserKey{
		b.hmac: {ID: b.hmac, TenantID: "acme", Algorithm: HS256, Secret: []byte(b.secret)},
		b.ed:   {ID: b.ed, TenantID: "other", Algorithm: EdDSA, PublicKey: public},
	}}
	b.Verifier = New(b.keys, open{}, func() time.Time { return b.now })
	return b
}

func (b *bundle) claims() jwt.MapClaims {
	return jwt.MapClaims{"sub": "raju", "iat": b.now.Unix(), "exp": b.now.Add(time.Hour).Unix()}
}

func sign(tb testing.TB, m jwt.SigningMethod, header map[string]any, claims jwt.Claims, key any) string {
	tb.Helper()
	t := jwt.NewWithClaims(m, claims)
	for k, v := range header {
		t.Header[k] = v
	}
	s, err := t.SignedString(key)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestGoodTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	signed, err := Sign(b.hmac, b.secret, "raju", b.now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]User{
		signed: {"acme", "raju"},
		sign(t, jwt.SigningMethodHS256, map[string]any{"kid": b.hmac}, b.claims(), []byte(b.secret)): {"acme", "raju"},
		sign(t, jwt.SigningMethodEdDSA, map[string]any{"kid": b.ed}, b.claims(), b.private):          {"other", "raju"},
	} {
		if got, err := b.Verify(t.Context(), token); err != nil || got != want || !Looks(token) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	if Looks("peal_0192_abc") {
		t.Error("an API key looks like a user token")
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(b *bundle, c jwt.MapClaims)
		want   string // part of the refusal; empty: it is good
	}{
		"a day":                    {func(b *bundle, c jwt.MapClaims) { c["exp"] = b.now.Add(24 * time.Hour).Unix() }, ""},
		"more than a day":          {func(b *bundle, c jwt.MapClaims) { c["exp"] = b.now.Add(24*time.Hour + time.Second).Unix() }, "longer than 24 hours"},
		"for ever":                 {func(_ *bundle, c jwt.MapClaims) { c["exp"] = int64(253402300799) }, "longer than 24 hours"},
		"beyond all times":         {func(_ *bundle, c jwt.MapClaims) { c["exp"] = 1e300 }, "iat and exp"},
		"no exp":                   {func(_ *bundle, c jwt.MapClaims) { delete(c, "exp") }, "iat and exp"},
		"no iat":                   {func(_ *bundle, c jwt.MapClaims) { delete(c, "iat") }, "iat and exp"},
		"iat of 1969":              {func(_ *bundle, c jwt.MapClaims) { c["iat"] = -1 }, "iat and exp"},
		"expired":                  {func(b *bundle, c jwt.MapClaims) { c["iat"], c["exp"] = b.now.Unix()-10, b.now.Unix() }, "has expired"},
		"a second left":            {func(b *bundle, c jwt.MapClaims) { c["exp"] = b.now.Unix() + 1 }, ""},
		"a clock a minute ahead":   {func(b *bundle, c jwt.MapClaims) { c["iat"] = b.now.Unix() + 60 }, ""},
		"a clock more ahead":       {func(b *bundle, c jwt.MapClaims) { c["iat"] = b.now.Unix() + 61 }, "in the future"},
		"nbf a minute ahead":       {func(b *bundle, c jwt.MapClaims) { c["nbf"] = b.now.Unix() + 60 }, ""},
		"nbf more ahead":           {func(b *bundle, c jwt.MapClaims) { c["nbf"] = b.now.Unix() + 61 }, "not good yet"},
		"no sub":                   {func(_ *bundle, c jwt.MapClaims) { delete(c, "sub") }, "sub"},
		"sub empty":                {func(_ *bundle, c jwt.MapClaims) { c["sub"] = "" }, "sub"},
		"sub too long":             {func(_ *bundle, c jwt.MapClaims) { c["sub"] = strings.Repeat("x", 129) }, "sub"},
		"sub with a control":       {func(_ *bundle, c jwt.MapClaims) { c["sub"] = "a\x00b" }, "sub"},
		"an id of strange letters": {func(_ *bundle, c jwt.MapClaims) { c["sub"] = "राजू" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			c := b.claims()
			tt.change(b, c)
			_, err := b.Verify(t.Context(), sign(t, jwt.SigningMethodHS256, map[string]any{"kid": b.hmac}, c, []byte(b.secret)))
			_, refused := errors.AsType[*Refusal](err)
			if (tt.want == "") != (err == nil) || err != nil && (!refused || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// TestStrangers: of what nobody signed whom we know, all are told the same.
func TestStrangers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	kid := func(id any) map[string]any { return map[string]any{"kid": id} }
	good := sign(t, jwt.SigningMethodHS256, kid(b.hmac), b.claims(), []byte(b.secret))
	head, rest, _ := strings.Cut(good, ".")
	_, otherPrivate, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	none, err := json.Marshal(map[string]any{"alg": "none", "kid": b.hmac})
	if err != nil {
		t.Fatal(err)
	}
	pub, err := x509.MarshalPKIXPublicKey(b.public)
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"another secret":                    sign(t, jwt.SigningMethodHS256, kid(b.hmac), b.claims(), []byte("x")),
		"another key":                       sign(t, jwt.SigningMethodEdDSA, kid(b.ed), b.claims(), otherPrivate),
		"HS256 with the public key":         sign(t, jwt.SigningMethodHS256, kid(b.ed), b.claims(), []byte(b.public)),
		"HS256 with the public key in DER":  sign(t, jwt.SigningMethodHS256, kid(b.ed), b.claims(), pub),
		"another algorithm":                 sign(t, jwt.SigningMethodHS512, kid(b.hmac), b.claims(), []byte(b.secret)),
		"EdDSA under the id of a secret":    sign(t, jwt.SigningMethodEdDSA, kid(b.hmac), b.claims(), b.private),
		"none":                              base64.RawURLEncoding.EncodeToString(none) + "." + strings.Split(rest, ".")[0] + ".",
		"no signature":                      head + "." + strings.Split(rest, ".")[0] + ".",
		"no kid":                            sign(t, jwt.SigningMethodHS256, nil, b.claims(), []byte(b.secret)),
		"kid a number":                      sign(t, jwt.SigningMethodHS256, kid(7), b.claims(), []byte(b.secret)),
		"kid of nobody":                     sign(t, jwt.SigningMethodHS256, kid(peal.NewID()), b.claims(), []byte(b.secret)),
		"kid in capitals":                   sign(t, jwt.SigningMethodHS256, kid(strings.ToUpper(b.hmac)), b.claims(), []byte(b.secret)),
		"what must be understood":           sign(t, jwt.SigningMethodHS256, map[string]any{"kid": b.hmac, "crit": []string{"b64"}}, b.claims(), []byte(b.secret)),
		"too long":                          good + strings.Repeat("A", 5000),
		"another header":                    base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","kid":"`+b.ed+`"}`)) + "." + rest,
		"nothing":                           "..",
		"times that are texts":              sign(t, jwt.SigningMethodHS256, kid(b.hmac), jwt.MapClaims{"sub": "raju", "iat": "now", "exp": "later"}, []byte(b.secret)),
		"a signature with trailing garbage": good + "=",
	} {
		if _, err := b.Verify(t.Context(), token); !errors.Is(err, errStranger) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRevokedDisabledAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := sign(t, jwt.SigningMethodHS256, map[string]any{"kid": b.hmac}, b.claims(), []byte(b.secret))
	verify := func(want error) {
		t.Helper()
		if _, err := b.Verify(t.Context(), token); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	verify(nil)
	verify(nil)
	if b.keys.asked != 1 {
		t.Errorf("the key was read %d times", b.keys.asked)
	}
	row := b.keys.rows[b.hmac]
	row.RevokedAt = b.now
	b.keys.rows[b.hmac] = row
	b.now = b.now.Add(keyTTL)
	verify(errStranger)
	row.RevokedAt, row.Disabled = time.Time{}, true
	b.keys.rows[b.hmac] = row
	b.Forget()
	verify(ErrDisabled)
	b.Forget()
	b.keys.away = peal.Errorf(peal.Unavailable, "away")
	if _, err := b.Verify(t.Context(), token); peal.KindOf(err) != peal.Unavailable {
		t.Errorf("with the records away: %v", err)
	}
}

func TestParsePublicKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	der, err := x509.MarshalPKIXPublicKey(b.public)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(b.private)
	if err != nil {
		t.Fatal(err)
	}
	raw := base64.RawURLEncoding.EncodeToString(b.public)
	for in, want := range map[string]string{
		string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})): "",
		raw: "", raw + "=": "", " " + raw + "\n": "",
		"": "give an Ed25519", raw[:20]: "give an Ed25519", "-----BEGIN": "begins like PEM",
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})): "private key",
		string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: private})):  "no public key",
	} {
		key, err := ParsePublicKey(in)
		if want == "" && (err != nil || !key.Equal(b.public)) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}

// FuzzVerify: whatever comes as a token, only what was signed is good, and nothing breaks.
func FuzzVerify(f *testing.F) {
	b := setup(f)
	good := sign(f, jwt.SigningMethodHS256, map[string]any{"kid": b.hmac}, b.claims(), []byte(b.secret))
	ed := sign(f, jwt.SigningMethodEdDSA, map[string]any{"kid": b.ed}, b.claims(), b.private)
	for _, seed := range []string{good, ed, "", "..", "a.b.c", good[:len(good)-1], strings.ToUpper(good), "e30.e30.", "eyJhbGciOiJub25lIn0.e30."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := b.Verify(t.Context(), token); err == nil && token != good && token != ed {
			t.Errorf("%q is good", token)
		}
	})
}

// FuzzClaims: whatever a signed token claims, it is good for a day at most.
func FuzzClaims(f *testing.F) {
	b := setup(f)
	for _, seed := range []string{`{}`, `{"sub":"a","iat":1,"exp":2}`, `{"sub":"a","iat":1e300,"exp":-1e300}`, `[]`, `null`, `{"sub":"a","iat":9223372036854775807,"exp":9223372036854775807}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT","kid":"` + b.hmac + `"}`))
		text := head + "." + base64.RawURLEncoding.EncodeToString(body)
		sig, err := jwt.SigningMethodHS256.Sign(text, []byte(b.secret))
		if err != nil {
			t.Fatal(err)
		}
		u, err := b.Verify(t.Context(), text+"."+base64.RawURLEncoding.EncodeToString(sig))
		if err != nil {
			return
		}
		var c struct{ Exp float64 }
		if err := json.Unmarshal(body, &c); err != nil || u.ID == "" || c.Exp > float64(b.now.Add(MaxLife+leeway).Unix()+1) || c.Exp < float64(b.now.Unix()) {
			t.Errorf("%s is good: %+v", body, u)
		}
	})
}

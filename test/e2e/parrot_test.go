package e2e_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// squawk is how a parrot answers; the zero value takes what comes.
type squawk struct {
	status int
	text   bool // plain text instead of JSON
	token  bool // it is the token endpoint that answers so
}

// parrot is a push service, and a token endpoint, that puts all that it was told into its refusals. What it is told, and
// what it gives itself, is watched for from then on.
type parrot struct {
	*httptest.Server

	watched *watched
	says    atomic.Pointer[squawk]
}

func newParrot(t *testing.T, w *watched, http2 bool) *parrot {
	t.Helper()
	p := &parrot{watched: w}
	p.says.Store(&squawk{})
	p.Server = httptest.NewUnstartedServer(p)
	if http2 {
		p.EnableHTTP2 = true
		p.StartTLS()
	} else {
		p.Start()
	}
	t.Cleanup(p.Close)
	return p
}

// ca is what its certificate is checked with.
func (p *parrot) ca() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw}))
}

// ServeHTTP implements http.Handler.
func (p *parrot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	heard := r.Header.Get("Authorization") + " " + r.URL.Path
	if _, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
		p.watched.watch(strings.TrimPrefix(strings.Split(token, ",")[0], "t=")) // Bearer x, or vapid t=x, k=a public key
	}
	s, granting := p.says.Load(), r.URL.Path == "/token"
	if granting {
		form, _ := url.ParseQuery(string(body)) // what is not read is not watched, and no assertion is then sent
		p.watched.watch(form.Get("assertion"))
		heard += " " + form.Get("assertion")
	} else if json.Valid(body) {
		heard += " " + string(body)
	}
	switch {
	case granting && !s.token:
		granted := "ya29." + secretText(120)
		p.watched.watch(granted)
		answerJSON(w, http.StatusOK, map[string]any{"access_token": granted, "expires_in": 3600, "token_type": "Bearer"})
	case s.status == 0 || s.token != granting:
		w.Header()["Apns-Id"] = r.Header["Apns-Id"]
		answerJSON(w, http.StatusOK, map[string]any{"name": "projects/shop/messages/1"})
	default:
		p.refuse(w, s, heard)
	}
}

func (p *parrot) refuse(w http.ResponseWriter, s *squawk, heard string) {
	line := strings.Join(strings.Fields(heard), " ")
	for _, name := range []string{"Location", "Retry-After", "Apns-Id", "Www-Authenticate"} {
		w.Header().Set(name, line)
	}
	switch {
	case s.text:
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, heard) // who does not read it does not read it
	case s.token:
		answerJSON(w, s.status, map[string]any{"error": line, "error_description": heard})
	default:
		answerJSON(w, s.status, map[string]any{
			"reason": heard, "message": heard, "errno": 102,
			"error": map[string]any{"code": s.status, "status": line, "message": heard, "details": []any{
				map[string]any{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": line},
				map[string]any{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": []any{map[string]any{"field": heard, "description": heard}}},
			}},
		})
	}
}

func answerJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) //nolint:errchkjson // who does not read it does not read it
}

// secretText is text that nobody else has.
func secretText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return base64.RawURLEncoding.EncodeToString(b)[:n]
}

package e2e_test

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"peal/emulator/wasender"
)

// watched is a transport that looks through every answer for what none may contain, in every test.
type watched struct {
	http.RoundTripper

	mu      sync.Mutex
	secrets []string
	leaks   []string
}

func (w *watched) watch(secrets ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range secrets {
		if s != "" && !slices.Contains(w.secrets, s) {
			w.secrets = append(w.secrets, s)
		}
	}
}

// RoundTrip implements http.RoundTripper.
func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := w.RoundTripper.RoundTrip(r)
	if err != nil {
		return res, err
	}
	if res.Header.Get("Content-Type") == "text/event-stream" { // it has no end
		res.Body = watchedStream{res.Body, w, r}
		return res, nil
	}
	body, err := io.ReadAll(res.Body)
	if cerr := res.Body.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	w.look(r, body)
	return res, nil
}

func (w *watched) look(r *http.Request, body []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.secrets {
		if bytes.Contains(body, []byte(s)) {
			w.leaks = append(w.leaks, r.Method+" "+r.URL.Path+" answers with the secret "+s)
		}
	}
}

// watchedStream is an answer that comes piece by piece.
type watchedStream struct {
	io.ReadCloser

	w *watched
	r *http.Request
}

// Read implements io.Reader.
func (s watchedStream) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.w.look(s.r, p[:n])
	return n, err
}

// rotatedKey is the API key that tests rotate to.
const rotatedKey = "the-new-api-key-of-the-session"

// providerSecrets are those of the emulated account.
func providerSecrets() []string {
	return []string{wasender.DefaultAPIKey, wasender.DefaultWebhookSecret, wasender.DefaultPAT, rotatedKey}
}

// number is any of the numbers that phone makes, with its plus or without, or as a JID.
var number = regexp.MustCompile(`91981[0-9]{7}`)

// noLeaks checks, at the end of every test, that no answer held a secret and that the log holds neither secrets nor
// phone numbers nor what was said.
func (s *server) noLeaks(t *testing.T) {
	t.Helper()
	for _, leak := range s.watched.leaks {
		t.Error(leak)
	}
	log := s.logs.text()
	if m := number.FindStringIndex(log); m != nil {
		t.Errorf("the log holds a phone number: …%s…", log[max(0, m[0]-200):min(len(log), m[1]+50)])
	}
	for _, secret := range append(s.watched.secrets, "peal_0", `"text"`, "/hooks/") {
		if i := strings.Index(log, secret); i >= 0 {
			t.Errorf("the log holds %q: …%s…", secret, log[max(0, i-200):min(len(log), i+50)])
		}
	}
}

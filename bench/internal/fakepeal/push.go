package fakepeal

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
)

// pushes is what a restart keeps: where to push, and the devices' tokens by their users.
type pushes struct {
	Kind, URL, CA string
	Devices       map[string]string
}

// Load takes up what a process before this one saved; there may be none.
func (f *Fake) Load(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil || len(raw) == 0 { // the first one
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := json.Unmarshal(raw, &f.push); err != nil {
		return err
	}
	f.connect()
	return nil
}

// Save keeps what Load takes up.
func (f *Fake) Save(path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	raw, err := json.Marshal(f.push)
	if err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o600)
}

// pushTo sets where pushes go.
func (f *Fake) pushTo(kind, url, ca string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.push.Kind, f.push.URL, f.push.CA = kind, url, ca
	f.connect()
}

func (f *Fake) connect() {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(f.push.CA))
	f.pusher = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
}

func (f *Fake) device(w http.ResponseWriter, r *http.Request) {
	var d struct{ Kind, Token string }
	if err := json.NewDecoder(r.Body).Decode(&d); err != nil || d.Token == "" {
		answer(w, 422, `{"code":"invalid_request"}`)
		return
	}
	f.mu.Lock()
	if f.push.Devices == nil {
		f.push.Devices = map[string]string{}
	}
	f.push.Devices[r.PathValue("user")] = d.Token
	f.mu.Unlock()
	answer(w, 201, `{"id":"d"}`)
}

// tokens are those that a notification goes to; none where it cannot be sent.
func (f *Fake) tokens(n *notification) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n.Recipient.Audience != nil {
		return slices.Collect(maps.Values(f.push.Devices))
	}
	if t, ok := f.push.Devices[n.Recipient.UserID]; ok {
		return []string{t}
	}
	return nil
}

// sendPush calls as Peal would.
func (f *Fake) sendPush(j job) {
	f.mu.Lock()
	client, to := f.pusher, f.push
	f.mu.Unlock()
	url, body := to.URL+"/v1/projects/bench/messages:send", map[string]any{"message": map[string]any{
		"token": j.to, "notification": map[string]string{"body": j.text},
	}}
	if to.Kind == "apns" {
		url, body = to.URL+"/3/device/"+j.to, map[string]any{"aps": map[string]any{"alert": map[string]string{"body": j.text}}}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return // maps of texts always encode
	}
	resp, err := client.Post(url, "application/json", bytes.NewReader(raw))
	if err != nil {
		return // as in send
	}
	_, _ = io.Copy(io.Discard, resp.Body) // as in send
	_ = resp.Body.Close()
}

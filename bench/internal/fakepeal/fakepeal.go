// Package fakepeal is what the bench's own tests run against instead of Peal: the few routes that the bench calls,
// nothing kept, everything passed on to the provider at once. It makes mistakes on request.
package fakepeal

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Faults are mistakes the bench has to notice. Each counts notifications from 1; 0 means never.
type Faults struct {
	Lose   int // accept this one and never send it
	Double int // send this one twice
	Refuse int // answer this one with 422
	Stray  int // refuse this one and send it all the same
	Die    int // end the process at this one
}

// Fake is the handler. Close it to wait for what it still has to send.
type Fake struct {
	mux    *http.ServeMux
	faults Faults
	seen   atomic.Int64
	jobs   chan job
	wg     sync.WaitGroup

	mu       sync.Mutex
	provider string
	push     pushes
	pusher   *http.Client
}

type job struct {
	to, text string
	push     bool
}

type notification struct {
	Recipient struct {
		Phone    string    `json:"phone"`
		UserID   string    `json:"user_id"`
		Audience *struct{} `json:"audience"`
	} `json:"recipient"`
	Integration string `json:"integration"`
	Content     struct {
		Text string `json:"text"`
		Push *struct {
			Body string `json:"body"`
		} `json:"push"`
	} `json:"content"`
}

// New starts its senders.
func New(operatorKey string, faults Faults) *Fake {
	f := &Fake{mux: http.NewServeMux(), faults: faults, jobs: make(chan job, 10_000)}
	operator := func(h http.HandlerFunc) http.Handler { return auth(operatorKey, h) }
	f.mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	f.mux.Handle("POST /v1/tenants", operator(f.tenant))
	f.mux.Handle("POST /v1/keys", operator(f.key))
	f.mux.Handle("POST /v1/integrations", operator(f.integration))
	f.mux.Handle("PUT /v1/users/{user}/devices/{device}", auth("the-key", f.device))
	f.mux.Handle("POST /v1/notifications", auth("the-key", f.single))
	f.mux.Handle("POST /v1/notifications/batch", auth("the-key", f.batch))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	for range 16 {
		f.wg.Go(func() {
			for j := range f.jobs {
				if j.push {
					f.sendPush(j)
				} else {
					f.send(client, j)
				}
			}
			client.CloseIdleConnections()
		})
	}
	return f
}

// ServeHTTP answers as Peal would.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) { f.mux.ServeHTTP(w, r) }

// Close waits until everything is sent; no request may come any more.
func (f *Fake) Close() {
	close(f.jobs)
	f.wg.Wait()
}

func auth(key string, h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+key {
			answer(w, http.StatusUnauthorized, `{"code":"unauthorized"}`)
			return
		}
		h(w, r)
	})
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // the bench notices a missing answer
}

func (f *Fake) tenant(w http.ResponseWriter, _ *http.Request) {
	answer(w, 201, `{"id":"t1","name":"bench"}`)
}

func (f *Fake) key(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Peal-Tenant") != "t1" {
		answer(w, 404, `{"code":"not_found"}`)
		return
	}
	answer(w, 201, `{"id":"k1","secret":"the-key"}`)
}

func (f *Fake) integration(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Kind     string
		Settings struct {
			BaseURL     string `json:"base_url"`
			CA          string
			Limit       *struct{ Rate int }
			Concurrency int
		}
	}
	err := json.NewDecoder(r.Body).Decode(&in)
	if err != nil || r.Header.Get("Peal-Tenant") != "t1" || !slices.Contains([]string{"wasender", "fcm", "apns"}, in.Kind) || in.Settings.Limit == nil || in.Settings.Limit.Rate != 0 {
		answer(w, 422, `{"code":"invalid_request"}`)
		return
	}
	if in.Kind == "wasender" {
		f.SendTo(in.Settings.BaseURL)
	} else {
		f.pushTo(in.Kind, in.Settings.BaseURL, in.Settings.CA)
	}
	answer(w, 201, `{"id":"i1"}`)
}

// SendTo sets the provider's base URL, as creating an integration does.
func (f *Fake) SendTo(baseURL string) {
	f.mu.Lock()
	f.provider = baseURL
	f.mu.Unlock()
}

func (f *Fake) single(w http.ResponseWriter, r *http.Request) {
	var n notification
	if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
		answer(w, 400, `{"code":"malformed_json"}`)
		return
	}
	if status := f.take(n); status != 202 {
		answer(w, status, `{"code":"invalid_request"}`)
		return
	}
	answer(w, 202, `{"id":"n1"}`)
}

func (f *Fake) batch(w http.ResponseWriter, r *http.Request) {
	var b struct {
		Notifications []notification `json:"notifications"`
	}
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
		answer(w, 400, `{"code":"malformed_json"}`)
		return
	}
	results := make([]string, 0, len(b.Notifications))
	for _, n := range b.Notifications {
		results = append(results, fmt.Sprintf(`{"status":%d}`, f.take(n)))
	}
	answer(w, 202, `{"results":[`+strings.Join(results, ",")+`]}`)
}

// take returns the status for one notification.
func (f *Fake) take(n notification) int {
	var jobs []job
	switch phone := n.Recipient.Phone; {
	case n.Content.Push != nil:
		for _, token := range f.tokens(&n) {
			jobs = append(jobs, job{to: token, text: n.Content.Push.Body, push: true})
		}
	case len(phone) == len("+919800000000") && n.Integration == "bench" && n.Content.Text != "":
		jobs = []job{{to: phone, text: n.Content.Text}}
	}
	if len(jobs) == 0 {
		return 422
	}
	switch int(f.seen.Add(1)) {
	case f.faults.Lose:
		jobs = jobs[1:]
	case f.faults.Double:
		f.jobs <- jobs[0]
	case f.faults.Refuse:
		return 422
	case f.faults.Die:
		os.Exit(3)
	case f.faults.Stray:
		f.jobs <- jobs[0]
		return 422
	}
	for _, j := range jobs {
		f.jobs <- j
	}
	return 202
}

func (f *Fake) send(client *http.Client, j job) {
	f.mu.Lock()
	url := f.provider + "/send-message"
	f.mu.Unlock()
	body, err := json.Marshal(map[string]string{"to": j.to, "text": j.text})
	if err != nil {
		return // strings always encode
	}
	resp, err := client.Post(url, "application/json", strings.NewReader(string(body)))
	if err != nil {
		return // the stand-in is gone; what is missing then is the test's to notice
	}
	_, _ = io.Copy(io.Discard, resp.Body) // only so that the connection can be used again
	_ = resp.Body.Close()
}

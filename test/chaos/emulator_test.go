package chaos

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"peal/emulator/wasender"
)

// The two integrations, and what the one may send in a second: what Peal is told, and what the provider refuses beyond.
const (
	open     = "open"
	limited  = "limited"
	allowed  = 45
	refusing = 50
)

// emulator is the provider with an account for each integration. What is called for is counted even where a fault drops
// the call.
type emulator struct {
	*wasender.Server
	url      string
	accounts map[string]wasender.Session

	mu    sync.Mutex
	calls map[string]int       // by recipient
	times map[string][]arrival // by API key
}

// arrival is a call that came in.
type arrival struct {
	at time.Time
	to string
}

func newEmulator(t *testing.T) *emulator {
	t.Helper()
	script := quietScript()
	e := &emulator{calls: map[string]int{}, times: map[string][]arrival{}, accounts: map[string]wasender.Session{
		limited: {ID: 1, APIKey: "key-limited", WebhookSecret: "secret-limited", Limit: wasender.Limit{Requests: refusing, Period: time.Second}, LogMessages: true},
		open:    {ID: 2, APIKey: "key-open", WebhookSecret: "secret-open", LogMessages: true},
	}}
	e.Server = wasender.New(wasender.Options{
		Script: &script, Sessions: []wasender.Session{e.accounts[limited], e.accounts[open]}, KeepMessages: *count + *count/10 + 1000,
		Webhooks: wasender.WebhookOptions{Workers: 32, Timeout: 15 * time.Second, Tries: 8},
	})
	t.Cleanup(e.Close)
	srv := httptest.NewServer(http.HandlerFunc(e.serve))
	t.Cleanup(srv.Close)
	e.url = srv.URL
	return e
}

func (e *emulator) account(name string) wasender.Session { return e.accounts[name] }

func (e *emulator) serve(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	if r.URL.Path == "/api/send-message" {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the caller has gone
		}
		var m struct{ To string }
		if json.Unmarshal(body, &m) == nil {
			e.mu.Lock()
			e.calls[m.To]++
			key := r.Header.Get("Authorization")
			e.times[key] = append(e.times[key], arrival{at, m.To})
			e.mu.Unlock()
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	e.ServeHTTP(w, r)
}

// The scripts. Most messages have one receipt, for each is a request of its own.
func quietScript() wasender.Script {
	return wasender.StatusScript(200*time.Millisecond, wasender.StatusDelivered)
}

func allTicks() wasender.Script {
	return wasender.StatusScript(100*time.Millisecond, wasender.StatusSent, wasender.StatusDelivered, wasender.StatusRead)
}

func lateTicks() wasender.Script {
	return wasender.StatusScript(4*time.Second, wasender.StatusDelivered, wasender.StatusRead)
}

func shuffledTicks(seed uint64) wasender.Script {
	s := allTicks()
	s.Order, s.Seed, s.DuplicateChance = wasender.OrderShuffle, seed, 0.5
	return s
}

// busiest are the calls of the second in which most came in for an account.
func (e *emulator) busiest(name string) (worst []arrival) {
	e.mu.Lock()
	all := slices.Clone(e.times["Bearer "+e.accounts[name].APIKey])
	e.mu.Unlock()
	slices.SortFunc(all, func(a, b arrival) int { return a.at.Compare(b.at) })
	from := 0
	for i := range all {
		for all[i].at.Sub(all[from].at) >= time.Second {
			from++
		}
		if i+1-from > len(worst) {
			worst = all[from : i+1]
		}
	}
	return worst
}

package chaos

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"peal/api"
	"peal/emulator/wasender"
)

// world is everything that takes part.
type world struct {
	t                *testing.T
	dir              string // logs and data; stays when the test fails
	bin              string
	master, operator string
	http             *http.Client
	pg               *postgres
	nats             [3]*natsServer
	nodes            [3]*node
	emu              *emulator
	door             *door
	began            time.Time

	mu       sync.Mutex
	timeline []string
	faults   map[string]int // by kind
	wrong    []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	programs(t) // or skip before anything is built
	owner(t)
	dir, err := os.MkdirTemp("", "peal-chaos") //nolint:usetesting // it stays when the test fails
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, dir: dir, master: secret(), operator: secret(), began: time.Now(), faults: map[string]int{},
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * workers, DisableCompression: true}},
	}
	t.Cleanup(func() {
		w.http.CloseIdleConnections()
		if !t.Failed() && !*keep {
			_ = os.RemoveAll(dir) // what is left is in the temporary folder
			return
		}
		t.Logf("the faults:\n%s", strings.Join(w.timeline, "\n"))
		t.Logf("logs and data are in %s; -seed %d repeats the schedule", dir, *seed)
	})
	w.bin = buildPeal(t)
	p := newPorts()
	w.pg = startPostgres(t, w, p)
	w.nats = startCluster(t, w, p)
	w.emu = newEmulator(t)
	w.nodes = startNodes(t, w, p)
	w.door = newDoor(t, w)
	w.integrations()
	return w
}

func secret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// note writes a line of the timeline.
func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timeline = append(w.timeline, fmt.Sprintf("%8.2fs  ", time.Since(w.began).Seconds())+fmt.Sprintf(format, args...))
}

// fault is note, of something that is broken now.
func (w *world) fault(kind, format string, args ...any) {
	w.note(format, args...)
	w.mu.Lock()
	w.faults[kind]++
	w.mu.Unlock()
}

// broken notes something that must not happen.
func (w *world) broken(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.note("WRONG: %s", text)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, text)
}

// integrations makes a tenant and its two integrations: limited, whose lost messages are looked for, and open, whose lost
// messages are left to a person.
func (w *world) integrations() {
	w.t.Helper()
	if _, err := w.nodes[0].api.CreateTenant(w.t.Context(), api.TenantRequest{ID: tenant, Name: "Acme"}); err != nil {
		w.t.Fatal(err)
	}
	settings := api.Settings{
		BaseURL: w.emu.url + "/api", Limit: &api.Limit{}, LookupLimit: &api.Limit{}, Timeout: "5s", RetryBase: "200ms", RetryCap: "2s",
		MaxAttempts: 20, OnUnknown: "hold",
	}
	for _, name := range []string{open, limited} {
		if name == limited {
			settings.Limit, settings.OnUnknown = &api.Limit{Rate: allowed}, "reconcile"
		}
		s := w.emu.account(name)
		credentials := map[string]string{"api_key": s.APIKey, "webhook_secret": s.WebhookSecret}
		if name == limited { // what is lost is looked for in the provider's log
			credentials["personal_access_token"], credentials["session_id"] = wasender.DefaultPAT, strconv.FormatInt(s.ID, 10)
		}
		in, err := w.nodes[0].api.CreateIntegration(w.t.Context(), api.IntegrationRequest{
			Name: name, Kind: "wasender", Settings: settings, Credentials: credentials,
		})
		if err != nil {
			w.t.Fatal(err)
		}
		path := strings.TrimPrefix(in.WebhookURL, "http://"+w.nodes[0].addr)
		if _, err := w.emu.UpdateSession(s.ID, func(s *wasender.Session) { s.WebhookURL = w.door.url + path }); err != nil {
			w.t.Fatal(err)
		}
	}
}

package stream

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"peal/internal/pipeline"
	"peal/internal/stream/natstest"
)

// refused opens a stream and wants an error that says what to mend, and never a password.
func refused(t *testing.T, e External, want ...string) {
	t.Helper()
	s, err := Open(t.Context(), Config{External: e})
	if err == nil {
		s.Close()
		t.Fatal("it was opened")
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error %q does not say %q", err, w)
		}
	}
	if strings.Contains(err.Error(), "hush") {
		t.Errorf("the error shows a password: %v", err)
	}
}

func TestABrokerThatWillNotDoIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config   string // %DIR%: a folder of its own
		user     string
		replicas int
		want     []string
	}{
		"no JetStream":       {"", "", 3, []string{"turn JetStream on"}},
		"not in the account": {"jetstream { store_dir: %DIR% }\naccounts { A { users: [{user: a, password: hush}] } }", "a:hush@", 1, []string{"jetstream: enabled"}},
		"a single server":    {"jetstream { store_dir: %DIR% }", "", 3, []string{"DELIVERIES", "single server", "--nats-replicas (PEAL_NATS_REPLICAS)"}},
		"small messages":     {"jetstream { store_dir: %DIR% }\nmax_payload: 1MB", "", 1, []string{"max_payload must be at least 5242880"}},
		"wrong password":     {"authorization { user: a, password: right }", "a:hush@", 1, []string{"PEAL_NATS_URL", "Authorization Violation"}},
		"no password":        {"authorization { token: right }", "", 1, []string{"PEAL_NATS_URL", "PEAL_NATS_TOKEN"}},
		"little room":        {accountWith("max_file: 1MB"), "a:hush@", 1, []string{"max_file must be at least"}},
		"one stream":         {accountWith("max_streams: 1"), "a:hush@", 1, []string{"max_streams"}},
		"few in hand":        {accountWith("max_ack_pending: 100"), "a:hush@", 1, []string{"max_ack_pending"}},
		"sizes are demanded": {accountWith("max_bytes: true"), "a:hush@", 1, []string{"max_bytes_required"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := natstest.Single(t, strings.ReplaceAll(c.config, "%DIR%", `"`+t.TempDir()+`"`))
			refused(t, External{URLs: []string{strings.Replace(url, "://", "://"+c.user, 1)}, Replicas: c.replicas}, c.want...)
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		refused(t, External{URLs: []string{"nats://a:hush@127.0.0.1:1"}, Replicas: 1}, "PEAL_NATS_URL", "are the servers up")
	})
	t.Run("too few servers", func(t *testing.T) {
		t.Parallel()
		urls := shared.Account(t)
		refused(t, External{URLs: urls, Replicas: 5}, "DELIVERIES", "5 replicas", "--nats-replicas (PEAL_NATS_REPLICAS)")
	})
	t.Run("no credentials file", func(t *testing.T) {
		t.Parallel()
		refused(t, External{URLs: []string{"nats://127.0.0.1:1"}, CredsFile: "/nowhere/x.creds", Replicas: 1}, "/nowhere/x.creds")
	})
}

func accountWith(limit string) string {
	return "jetstream { store_dir: %DIR% }\naccounts { A { jetstream: { " + limit + " }, users: [{user: a, password: hush}] } }"
}

// TestASingleServerWillDo: with one replica, a token and a limit that leaves enough room.
func TestASingleServerWillDo(t *testing.T) {
	t.Parallel()
	url := natstest.Single(t, `jetstream { store_dir: "`+t.TempDir()+`" }
		max_payload: 5MB
		authorization { token: hush }`)
	s := opened(t, Config{External: External{URLs: []string{url}, Token: "hush", Replicas: 1}})
	if err := s.Ready(); err != nil {
		t.Error(err)
	}
	ensure(t, s, 3, jobs("in", 3)...)
	ack(t, take(t, openQueue(t, s, "in"), 3)...)
	standing(t, s, pipeline.Deliveries, 0)
	if err := s.Keep(t.Context(), "in", make([]byte, pipeline.MaxMessage)); err != nil {
		t.Errorf("a webhook of the largest size: %v", err)
	}
}

// TestTheUserOfTheManualWillDo: with the permissions, and no others, that docs/operating.md gives it.
func TestTheUserOfTheManualWillDo(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(manual), "permissions: {")
	permissions, _, ended := strings.Cut(text, "}")
	if !found || !ended {
		t.Fatal("the manual has no permissions")
	}
	url := natstest.Single(t, `jetstream { store_dir: "`+t.TempDir()+`", sync_interval: always }
		accounts { PEAL { jetstream: enabled, users: [ { user: peal, password: hush, permissions: {`+permissions+`} } ] } }`)
	var logged bytes.Buffer
	s := opened(t, Config{
		External: External{URLs: []string{strings.Replace(url, "://", "://peal:hush@", 1)}, Replicas: 1}, Log: slog.New(slog.NewTextHandler(&logged, nil)),
	})
	s.Changed()
	s.Expand()
	s.Grown("acme")
	s.OnChange(func(context.Context) {})
	s.OnExpand(func() {})
	s.OnGrown(func(string) {})
	ctx, cancel := context.WithCancel(t.Context())
	var listening sync.WaitGroup
	listening.Go(func() { _ = s.Run(ctx) })
	defer listening.Wait()
	defer cancel()
	list := jobs("in", 3)
	list[2].Due = time.Now().Add(time.Second)
	ensure(t, s, 3, list...)
	ack(t, take(t, openQueue(t, s, "in"), 3)...)
	if err := s.Keep(t.Context(), "in", []byte("x")); err != nil {
		t.Error(err)
	}
	f, err := s.OpenCallbacks(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	ack(t, take(t, f, 1)...)
	f.Stop()
	folded(t, s, 1)
	if err := s.DropQueue(t.Context(), "in"); err != nil {
		t.Error(err)
	}
	if _, err := s.Pending(t.Context(), "in"); err != nil {
		t.Error(err)
	}
	cancel()
	listening.Wait()
	s.Close()
	if logged.Len() > 0 {
		t.Errorf("it was logged: %s", logged.String())
	}
}

func TestAStreamThatIsNotPealsIsRefused(t *testing.T) {
	t.Parallel()
	urls := shared.Account(t)
	s := openAt(t, urls)
	for name, wrong := range map[string]jetstream.StreamConfig{
		"is such a stream": {Name: pipeline.Callbacks, Subjects: []string{pipeline.CallbackSubjects}, Retention: jetstream.WorkQueuePolicy, Replicas: 3},
		"another stream":   {Name: "MINE", Subjects: []string{"callback.x"}},
	} {
		if err := s.js.DeleteStream(t.Context(), pipeline.Callbacks); err != nil {
			t.Fatal(err)
		}
		if _, err := s.js.CreateStream(t.Context(), wrong); err != nil {
			t.Fatal(err)
		}
		refused(t, External{URLs: urls, Replicas: 3}, pipeline.Callbacks, name, "account of its own")
		if err := s.js.DeleteStream(t.Context(), wrong.Name); err != nil {
			t.Fatal(err)
		}
		openAt(t, urls).Close()
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"2.12.0", "2.12.1-RC.1", "2.15.2", "3.0.0", "v2.14.9"} {
		if err := checkVersion(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"2.11.9", "1.99.0", "", "2.12", "x.y.z"} {
		if checkVersion(bad) == nil {
			t.Errorf("%q is new enough", bad)
		}
	}
}

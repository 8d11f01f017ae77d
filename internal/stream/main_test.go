package stream

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/stream/natstest"
)

// shared is the cluster that the tests share; each has an account of its own there. It is set before they run.
var shared *natstest.Cluster

// withCluster runs the tests beside a cluster.
type withCluster struct{ *testing.M }

func (m withCluster) Run() int {
	var err error
	if shared, err = natstest.Start(100); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer shared.Stop()
	return m.M.Run()
}

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(withCluster{m}, goleak.IgnoreAnyFunction(natstest.Clock), goleak.IgnoreAnyFunction(natstest.StateLoop))
}

// patience is how long a test waits for what is to come. It is long, for the machine may be busy; nothing waits it out.
const patience = 100 * time.Second

// columns runs a test over the embedded broker and over a cluster. Whatever open gives is of the same broker: the embedded
// one must be closed before it is opened again.
func columns(t *testing.T, test func(t *testing.T, open func() *Stream)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		test(t, func() *Stream { return openIn(t, dir) })
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		urls := shared.Account(t)
		test(t, func() *Stream { return openAt(t, urls) })
	})
}

// openIn opens a stream in the folder, and closes it at the end of the test if nobody has.
func openIn(t *testing.T, dir string) *Stream {
	t.Helper()
	return opened(t, Config{Dir: dir})
}

// openAt opens a stream on a cluster.
func openAt(t *testing.T, urls []string) *Stream {
	t.Helper()
	return opened(t, Config{Node: t.Name(), External: External{URLs: urls, Replicas: 3}})
}

func opened(t *testing.T, cfg Config) *Stream {
	t.Helper()
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// jobs are n jobs of an integration that are due now.
func jobs(integrationID string, n int) []pipeline.Job {
	all := make([]pipeline.Job, n)
	for i := range all {
		all[i] = pipeline.Job{IntegrationID: integrationID, DeliveryID: peal.NewID()}
	}
	return all
}

func ensure(t *testing.T, s *Stream, want int, list ...pipeline.Job) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	added, err := s.Ensure(ctx, list)
	if err != nil {
		t.Fatal(err)
	}
	if added != want {
		t.Errorf("of %d jobs %d were missing, want %d", len(list), added, want)
	}
}

func openQueue(t *testing.T, s *Stream, integrationID string) *pipeline.Feed {
	t.Helper()
	f, err := s.OpenQueue(t.Context(), integrationID, peal.Normal, 100, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)
	return f
}

// take gets n messages from a feed.
func take(t *testing.T, f *pipeline.Feed, n int) []pipeline.Message {
	t.Helper()
	all := make([]pipeline.Message, 0, n)
	limit := time.After(patience)
	for len(all) < n {
		select {
		case m, ok := <-f.C:
			if !ok {
				t.Fatalf("the feed ended after %d of %d messages", len(all), n)
			}
			all = append(all, m)
		case <-limit:
			t.Fatalf("%d of %d messages came within %s", len(all), n, patience)
		}
	}
	return all
}

func ack(t *testing.T, messages ...pipeline.Message) {
	t.Helper()
	for _, m := range messages {
		if err := m.Ack(); err != nil {
			t.Fatal(err)
		}
	}
}

// names are the deliveries of messages, sorted.
func names(messages []pipeline.Message) []string {
	var all []string
	for _, m := range messages {
		all = append(all, pipeline.DeliveryOf(m.Subject()))
	}
	slices.Sort(all)
	return all
}

func namesOf(list []pipeline.Job) []string {
	var all []string
	for _, j := range list {
		all = append(all, j.DeliveryID)
	}
	slices.Sort(all)
	return all
}

// standing waits until so many messages stand in a stream: an acknowledgement takes a moment to arrive.
func standing(t *testing.T, s *Stream, name string, want uint64) {
	t.Helper()
	var got uint64
	eventually(t, fmt.Sprintf("%d messages in %s", want, name), func() bool {
		st, err := s.js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		got = st.CachedInfo().State.Msgs
		return got == want
	})
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	limit := time.After(patience)
	for !is() {
		select {
		case <-again.C:
		case <-limit:
			t.Fatalf("never came to be: %s", what)
		}
	}
}

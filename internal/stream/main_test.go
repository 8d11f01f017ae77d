package stream

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what is to come. It is long, for the machine may be busy; nothing waits it out.
const patience = 20 * time.Second

// openIn opens a stream in the folder, and closes it at the end of the test if nobody has.
func openIn(t *testing.T, dir string) *Stream {
	t.Helper()
	s, err := Open(t.Context(), Config{Dir: dir})
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
	f, err := s.OpenQueue(t.Context(), integrationID, 100, time.Minute)
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

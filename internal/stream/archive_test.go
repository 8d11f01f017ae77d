package stream

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"peal/internal/pipeline"
)

// folded waits until webhooks are folded in up to a place.
func folded(t *testing.T, s *Stream, want uint64) {
	t.Helper()
	eventually(t, fmt.Sprintf("folded in up to %d", want), func() bool {
		a, err := s.Archive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return a.Folded == want
	})
}

// keepAll keeps a webhook for each letter, of two integrations in turns.
func keepAll(t *testing.T, s *Stream, letters string) {
	t.Helper()
	for i := range letters {
		if err := s.Keep(t.Context(), fmt.Sprint("wa", i%2), []byte{letters[i]}); err != nil {
			t.Fatal(err)
		}
	}
}

// shown waits until so many webhooks are to be read, whichever server reads: in a cluster most of them have what was kept,
// and the others get it a moment later.
func shown(t *testing.T, s *Stream, n int, ids ...string) {
	t.Helper()
	times := 0
	eventually(t, fmt.Sprint(n, " webhooks are shown"), func() bool {
		page, _, err := s.Callbacks(t.Context(), ids, 0, time.Time{}, 2*n)
		if times++; err != nil || len(page) != n {
			times = 0
		}
		return times == 5
	})
}

func openCallbacks(t *testing.T, s *Stream) *pipeline.Feed {
	t.Helper()
	f, err := s.OpenCallbacks(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)
	return f
}

// TestFoldedWebhooksStay, and are not given out again, not even when the broker has forgotten its consumer.
func TestFoldedWebhooksStay(t *testing.T) {
	t.Parallel()
	columns(t, func(t *testing.T, open func() *Stream) {
		s := open()
		keepAll(t, s, "abcdef")
		f := openCallbacks(t, s)
		ms := take(t, f, 6)
		ack(t, ms[0], ms[1], ms[2], ms[4])
		folded(t, s, 3)
		f.Stop()
		if err := s.Remember(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.js.DeleteConsumer(t.Context(), pipeline.Callbacks, tracker); err != nil {
			t.Fatal(err)
		}
		if n, err := s.Backlog(t.Context()); err != nil || n != 3 {
			t.Errorf("without its consumer %d wait, want 3 (%v)", n, err)
		}
		s.Close()
		s = open()
		folded(t, s, 3)
		again := ""
		for _, m := range take(t, openCallbacks(t, s), 3) {
			again += string(m.Data())
			ack(t, m)
		}
		if again != "def" { // e was folded in after one that was not: twice changes nothing
			t.Errorf("given out again were %q", again)
		}
		folded(t, s, 6)
		if n, err := s.Backlog(t.Context()); err != nil || n != 0 {
			t.Errorf("%d wait, want none (%v)", n, err)
		}
		s.Close()
		s = open()
		folded(t, s, 6)
		a, err := s.Archive(t.Context())
		if err != nil || a.Count != 6 {
			t.Errorf("%+v, %v; want all six", a, err)
		}
	})
}

func TestReadingTheArchive(t *testing.T) {
	t.Parallel()
	columns(t, func(t *testing.T, open func() *Stream) {
		s := open()
		keepAll(t, s, "abcdefg")
		shown(t, s, 7, "wa0", "wa1")
		read := func(want string, more bool, from uint64, since time.Time, limit int, ids ...string) []pipeline.Kept {
			t.Helper()
			page, and, err := s.Callbacks(t.Context(), ids, from, since, limit)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, k := range page {
				got += string(k.Body)
			}
			if got != want || and != more {
				t.Errorf("from %d since %v: %q, more: %v; want %q, %v", from, since, got, and, want, more)
			}
			return page
		}
		all := read("abcdefg", false, 0, time.Time{}, 100, "wa0", "wa1")
		read("aceg", false, 0, time.Time{}, 100, "wa0")
		read("ce", true, 2, time.Time{}, 2, "wa0", "other")
		read("", false, 0, time.Time{}, 100, "other")
		read("", false, 0, time.Time{}, 100)
		read("", false, 8, time.Time{}, 100, "wa0")
		read("defg", false, 0, all[3].At, 100, "wa0", "wa1")
		read("", false, 0, time.Now().Add(time.Hour), 100, "wa0")
		if at, err := s.CallbacksAt(t.Context(), 4); err != nil || len(at) != 1 || string(at[0].Body) != "d" || at[0].IntegrationID != "wa1" || at[0].Seq != 4 || !at[0].At.Equal(all[3].At) {
			t.Errorf("%+v, %v", at, err)
		}
		for _, seq := range []uint64{0, 8} {
			if at, err := s.CallbacksAt(t.Context(), seq); err != nil || len(at) != 0 {
				t.Errorf("at %d there are %v, or %v", seq, at, err)
			}
		}
	})
}

// TestKeptTogether: what comes while others are being kept is kept after them, at one place, and done with when all of it is.
func TestKeptTogether(t *testing.T) {
	t.Parallel()
	columns(t, func(t *testing.T, open func() *Stream) {
		s := open()
		const n = 500
		var keeping sync.WaitGroup
		for i := range n {
			keeping.Go(func() {
				if err := s.Keep(t.Context(), "in", fmt.Appendf(nil, "webhook %d", i)); err != nil {
					t.Error(err)
				}
			})
		}
		keeping.Wait()
		a, err := s.Archive(t.Context())
		if err != nil || a.Count >= n || a.Count < n/groupMost {
			t.Errorf("%d webhooks took %d messages (%v)", n, a.Count, err)
		}
		shown(t, s, n, "in")
		all, _, err := s.Callbacks(t.Context(), []string{"in"}, 0, time.Time{}, 2*n)
		if err != nil || len(all) != n {
			t.Fatalf("%d are read, %v", len(all), err)
		}
		seen := map[string]int{}
		for _, k := range all {
			seen[string(k.Body)]++
			at, err := s.CallbacksAt(t.Context(), k.Seq)
			if err != nil || string(at[max(k.Part-1, 0)].Body) != string(k.Body) {
				t.Fatalf("at %d.%d are %v, %v", k.Seq, k.Part, at, err)
			}
		}
		if len(seen) != n {
			t.Errorf("%d different ones are read", len(seen))
		}
		f := openCallbacks(t, s)
		ms := take(t, f, n)
		for _, m := range ms {
			seen[string(m.Data())]++
		}
		for body, times := range seen {
			if times != 2 {
				t.Errorf("%s came %d times", body, times-1)
			}
		}
		if err := ms[n-1].Nak(); err != nil {
			t.Fatal(err)
		}
		ack(t, ms[:n-1]...)
		together := 1 // in the last message
		if p, ok := ms[n-1].(part); ok {
			together = len(partsOf(p.m.Header, p.m.Data))
		}
		ack(t, take(t, f, together)...) // all of them come again
		folded(t, s, a.Last)
	})
}

// TestTrim: what is too old or too much leaves, and never what is not folded in.
func TestTrim(t *testing.T) {
	t.Parallel()
	s := openIn(t, t.TempDir())
	trim := func(want uint64, before time.Time, most uint64) {
		t.Helper()
		if n, err := s.Trim(t.Context(), before, most); err != nil || n != want {
			t.Errorf("it let go of %d, want %d (%v)", n, want, err)
		}
	}
	later := time.Now().Add(time.Hour)
	trim(0, later, 1)
	keepAll(t, s, "abcdefgh")
	trim(0, later, 1)
	f := openCallbacks(t, s)
	ms := take(t, f, 8)
	ack(t, ms[:6]...)
	folded(t, s, 6)
	all, _, err := s.Callbacks(t.Context(), []string{"wa0", "wa1"}, 0, time.Time{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	trim(0, all[0].At, 0)
	trim(2, all[2].At, 0)
	a, err := s.Archive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	trim(2, time.Time{}, a.Bytes/6*4+5) // of equal size
	trim(2, later, 0)
	trim(0, later, 1)
	a, err = s.Archive(t.Context())
	if err != nil || a.Count != 2 || a.First != 7 || a.Folded != 6 {
		t.Errorf("%+v, %v; want the two that are not folded in", a, err)
	}
	ack(t, ms[6:]...)
	folded(t, s, 8)
	trim(2, later, 0)
	f.Stop()
	keepAll(t, s, "i")
	if got := string(take(t, openCallbacks(t, s), 1)[0].Data()); got != "i" {
		t.Errorf("after all that comes %q", got)
	}
}

// TestWebhooksOfAnOlderVersionMoveOver out of the work queue in which they waited.
func TestWebhooksOfAnOlderVersionMoveOver(t *testing.T) {
	t.Parallel()
	columns(t, func(t *testing.T, open func() *Stream) {
		s := open()
		if err := s.js.DeleteStream(t.Context(), pipeline.Callbacks); err != nil {
			t.Fatal(err)
		}
		_, err := s.js.CreateStream(t.Context(), jetstream.StreamConfig{
			Name: pipeline.OldCallbacks, Subjects: []string{pipeline.CallbackSubjects}, Retention: jetstream.WorkQueuePolicy,
		})
		if err != nil {
			t.Fatal(err)
		}
		keepAll(t, s, "abc")
		s.Close()
		s = open()
		got := ""
		for _, m := range take(t, openCallbacks(t, s), 3) {
			got += m.Subject() + " " + string(m.Data()) + ","
		}
		if got != "callback.wa0 a,callback.wa1 b,callback.wa0 c," {
			t.Errorf("moved were %s", got)
		}
		if _, err := s.js.Stream(t.Context(), pipeline.OldCallbacks); err == nil {
			t.Error("the old stream is still there")
		}
	})
}

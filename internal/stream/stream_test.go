package stream

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"peal/internal/pipeline"
)

// copyFolder copies what another process would see of a folder now.
func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), raw, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAWipedFolderIsAFreshStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openIn(t, dir)
	list := jobs("in", 5)
	ensure(t, s, 5, list...)
	if err := s.Keep(t.Context(), "in", []byte("x")); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	s = openIn(t, dir)
	backlog(t, s, 0)
	ensure(t, s, 5, list...)
	ack(t, take(t, openQueue(t, s, "in"), 5)...)
	standing(t, s, pipeline.Deliveries, 0)
}

func TestAFolderThatCannotBeMadeIsRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		s, err := Open(t.Context(), Config{Dir: dir})
		if err == nil {
			s.Close()
			t.Fatalf("%s was opened", dir)
		}
		if !strings.Contains(err.Error(), "folder") {
			t.Errorf("the error does not say that it is the folder: %v", err)
		}
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	s := openIn(t, t.TempDir())
	if err := s.Ready(); err != nil {
		t.Errorf("open and not ready: %v", err)
	}
	s.Close()
	s.Close() // twice is no error
	if s.Ready() == nil {
		t.Error("closed and ready")
	}
}

// TestALostPublishIsTold takes the stream away under the publishes.
func TestALostPublishIsTold(t *testing.T) {
	t.Parallel()
	var lost atomic.Int64
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), Lost: func() { lost.Add(1) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	list := jobs("in", 1)
	s.Publish(list)
	s.Publish(list) // refused, for it stands: nothing is lost
	ensure(t, s, 0, list...)
	if n := lost.Load(); n != 0 {
		t.Errorf("%d publishes are said to be lost", n)
	}
	if err := s.js.DeleteStream(t.Context(), pipeline.Deliveries); err != nil {
		t.Fatal(err)
	}
	s.Publish(jobs("in", 3))
	eventually(t, "a publish that is said to be lost", func() bool { return lost.Load() == 3 })
	if _, err := s.Ensure(t.Context(), jobs("in", 1)); err == nil {
		t.Error("a job that could not be published is not an error")
	}
}

// TestALostBrokerIsNoticed takes the server away.
func TestALostBrokerIsNoticed(t *testing.T) {
	t.Parallel()
	s := openIn(t, t.TempDir())
	ensure(t, s, 1, jobs("in", 1)...)
	f := openQueue(t, s, "in")
	take(t, f, 1)
	s.server.Shutdown()
	s.server.WaitForShutdown()
	eventually(t, "not ready", func() bool { return s.Ready() != nil })
	s.Close() // before the feed: with a connection that hopes to come back, draining it takes its 10 s
	stops(t, f)
}

// stops fails the test unless the feed ends.
func stops(t *testing.T, f *pipeline.Feed) {
	t.Helper()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		f.Stop()
	}()
	select {
	case <-stopped:
	case <-time.After(patience):
		t.Fatal("a feed of a broker that is gone does not stop")
	}
}

func TestClosingUnderAFeed(t *testing.T) {
	t.Parallel()
	s := openIn(t, t.TempDir())
	list := jobs("in", 200)
	ensure(t, s, len(list), list...)
	f := openQueue(t, s, "in")
	take(t, f, 3)
	s.Close()
	stops(t, f)
}

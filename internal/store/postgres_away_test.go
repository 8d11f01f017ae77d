package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// wire stands between a store and its server.
type wire struct {
	t      *testing.T
	server string
	l      net.Listener

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool
	spy   func(sent []byte, cut func()) // sees what goes to the server, before it goes
}

// through gives the URL of a database through a wire.
func through(t *testing.T, database string) (*wire, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, server: u.Host, l: l, conns: map[net.Conn]bool{}}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			done.Go(func() { w.carry(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		w.cut()
		done.Wait()
	})
	u.Host = l.Addr().String()
	return w, u.String()
}

func (w *wire) carry(c net.Conn) {
	defer c.Close() //nolint:errcheck // a test's
	s, err := net.Dial("tcp", w.server)
	if err != nil {
		return
	}
	defer s.Close() //nolint:errcheck // a test's
	w.mu.Lock()
	if w.down {
		w.mu.Unlock()
		return
	}
	w.conns[c], w.conns[s] = true, true
	w.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(c, s)
		_ = c.Close()
	})
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		if n > 0 {
			w.mu.Lock()
			spy := w.spy
			w.mu.Unlock()
			if spy != nil {
				spy(buf[:n], func() { _ = c.Close() })
			}
			_, werr := s.Write(buf[:n])
			err = errors.Join(err, werr)
		}
		if err != nil {
			break
		}
	}
	if tc, ok := s.(*net.TCPConn); ok {
		_ = tc.CloseWrite() // the server reads all that was sent
	}
	both.Wait()
}

// cut breaks what is connected; with down nothing can be connected until up.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		_ = c.Close()
		delete(w.conns, c)
	}
}

func (w *wire) setDown(down bool) {
	w.mu.Lock()
	w.down = down
	w.mu.Unlock()
	if down {
		w.cut()
	}
}

func (w *wire) setSpy(spy func([]byte, func())) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spy = spy
}

func TestAServerThatGoesAndComesBack(t *testing.T) {
	t.Parallel()
	w, through := through(t, postgres(t).URL(t))
	s := openWith(t, Config{URL: through})
	ctx := t.Context()
	subs := some(t, 3, "{}")
	if _, err := s.Accept(ctx, subs[:1]); err != nil {
		t.Fatal(err)
	}
	w.cut() // a restart: the next call finds out, and mends it
	if _, err := s.Accept(ctx, subs[1:2]); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	if _, _, err := s.Delivery(ctx, "t", subs[0].Deliveries[0].ID); err != nil {
		t.Errorf("read after a restart: %v", err)
	}
	w.setDown(true)
	_, aerr := s.Accept(ctx, subs[2:])
	_, _, derr := s.Delivery(ctx, "t", subs[0].Deliveries[0].ID)
	_, kerr := s.Key(ctx, "k")
	for what, err := range map[string]error{"accept": aerr, "ping": s.Ping(ctx), "read": derr, "key": kerr} {
		if peal.KindOf(err) != peal.Unavailable || errors.Is(err, peal.ErrHandedOver) {
			t.Errorf("%s without a server: %v; want kind unavailable, and no doubt about it", what, err)
		}
	}
	w.setDown(false)
	if _, err := s.Accept(ctx, subs[2:]); err != nil {
		t.Errorf("with the server back: %v", err)
	}
	if n := count(t, s.reads, `SELECT COUNT(*) FROM communications_log`); n != 3 {
		t.Errorf("%d rows, want 3", n)
	}
}

// TestALostAnswerToACommit is not repeated in secret: the caller learns that nobody knows, and may repeat it with its key.
func TestALostAnswerToACommit(t *testing.T) {
	t.Parallel()
	w, through := through(t, postgres(t).URL(t))
	s := openWith(t, Config{URL: through})
	sub := some(t, 1, "{}")[0]
	sub.Key, sub.Answer = "k", []byte("first")
	w.setSpy(func(sent []byte, cut func()) {
		if bytes.Contains(sent, []byte("COMMIT")) {
			w.setSpy(nil)
			cut()
		}
	})
	_, err := s.Accept(t.Context(), []pipeline.Submission{sub})
	if peal.KindOf(err) != peal.Unavailable || !errors.Is(err, peal.ErrHandedOver) {
		t.Fatalf("it was answered %v; want unavailable, and that it may have happened", err)
	}
	again := some(t, 1, "{}")[0]
	again.Key, again.Answer = "k", []byte("second")
	v, err := s.Accept(t.Context(), []pipeline.Submission{again})
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, s.reads, `SELECT COUNT(*) FROM communications_log`); n != 1 {
		t.Errorf("%d rows, want 1; the repeat was answered %+v", n, v)
	}
}

// TestAServerThatIsStopped hangs like a machine that is gone: nobody waits for ever.
func TestAServerThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	w, through := through(t, postgres(t).URL(t))
	s := openWith(t, Config{URL: through})
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	silence, end := context.WithCancel(context.Background())
	defer end()
	w.setSpy(func([]byte, func()) { <-silence.Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Ping(ctx); peal.KindOf(err) != peal.Overloaded || !errors.Is(err, peal.ErrHandedOver) {
		t.Errorf("a write that is not answered: %v", err)
	}
	_, err := listWithin(t.Context(), 50*time.Millisecond, s.reads, scanInto[int64], `SELECT 1::bigint`)
	if peal.KindOf(err) != peal.Overloaded {
		t.Errorf("a read that is not answered: %v", err)
	}
	end()
	w.setSpy(nil)
	w.cut()
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("later: %v", err)
	}
}

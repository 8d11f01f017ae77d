package stream

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Config of a Stream.
type Config struct {
	Dir      string   // the embedded broker's folder, made when it is not there
	External External // the broker to use instead of the embedded one; without URLs there is none
	Node     string   // by which the broker's operator knows this process: its connection is named peal-<Node>
	Log      *slog.Logger
	Lost     func()           // called when a job's publish failed, so that the ledger looks soon; may be nil
	Now      func() time.Time // by which jobs are due; default time.Now
}

// Stream is the broker and Peal's streams on it. Create it with Open.
type Stream struct {
	server   *server.Server // nil: external
	conn     *nats.Conn
	js       jetstream.JetStream
	log      *slog.Logger
	lost     func()
	changed  func(ctx context.Context) // see OnChange
	expand   func()                    // see OnExpand
	grown    func(tenantID string)     // see OnGrown
	now      func() time.Time
	replicas int
	timeout  time.Duration // of a request
	closed   atomic.Bool

	failed     atomic.Int64 // publishes that nobody was told of yet
	lastFailed atomic.Int64 // when somebody was told, in nanoseconds

	health  health      // whether jobs are kept
	refuses atomic.Bool // the last webhook was not kept

	gathered gatherer // webhooks that wait to be kept

	mu         sync.Mutex
	again      chan struct{}        // closed when the connection is back
	leaderless map[string]time.Time // by consumer: since when nobody leads it
	owner      map[string]string    // by integration: in whose name its queue is asked for jobs
	lingering  sync.WaitGroup       // feeds that have stopped and are still owed messages
	closing    chan struct{}

	look   sync.Mutex // over what Ready has seen last
	seen   error
	seenAt time.Time
}

// Open starts the embedded broker, or connects to the external one, and makes the streams.
func Open(ctx context.Context, cfg Config) (_ *Stream, err error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Lost == nil {
		cfg.Lost = func() {}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Stream{
		log: cfg.Log, lost: cfg.Lost, now: cfg.Now, replicas: 1, timeout: 5 * time.Second, again: make(chan struct{}),
		leaderless: map[string]time.Time{}, owner: map[string]string{}, closing: make(chan struct{}),
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if cfg.External.URLs == nil {
		s.server, err = startEmbedded(filepath.Clean(cfg.Dir), cfg.Log)
	} else {
		s.replicas = cfg.External.Replicas
	}
	if err != nil {
		return nil, err
	}
	if err := s.connect(&cfg); err != nil {
		return nil, err
	}
	return s, s.prepare(ctx)
}

// Close lets go of the broker, and stops it when it is embedded. What was handed to it before is with it then.
func (s *Stream) Close() {
	s.mu.Lock()
	first := s.closed.CompareAndSwap(false, true)
	s.mu.Unlock()
	if !first {
		return
	}
	close(s.closing)
	s.lingering.Wait()
	if s.conn != nil {
		if s.conn.IsConnected() {
			if err := s.conn.FlushTimeout(s.timeout); err != nil {
				s.log.Debug("broker did not confirm the last words", "error", err)
			}
			s.rememberLast()
		}
		s.conn.Close()
	}
	if s.server != nil {
		s.server.Shutdown()
		s.server.WaitForShutdown()
	}
}

// fresh is how long Ready believes what it has seen of an external broker.
const fresh = time.Second

// Ready tells what keeps the broker from taking work; nil when nothing does.
func (s *Stream) Ready() error {
	if err := s.away(); err != nil {
		return err
	}
	if !s.health.ok() {
		return errRefuses
	}
	if s.refuses.Load() {
		return errors.New("the broker does not keep webhooks (disk full?)")
	}
	if s.server != nil {
		if !s.server.JetStreamEnabled() {
			return errors.New("the broker has stopped keeping streams (disk full?)")
		}
		return nil
	}
	s.look.Lock()
	defer s.look.Unlock()
	if time.Since(s.seenAt) > fresh {
		s.seen, s.seenAt = s.led(context.Background()), time.Now()
	}
	return s.seen
}

// errAway says that there is no connection.
var errAway = errors.New("not connected to the broker")

// away fails while there is no connection: what is sent then would lie about in the client and go out when nobody
// waits for it any more.
func (s *Stream) away() error {
	if s.closed.Load() || !s.conn.IsConnected() {
		return errAway
	}
	return nil
}

// within bounds a request by the time that the broker has for one.
func (s *Stream) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.timeout)
}

// reconnected is closed when the connection has been lost and is back.
func (s *Stream) reconnected() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.again
}

func (s *Stream) reconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.again)
	s.again = make(chan struct{})
}

// linger runs what goes on after a feed has stopped, until Close at most; false when that has come.
func (s *Stream) linger(run func(closing <-chan struct{})) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return false
	}
	s.lingering.Go(func() { run(s.closing) })
	return true
}

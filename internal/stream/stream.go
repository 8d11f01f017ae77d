package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"peal/internal/pipeline"
)

// Config of a Stream.
type Config struct {
	Dir  string // the embedded broker's folder, made when it is not there
	Log  *slog.Logger
	Lost func()           // called when a job's publish failed, so that the ledger looks soon; may be nil
	Now  func() time.Time // by which jobs are due; default time.Now
}

// Stream is the broker and Peal's streams on it. Create it with Open.
type Stream struct {
	server *server.Server
	conn   *nats.Conn
	js     jetstream.JetStream
	log    *slog.Logger
	lost   func()
	now    func() time.Time
	closed atomic.Bool
	told   atomic.Int64 // when it was last said that the broker is away
}

// Open starts the embedded broker and makes the streams.
func Open(ctx context.Context, cfg Config) (*Stream, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Lost == nil {
		cfg.Lost = func() {}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	ns, err := startEmbedded(filepath.Clean(cfg.Dir), cfg.Log)
	if err != nil {
		return nil, err
	}
	s := &Stream{server: ns, log: cfg.Log, lost: cfg.Lost, now: cfg.Now}
	if err := s.connect(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Stream) connect(ctx context.Context) (err error) {
	s.conn, err = nats.Connect("", nats.InProcessServer(s.server), nats.MaxReconnects(-1), nats.Name("peal"))
	if err != nil {
		return fmt.Errorf("connect to the broker: %w", err)
	}
	s.js, err = jetstream.New(s.conn, jetstream.WithPublishAsyncErrHandler(s.publishFailed),
		jetstream.WithPublishAsyncMaxPending(16384), jetstream.WithPublishAsyncTimeout(10*time.Second))
	if err != nil {
		return fmt.Errorf("connect to the broker: %w", err)
	}
	for _, cfg := range []jetstream.StreamConfig{
		{
			Name: pipeline.Deliveries, Subjects: []string{pipeline.DeliverSubjects, pipeline.LaterSubjects},
			Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage, MaxMsgsPerSubject: 1,
			AllowMsgSchedules: true, PersistMode: jetstream.AsyncPersistMode, Duplicates: time.Second,
		},
		{
			Name: pipeline.Callbacks, Subjects: []string{pipeline.CallbackSubjects},
			Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage, Duplicates: time.Second,
		},
	} {
		if _, err := s.js.CreateOrUpdateStream(ctx, cfg); err != nil {
			return fmt.Errorf("make stream %s: %w", cfg.Name, err)
		}
	}
	st, err := s.js.Stream(ctx, pipeline.Deliveries)
	if err == nil {
		err = st.Purge(ctx, jetstream.WithPurgeSubject(pipeline.OldDeliverSubjects))
	}
	if err != nil {
		return fmt.Errorf("clear jobs of an older version: %w", err)
	}
	return nil
}

// Close lets go of the broker, and stops it when it is embedded.
func (s *Stream) Close() {
	if !s.closed.CompareAndSwap(false, true) {
		return
	}
	if s.conn != nil {
		s.conn.Close()
	}
	s.server.Shutdown()
	s.server.WaitForShutdown()
}

// Ready tells what keeps the broker from taking work; nil when nothing does.
func (s *Stream) Ready() error {
	if s.closed.Load() || !s.conn.IsConnected() {
		return errors.New("not connected to the broker")
	}
	if !s.server.JetStreamEnabled() {
		return errors.New("the broker has stopped keeping streams (disk full?)")
	}
	return nil
}

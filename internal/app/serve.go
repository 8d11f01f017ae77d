package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"peal/internal/config"
)

// Serve runs a whole Peal until ctx ends, then drains it: it takes nothing new, lets calls in flight end and be
// recorded, and closes. Logs go to logs.
func Serve(ctx context.Context, cfg config.Config, logs io.Writer) (err error) {
	log, flush := newLogger(logs, cfg.LogLevel, cfg.LogFormat)
	defer flush()
	s, err := Start(ctx, cfg, log)
	if err != nil {
		return err
	}
	if cfg.DebugListen != "" {
		stop, err := serveProfiler(ctx, cfg.DebugListen)
		if err != nil {
			return errors.Join(err, s.Stop(cfg.DrainTimeout))
		}
		defer stop()
	}
	log.Info("peal is up", "version", Version, "url", "http://"+s.Addr(), "data", cfg.Data)
	select {
	case <-ctx.Done():
		s.linger(cfg.DrainDelay)
		log.Info("stopping: finishing what is in flight", "at_most", cfg.DrainTimeout.String())
	case <-s.Failed():
	}
	err = s.Stop(cfg.DrainTimeout)
	log.Info("peal has stopped")
	return err
}

// Running is a Peal that serves.
type Running struct {
	app    *App
	http   *http.Server
	addr   string
	cancel context.CancelFunc
	stages chan error // the stages' end
	failed chan struct{}
	err    error
}

// Start opens everything, listens and runs. It returns when requests are answered.
func Start(ctx context.Context, cfg config.Config, log *slog.Logger) (*Running, error) {
	// Listening comes first: a port that is taken should say so before a database is touched.
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; free the port, or choose another with --listen", cfg.Listen, err)
	}
	a, err := Open(ctx, cfg, log)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	a.SetBound(l.Addr().String())
	rctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &Running{
		app: a, addr: l.Addr().String(), cancel: cancel, stages: make(chan error, 1), failed: make(chan struct{}),
		http: &http.Server{
			Handler: a.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute,
			IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
	}
	go func() { s.stages <- a.Run(rctx) }()
	go func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.err = fmt.Errorf("serve %s: %w", s.addr, err)
			close(s.failed)
		}
	}()
	return s, nil
}

// Addr is the address that is listened on.
func (s *Running) Addr() string { return s.addr }

// Failed is closed when the server can no longer serve; Stop tells why.
func (s *Running) Failed() <-chan struct{} { return s.failed }

// linger goes on as before for a while, but for /readyz, which says that requests should go elsewhere.
func (s *Running) linger(d time.Duration) {
	if d == 0 {
		return
	}
	s.app.log.Info("told to stop: not ready any more, and still serving", "for", d.String())
	s.app.Drain()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.failed:
	}
}

// Stop drains and closes. What is not finished within the time is given up: its rows tell the next start.
func (s *Running) Stop(within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	s.app.Drain()
	s.app.api.EndStreams() // or whoever follows the events would be waited for
	errs := []error{}
	select {
	case <-s.failed:
		errs = append(errs, s.err)
	default:
	}
	s.cancel() // the stages finish while requests do: neither needs the other, and a slow caller is not to use up the time
	if err := s.http.Shutdown(ctx); err != nil {
		errs = append(errs, fmt.Errorf("requests were still being answered after %s: %w", within, err), s.http.Close())
	}
	select {
	case err := <-s.stages:
		errs = append(errs, err)
	case <-ctx.Done():
		errs = append(errs, fmt.Errorf("work was still in flight after %s; its deliveries will show as uncertain", within))
	}
	return errors.Join(append(errs, s.app.Close())...)
}

// serveProfiler serves net/http/pprof on an address of its own.
func serveProfiler(ctx context.Context, addr string) (stop func(), err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s for the profiler: %w; free the port, or leave --debug-listen out", addr, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l) // ends when it is closed
	}()
	return func() {
		_ = srv.Close()
		<-done
	}, nil
}

package callbacks

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"peal/bench/internal/stats"
)

// reference measures what the least is that a server could do which keeps webhooks: net/http, an append and a sync for
// each, one after the other, and 200. It is in the bench's own process.
func (m *measurement) reference(ctx context.Context) (err error) {
	f, err := os.OpenFile(filepath.Join(m.dir, "reference"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var mu sync.Mutex
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			mu.Lock()
			if _, err = f.Write(body); err == nil {
				err = syscall.Fdatasync(int(f.Fd()))
			}
			mu.Unlock()
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l) // ends when it is closed
	}()
	bodies := make([][]byte, m.Reference)
	for i := range bodies {
		var w webhook
		for range m.PerBody {
			w.add(message{"wamid.HBgMOTE5ODEyMzQ1Njc4FQIAERgS00000000000000000000==", "01920000-0000-7000-8000-000000000000"}, "delivered")
		}
		bodies[i] = w.bytes()
	}
	p := &poster{addr: l.Addr().String(), path: "/", connections: m.OpenConnections, rate: m.Rate}
	took, err := p.post(ctx, bodies, len(bodies))
	m.rep.Reference = stats.Of(took)
	err = errors.Join(err, srv.Close())
	<-done
	return err
}

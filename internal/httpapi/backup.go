package httpapi

import (
	"context"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"peal/api"
)

// backupPause is how long a caller may take nothing of a backup that is being sent.
const backupPause = time.Minute

func (s *Server) backups() {
	s.mux.HandleFunc("GET /v1/backup", s.backup)
	o := op("backup", http.MethodGet, "/v1/backup", "Tenants (operator)", "Take a backup of everything")
	o.Description = "For `peal backup`. A checksum at its end tells whether it is whole: `peal restore` refuses one that is not."
	reg := s.api.OpenAPI().Components.Schemas
	o.Responses = map[string]*huma.Response{
		"200":     {Description: "The backup", Content: map[string]*huma.MediaType{"application/octet-stream": {}}},
		"default": {Description: "Error", Content: map[string]*huma.MediaType{api.ProblemType: {Schema: reg.Schema(reflect.TypeFor[api.Problem](), true, "Problem")}}},
	}
	s.api.OpenAPI().AddOperation(&o)
}

// backup sends a backup, however long that takes. Once it has begun, an error cuts it off.
func (s *Server) backup(w http.ResponseWriter, r *http.Request) {
	if err := s.operator(r.Context()); err != nil {
		s.writeProblem(w, r, err)
		return
	}
	p := &patient{ResponseWriter: w, control: http.NewResponseController(w)}
	// The server's own limits are for requests that take seconds. Where they cannot be lifted they hold.
	_ = p.control.SetReadDeadline(time.Time{})
	_ = p.control.SetWriteDeadline(time.Time{})
	begun := false
	err := s.cfg.Backup(r.Context(), p, func(ctx context.Context) {
		begun, p.ctx = true, ctx
		context.AfterFunc(ctx, p.stop)
		w.Header().Set("Content-Type", "application/octet-stream")
		w.WriteHeader(http.StatusOK)
	})
	p.finish()
	switch {
	case err != nil && begun:
		panic(http.ErrAbortHandler)
	case err != nil:
		s.writeProblem(w, r, err)
	}
}

// patient gives the caller time for every piece, until its context ends.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
	ctx     context.Context //nolint:containedctx // io.Writer has no room for it

	mu       sync.Mutex
	finished bool
}

// stop ends a write that waits for the caller; once all is written it does nothing.
func (p *patient) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.finished {
		_ = p.control.SetWriteDeadline(time.Now())
	}
}

// finish leaves time for the end of the answer.
func (p *patient) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finished = true
	_ = p.control.SetWriteDeadline(time.Now().Add(backupPause))
}

// Write implements io.Writer.
func (p *patient) Write(b []byte) (int, error) {
	_ = p.control.SetWriteDeadline(time.Now().Add(backupPause))
	if p.ctx.Err() != nil { // it has ended before the line above
		p.stop()
	}
	return p.ResponseWriter.Write(b)
}

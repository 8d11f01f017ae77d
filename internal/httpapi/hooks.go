package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"peal/api"
	"peal/internal/pipeline/track"
)

func (s *Server) hooks() {
	s.mux.HandleFunc("POST /hooks/{kind}/{token}", s.hook)
	s.mux.HandleFunc("GET /hooks/{kind}/{token}", s.handshake)
}

// hookKind is the kind of provider in a webhook's address, which may be written with hyphens, as in whatsapp-cloud.
func hookKind(r *http.Request) string { return strings.ReplaceAll(r.PathValue("kind"), "-", "_") }

// handshake answers a provider that asks whether a webhook's address is ours. The answer is what it gave us itself: no
// browser may take it for a page.
func (s *Server) handshake(w http.ResponseWriter, r *http.Request) {
	answer, err := s.cfg.Door.Handshake(hookKind(r), r.PathValue("token"), r.URL.Query())
	if err != nil {
		p := s.fail(r.Context(), err)
		if p.Status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", http.MethodPost)
		}
		s.writeProblem(w, r, p)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8") // and nosniff, as every answer has
	write(w, []byte(answer))
}

// hook keeps a webhook and answers. What it says is understood later.
func (s *Server) hook(w http.ResponseWriter, r *http.Request) {
	kind, token := hookKind(r), r.PathValue("token")
	if !s.cfg.Door.Known(kind, token) { // before a stranger holds a place or a byte of memory
		w.Header().Set("Connection", "close") // or net/http would read the body before it answers
		s.writeProblem(w, r, newProblem(api.CodeNotFound, "there is no such webhook address"))
		return
	}
	if err := s.webhooks.enter(token, 1); err != nil {
		s.writeProblem(w, r, err)
		return
	}
	defer s.webhooks.leave(token, 1)
	body, done, err := s.read(w, r, track.MaxWebhook)
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	defer done()
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	if err := s.cfg.Door.Take(ctx, kind, token, r.Header, body); err != nil {
		s.writeProblem(w, r, err)
		return
	}
	w.Header()["Content-Type"] = jsonType
	write(w, []byte(`{"received":true}`))
}

func (s *Server) health() {
	s.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = jsonType
		write(w, []byte(`{"status":"ok"}`))
	})
	s.mux.HandleFunc("GET /readyz", s.readyz)
	metrics := promhttp.HandlerFor(s.cfg.Metrics.Registry, promhttp.HandlerOpts{})
	s.mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		if !s.cfg.MetricsOpen {
			if err := s.operator(r.Context()); err != nil {
				s.writeProblem(w, r, err)
				return
			}
		}
		metrics.ServeHTTP(w, r)
	})
}

func (s *Server) docs() {
	s.mux.Handle("GET /docs", s.cfg.Docs)
	s.mux.Handle("GET /client/peal.js", s.cfg.Client)
	s.mux.Handle("GET /client/peal-sw.js", s.cfg.Client)
	s.mux.Handle("GET /{$}", http.RedirectHandler("/docs", http.StatusFound))
}

// readyz answers load balancers. What is degraded does not keep requests from coming here: they are answered all the same.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	ready := s.cfg.Ready(ctx)
	body := struct {
		Status   string   `json:"status"`
		Failing  []string `json:"failing,omitempty"`
		Degraded []string `json:"degraded,omitempty"`
	}{"ready", ready.Failing, ready.Degraded}
	status := http.StatusOK
	if len(ready.Failing) > 0 {
		body.Status, status = "not ready", http.StatusServiceUnavailable
		s.cfg.Log.Warn("not ready", "failing", ready.Failing, "degraded", ready.Degraded)
	}
	b, err := json.Marshal(&body)
	if err != nil { // texts always marshal
		b = []byte(`{}`)
	}
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(status)
	write(w, b)
}

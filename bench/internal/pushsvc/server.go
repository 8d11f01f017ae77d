// Package pushsvc stands in for the push services: FCM with its token endpoint, and APNs. Both speak HTTP/2 over TLS and
// take so long for each push as they are told. It checks that a push is for the device that its message was for, and
// nothing else: for services that behave like the real ones, use the emulators of the main module.
package pushsvc

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"peal/bench/internal/standin"
	"peal/bench/internal/tally"
)

// How many pushes each service takes at once on one connection: as many as the real ones.
const (
	streamsFCM  = 100
	streamsAPNs = 1000
)

// Server listens from Start to Close.
type Server struct {
	CA   string // the certificate, which vouches for itself
	Kind string // fcm or apns

	ln      net.Listener
	http    *http.Server
	served  chan error
	latency time.Duration
	tally   atomic.Pointer[tally.Tally]

	buffers sync.Pool // of *bytes.Buffer

	strays, unknown atomic.Int64
}

// Start serves a kind on a port of its own.
func Start(kind string, latency time.Duration) (*Server, error) {
	cert, ca, err := certificate()
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	streams := streamsFCM
	if kind == APNs {
		streams = streamsAPNs
	}
	s := &Server{CA: ca, Kind: kind, ln: ln, served: make(chan error, 1), latency: latency}
	s.http = &http.Server{
		Handler:   s.routes(),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
		HTTP2:     &http.HTTP2Config{MaxConcurrentStreams: streams},
		ErrorLog:  log.New(io.Discard, "", 0), // connections that Peal drops
	}
	go func() { s.served <- s.http.ServeTLS(ln, "", "") }()
	return s, nil
}

// URL is where Peal is to call.
func (s *Server) URL() string { return "https://" + s.ln.Addr().String() }

// Addr is where the server listens.
func (s *Server) Addr() string { return s.ln.Addr().String() }

// Record notes arrivals in t from now on.
func (s *Server) Record(t *tally.Tally) { s.tally.Store(t) }

// Counts tells what has come so far beside recorded messages.
func (s *Server) Counts() standin.Counts {
	return standin.Counts{Strays: s.strays.Load(), Unknown: s.unknown.Load()}
}

// Close drops all connections.
func (s *Server) Close() error {
	err := s.http.Close()
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

package pushsvc

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"peal/bench/internal/load"
	"peal/bench/internal/tally"
)

// The kinds, as Peal names them.
const (
	FCM  = "fcm"
	APNs = "apns"
)

const maxBody = 8 << 10 // more than either service takes

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	if s.Kind == APNs {
		mux.HandleFunc("POST /3/device/{token}", s.apns)
	} else {
		mux.HandleFunc("POST /token", s.grant)
		mux.HandleFunc("POST /v1/projects/{project}/messages:send", s.fcm)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.unknown.Add(1)
		http.NotFound(w, r)
	})
	return mux
}

// grant gives an access token for any assertion.
func (s *Server) grant(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"access_token":"an-access-token-of-the-bench","expires_in":3599,"token_type":"Bearer"}`) // Peal notices a missing answer
}

func (s *Server) fcm(w http.ResponseWriter, r *http.Request) {
	body := s.buffer()
	defer s.buffers.Put(body)
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, token, _ := bytes.Cut(body.Bytes(), []byte(`"token":"`))
	n := s.take(string(token[:min(len(token), len(load.TokenPrefix)+tally.PhoneDigits)]), body.Bytes())
	s.wait(r)
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_, _ = fmt.Fprintf(w, `{"name":"projects/bench/messages/0:%016d%%%08x"}`, n, n) // as in grant
}

func (s *Server) apns(w http.ResponseWriter, r *http.Request) {
	body := s.buffer()
	defer s.buffers.Put(body)
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.take(r.PathValue("token"), body.Bytes())
	s.wait(r)
	w.Header()["Apns-Id"] = r.Header["Apns-Id"]
	w.WriteHeader(http.StatusOK)
}

// buffer is to be put back.
func (s *Server) buffer() *bytes.Buffer {
	b, ok := s.buffers.Get().(*bytes.Buffer)
	if !ok {
		return &bytes.Buffer{}
	}
	b.Reset()
	return b
}

// take notes an arrival, before anything else is done with it, and gives its number.
func (s *Server) take(token string, body []byte) int {
	device, isOurs := number(token)
	run, seq, ok := tally.FindMarker(body)
	t := s.tally.Load()
	if !ok || !isOurs || t == nil || run != t.Run() {
		s.strays.Add(1)
		return 0
	}
	if seq == tally.Everybody {
		seq = device
	}
	if seq >= t.Capacity() || device != t.Phone(seq) || !t.Arrived(seq, t.Now()) {
		s.strays.Add(1)
	}
	return seq
}

// number is that of a device's token.
func number(token string) (int, bool) {
	digits, ok := strings.CutPrefix(token, load.TokenPrefix)
	if !ok || len(digits) != tally.PhoneDigits {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	return int(n), err == nil
}

// wait is the service's own time for a push.
func (s *Server) wait(r *http.Request) {
	if s.latency == 0 {
		return
	}
	t := time.NewTimer(s.latency)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	}
}

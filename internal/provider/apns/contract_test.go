package apns

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/providertest"
)

// standIn answers as Apple does, over net/http's own HTTP/2: the suite wants a handler. The emulator, which has frames
// of its own, is before the other tests.
type standIn struct {
	mu    sync.Mutex
	taken int
	fail  providertest.Failure
	ended chan struct{} // closed with the test
}

func (s *standIn) BasePath() string { return "" }

func (s *standIn) IsSend(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/3/device/") }

func (s *standIn) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}

func (s *standIn) Fail(_ *testing.T, f providertest.Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

func (s *standIn) take() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken++
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	f := s.fail
	s.mu.Unlock()
	refuse := func(status int, reason string) {
		w.WriteHeader(status)
		body, err := json.Marshal(map[string]string{"reason": reason})
		if err != nil {
			panic(err)
		}
		_, _ = w.Write(body)
	}
	switch f.Mode {
	case providertest.ModeStatus:
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		w.WriteHeader(f.Status)
	case providertest.ModeRefuse:
		refuse(http.StatusBadRequest, f.Text)
	case providertest.ModeDropBefore:
		panic(http.ErrAbortHandler)
	case providertest.ModeDropAfter:
		s.take()
		panic(http.ErrAbortHandler)
	case providertest.ModeHold:
		select {
		case <-r.Context().Done():
		case <-s.ended:
		}
	case providertest.ModeGarbage:
		s.take()
		_, _ = w.Write([]byte("<html>"))
	default:
		if !json.Valid(body) || r.Header.Get("apns-topic") != "org.example.app" || r.Proto != "HTTP/2.0" {
			refuse(http.StatusBadRequest, "PayloadEmpty")
			return
		}
		s.take()
		w.Header().Set("apns-id", r.Header.Get("apns-id"))
	}
}

func TestContract(t *testing.T) {
	p8 := newP8(t)
	providertest.Run(t, providertest.Suite{
		Kind: Kind{},
		Integration: func(baseURL string) *peal.Integration {
			return &peal.Integration{
				ID: "in-1", Kind: "apns", BaseURL: baseURL, Timeout: 10 * time.Second,
				Credentials: map[string]string{"team_id": "TEAM000001", "key_id": "KEY0000001", "key": p8},
			}
		},
		Message: provider.Message{
			DeliveryID: "01a1fd60-4167-747f-8263-50f02ed73395",
			Content:    api.Content{Push: &api.Push{Title: "Your order", Body: "It is on its way", Image: "https://example.org/a.png"}},
		},
		Device: func(string) *peal.Device {
			return &peal.Device{
				ID: "phone-1", Kind: peal.DeviceAPNs, Address: strings.Repeat("ab12", 16), AppID: "org.example.app",
				Environment: peal.Production, Platform: "ios",
			}
		},
		Start: func(t *testing.T) providertest.Server {
			s := &standIn{ended: make(chan struct{})}
			t.Cleanup(func() { close(s.ended) })
			return s
		},
		NoWebhooks: true, NoSession: true, TLS: true,
		Statuses: []providertest.Status{
			{Status: http.StatusInternalServerError, Class: peal.ClassTemporary, Wait: 15 * time.Minute},
			{Status: http.StatusBadGateway, Class: peal.ClassUnknown},
			{Status: http.StatusServiceUnavailable, RetryAfter: strconv.Itoa(20 * 60), Class: peal.ClassTemporary, Wait: 20 * time.Minute},
			{Status: http.StatusGatewayTimeout, Class: peal.ClassUnknown},
			{Status: http.StatusTooManyRequests, RetryAfter: "7", Class: peal.ClassThrottled, Wait: 7 * time.Second, Pause: peal.PauseThrottled},
			{Status: http.StatusUnauthorized, Class: peal.ClassIntegration, Pause: peal.PauseCredentials},
			{Status: http.StatusForbidden, Class: peal.ClassIntegration, Pause: peal.PauseCredentials},
			{Status: http.StatusNotFound, Class: peal.ClassIntegration, Pause: peal.PauseBlocked},
			{Status: http.StatusFound, Class: peal.ClassIntegration, Pause: peal.PauseBlocked},
		},
	})
}

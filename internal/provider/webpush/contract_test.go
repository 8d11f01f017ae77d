package webpush

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"peal/api"
	emulator "peal/emulator/webpush"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/providertest"
)

// A pair of keys for tests: of RFC 8292's form, of no meaning.
const testKey = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"

func account() *peal.Integration {
	return &peal.Integration{
		ID: "in-1", Kind: "webpush", Timeout: 10 * time.Second, Concurrency: 32,
		Credentials: map[string]string{"private_key": testKey, "subject": "mailto:ops@example.com"},
	}
}

func device(s emulator.Subscription) *peal.Device {
	return &peal.Device{
		ID: "installation-77", UserID: "user-4711", Kind: peal.DeviceWebPush, Address: s.Endpoint, P256dh: s.Keys.P256dh, Auth: s.Keys.Auth,
	}
}

// standIns are the emulator as the suite knows it: each test starts one, and its browser subscribes at the URL that the
// suite serves it at.
type standIns struct {
	mu      sync.Mutex
	now     *emulator.Server
	devices map[string]*peal.Device // of the one that is there now, by base URL
}

func (s *standIns) start(t *testing.T) providertest.Server {
	emu := emulator.New(emulator.Options{})
	t.Cleanup(emu.Close)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now, s.devices = emu, map[string]*peal.Device{}
	return standIn{emu}
}

func (s *standIns) device(base string) *peal.Device {
	s.mu.Lock()
	defer s.mu.Unlock()
	if base == "" { // of the integration, which has none: any device that is there
		for _, d := range s.devices {
			return d
		}
		return nil
	}
	if s.now == nil {
		s.now, s.devices = emulator.New(emulator.Options{}), map[string]*peal.Device{}
	}
	if s.devices[base] == nil {
		if err := s.now.SetOrigin(base); err != nil {
			panic(err)
		}
		sub, err := s.now.Subscribe(Kind{}.Public(account())["vapid_public_key"])
		if err != nil {
			panic(err)
		}
		s.devices[base] = device(sub)
	}
	d := *s.devices[base]
	return &d
}

type standIn struct{ *emulator.Server }

func (s standIn) BasePath() string { return "" }

func (s standIn) IsSend(r *http.Request) bool { return !strings.HasPrefix(r.URL.Path, "/_emulator/") }

func (s standIn) Taken() int { return int(s.Counts().Accepted) }

func (s standIn) Fail(t *testing.T, f providertest.Failure) {
	t.Helper()
	s.ClearFaults()
	fault := emulator.Fault{Every: true}
	switch f.Mode {
	case providertest.ModeNone:
		return
	case providertest.ModeStatus:
		fault.Kind, fault.Status, fault.RetryAfter = emulator.FaultStatus, f.Status, f.RetryAfter
	case providertest.ModeRefuse:
		fault.Kind, fault.Status, fault.Reason = emulator.FaultStatus, http.StatusBadRequest, f.Text
	case providertest.ModeDropBefore:
		fault.Kind = emulator.FaultDropBefore
	case providertest.ModeDropAfter:
		fault.Kind = emulator.FaultDropAfter
	case providertest.ModeHold:
		fault.Kind = emulator.FaultHold
	default:
		t.Fatalf("no failure %q", f.Mode)
	}
	if _, err := s.AddFault(fault); err != nil {
		t.Fatal(err)
	}
}

func TestContract(t *testing.T) {
	var s standIns
	providertest.Run(t, providertest.Suite{
		Kind:        Kind{},
		Integration: func(string) *peal.Integration { return account() },
		Message: provider.Message{
			DeliveryID: "01a1fd60-4167-747f-8263-50f02ed73395", To: "installation-77",
			Content: api.Content{Push: &api.Push{Title: "Your order", Body: "It is on its way", Link: "https://example.com/orders/7"}},
		},
		Device:     s.device,
		Start:      s.start,
		NoWebhooks: true, NoSession: true, NoBaseURL: true, AnyAnswer: true,
		Statuses: []providertest.Status{
			{Status: http.StatusInternalServerError, Class: peal.ClassTemporary, Wait: 10 * time.Second},
			{Status: http.StatusBadGateway, Class: peal.ClassTemporary, Wait: 10 * time.Second},
			{Status: http.StatusServiceUnavailable, RetryAfter: "9", Class: peal.ClassTemporary, Wait: 10 * time.Second},
			{Status: http.StatusGatewayTimeout, RetryAfter: "90", Class: peal.ClassTemporary, Wait: 90 * time.Second},
			{Status: http.StatusTooManyRequests, RetryAfter: "7", Class: peal.ClassThrottled, Wait: 7 * time.Second, Pause: peal.PauseThrottled},
			{Status: http.StatusFound, Class: peal.ClassTemporary, Wait: 10 * time.Second},
			{Status: http.StatusNotFound, Class: peal.ClassGone},
			{Status: http.StatusTeapot, Class: peal.ClassPermanent},
		},
	})
}

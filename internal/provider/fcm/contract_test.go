package fcm_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"peal/api"
	emulator "peal/emulator/fcm"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/fcm"
	"peal/internal/provider/providertest"
)

const project = "demo"

// privateKey is one for all tests: to make one takes long.
var privateKey = sync.OnceValue(func() string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
})

// accountFile makes a service account's file whose token_uri is that of an emulator at the base URL.
func accountFile(baseURL string) string {
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": project, "private_key_id": "key-1", "private_key": privateKey(),
		"client_email": "sender@demo.iam.gserviceaccount.com", "token_uri": baseURL + "/token",
	})
	if err != nil {
		panic(err)
	}
	return string(file)
}

// standIn is the emulator as the suite knows it.
type standIn struct{ *emulator.Server }

func (s standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	s.SetURL(scheme + r.Host)
	s.Server.ServeHTTP(w, r)
}

func (s standIn) BasePath() string { return "" }

func (s standIn) IsSend(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/messages:send") }

func (s standIn) Taken() int { return int(s.Counts().Accepted) }

func (s standIn) Fail(t *testing.T, f providertest.Failure) {
	t.Helper()
	s.ClearFaults()
	fault := emulator.Fault{Every: true}
	switch f.Mode {
	case providertest.ModeNone:
		return
	case providertest.ModeStatus:
		fault.Kind, fault.Status, fault.RetryAfter, fault.Body = emulator.FaultError, f.Status, f.RetryAfter, `{"error":{"message":"no"}}`
	case providertest.ModeRefuse:
		fault.Kind, fault.Failure, fault.Message = emulator.FaultError, emulator.TooBig, f.Text
	case providertest.ModeDropBefore:
		fault.Kind = emulator.FaultDropBefore
	case providertest.ModeDropAfter:
		fault.Kind = emulator.FaultDropAfter
	case providertest.ModeHold:
		fault.Kind = emulator.FaultHold
	case providertest.ModeGarbage:
		fault.Kind, fault.TakeFirst, fault.Status, fault.Body = emulator.FaultError, true, http.StatusOK, "<html>"
	default:
		t.Fatalf("no failure %q", f.Mode)
	}
	if _, err := s.AddFault(fault); err != nil {
		t.Fatal(err)
	}
}

func TestContract(t *testing.T) {
	t.Run("HTTP/1.1", func(t *testing.T) { contract(t, false) })
	t.Run("HTTP/2", func(t *testing.T) { contract(t, true) })
}

func contract(t *testing.T, http2 bool) {
	t.Helper()
	device := emulator.Device{Project: project, FID: emulator.NewFID(), Platform: emulator.IOS}
	device.Token = emulator.NewToken(device.FID)
	statuses := []providertest.Status{
		{Status: 500, Class: peal.ClassTemporary, Wait: 10 * time.Second},
		{Status: 502, Class: peal.ClassUnknown, Wait: 10 * time.Second},
		{Status: 503, RetryAfter: "9", Class: peal.ClassTemporary, Wait: 10 * time.Second},
		{Status: 503, RetryAfter: "90", Class: peal.ClassTemporary, Wait: 90 * time.Second},
		{Status: 504, Class: peal.ClassUnknown, Wait: 10 * time.Second},
		{Status: 429, Class: peal.ClassThrottled, Wait: time.Minute, Pause: peal.PauseThrottled},
		{Status: 429, RetryAfter: "7", Class: peal.ClassThrottled, Wait: 10 * time.Second, Pause: peal.PauseThrottled},
		{Status: 429, RetryAfter: "86400", Class: peal.ClassThrottled, Wait: time.Hour, Pause: peal.PauseThrottled},
		{Status: 401, Class: peal.ClassIntegration, Pause: peal.PauseCredentials, Calls: 2},
		{Status: 403, Class: peal.ClassIntegration, Pause: peal.PauseCredentials},
		{Status: 404, Class: peal.ClassIntegration, Pause: peal.PauseCredentials},
		{Status: 302, Class: peal.ClassIntegration, Pause: peal.PauseBlocked},
		{Status: 400, Class: peal.ClassPermanent},
		{Status: 418, Class: peal.ClassPermanent},
	}
	connections := 1
	if http2 {
		connections = 2 // tokens come from another host, in real life
	}
	providertest.Run(t, providertest.Suite{
		Kind: fcm.Kind{},
		Integration: func(baseURL string) *peal.Integration {
			return &peal.Integration{
				ID: "in-1", Kind: "fcm", BaseURL: baseURL, Timeout: 10 * time.Second,
				Credentials: map[string]string{"service_account": accountFile(baseURL)},
			}
		},
		Message: provider.Message{
			DeliveryID: "01a1fd60-4167-747f-8263-50f02ed73395", To: "installation-7", Content: api.Content{Push: &api.Push{Title: "Your order", Body: "It is on its way"}},
			Device: &peal.Device{ID: "installation-7", Kind: peal.DeviceFCMToken, Address: device.Token, Platform: "ios"},
		},
		Start: func(t *testing.T) providertest.Server {
			s := standIn{emulator.New(emulator.Options{})}
			t.Cleanup(s.Close)
			if err := s.AddServiceAccount([]byte(accountFile("http://provider.invalid"))); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Register(device); err != nil {
				t.Fatal(err)
			}
			return s
		},
		NoWebhooks: true, NoSession: true, TLS: http2, Connections: connections, Statuses: statuses,
	})
}

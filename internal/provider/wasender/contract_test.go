package wasender_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"peal/api"
	emulator "peal/emulator/wasender"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/providertest"
	"peal/internal/provider/wasender"
)

// standIn is the emulator as the suite knows it.
type standIn struct{ *emulator.Server }

func start(t *testing.T) providertest.Server {
	s := standIn{emulator.New(emulator.Options{Script: &emulator.Script{}})}
	t.Cleanup(s.Close)
	return s
}

func (s standIn) BasePath() string { return "/api" }

func (s standIn) IsSend(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/send-message") }

func (s standIn) Taken() int { return len(s.Messages(emulator.Query{})) }

func (s standIn) Fail(t *testing.T, f providertest.Failure) {
	t.Helper()
	s.ClearFaults()
	session := s.Sessions()[0].ID
	state := emulator.StateConnected
	if f.Mode == providertest.ModeOffline {
		state = emulator.StateLoggedOut
	}
	if err := s.SetState(session, state); err != nil {
		t.Fatal(err)
	}
	fault := emulator.Fault{Every: true}
	if f.Everywhere {
		fault.Path = "*"
	}
	switch f.Mode {
	case providertest.ModeNone, providertest.ModeOffline:
		return
	case providertest.ModeStatus:
		fault.Kind, fault.Status, fault.RetryAfter = emulator.FaultStatus, f.Status, f.RetryAfter
		fault.Body = `{"success":false,"message":"no"}`
	case providertest.ModeRefuse:
		fault.Kind, fault.Status = emulator.FaultStatus, http.StatusUnprocessableEntity
		body, err := json.Marshal(map[string]any{"success": false, "message": f.Text, "errors": map[string]any{"to": []string{f.Text}}})
		if err != nil {
			t.Fatal(err)
		}
		fault.Body = string(body)
	case providertest.ModeDropBefore:
		fault.Kind = emulator.FaultDropBefore
	case providertest.ModeDropAfter:
		fault.Kind = emulator.FaultDropAfter
	case providertest.ModeHold:
		fault.Kind = emulator.FaultHold
	case providertest.ModeGarbage:
		fault.Kind = emulator.FaultWrongJSON
	default:
		t.Fatalf("no failure %q", f.Mode)
	}
	if _, err := s.AddFault(fault); err != nil {
		t.Fatal(err)
	}
}

func TestContract(t *testing.T) {
	text := "Your order is on its way"
	providertest.Run(t, providertest.Suite{
		Kind: wasender.Kind{},
		Integration: func(baseURL string) *peal.Integration {
			return &peal.Integration{
				ID: "in-1", Kind: "wasender", BaseURL: baseURL, Timeout: 10 * time.Second,
				Credentials: map[string]string{"api_key": emulator.DefaultAPIKey, "webhook_secret": emulator.DefaultWebhookSecret},
			}
		},
		Message: provider.Message{DeliveryID: "d-1", To: "+919812345678", Content: api.Content{Text: &text}},
		Start:   start,
		Sign: func(in *peal.Integration, header http.Header, _ []byte) {
			header.Set("X-Webhook-Signature", in.Credentials["webhook_secret"])
		},
		Webhooks: map[string][]byte{
			"update":  []byte(`{"event":"messages.update","sessionId":"wasender-key-1","data":{"update":{"status":2},"key":{"remoteJid":"919812345678@s.whatsapp.net","id":"34874643876","fromMe":false}},"timestamp":1747775431467}`),
			"receipt": []byte(`{"event":"message-receipt.update","data":{"message":{"key":{"remoteJid":"g@g.us","id":"A","fromMe":true},"receipt":{"userJid":"1@lid","receiptTimestamp":1234567890}}},"timestamp":1234567890123}`),
			"session": []byte(`{"event":"session.status","timestamp":1633456789,"data":{"status":"connected","session_id":"session-id-123"}}`),
		},
	})
}

package whatsappcloud_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"peal/api"
	emulator "peal/emulator/whatsappcloud"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/providertest"
	"peal/internal/provider/whatsappcloud"
)

const phone = "+919812345678"

// standIn is the emulator as the suite knows it.
type standIn struct{ *emulator.Server }

func start(t *testing.T) providertest.Server {
	s := standIn{emulator.New(emulator.Options{
		Script: &emulator.Script{}, WindowsOpen: true, Limits: emulator.Limits{PairBurst: -1},
		Accounts: []emulator.Account{{Numbers: []emulator.Number{{Throughput: -1}}}},
	})}
	t.Cleanup(s.Close)
	return s
}

func (s standIn) BasePath() string { return "" }

func (s standIn) IsSend(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/messages") }

func (s standIn) Taken() int { return len(s.Messages(emulator.Query{})) }

func (s standIn) Fail(t *testing.T, f providertest.Failure) {
	t.Helper()
	s.ClearFaults()
	fault := emulator.Fault{Every: true}
	if f.Everywhere {
		fault.Route = "*"
	}
	switch f.Mode {
	case providertest.ModeNone:
		return
	case providertest.ModeStatus:
		fault.Kind, fault.Status, fault.RetryAfter, fault.Body = emulator.FaultStatus, f.Status, f.RetryAfter, `<html>no</html>`
	case providertest.ModeRefuse:
		fault.Kind, fault.Code, fault.Details = emulator.FaultError, 131009, f.Text
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

const settings = `{"whatsapp_cloud":{"phone_number_id":"` + emulator.DefaultNumber + `"}}`

func integration(baseURL string) *peal.Integration {
	return &peal.Integration{
		ID: "in-1", Kind: "whatsapp_cloud", BaseURL: baseURL, Timeout: 10 * time.Second, Settings: []byte(settings),
		Credentials: map[string]string{
			"access_token": emulator.DefaultToken, "app_secret": emulator.DefaultAppSecret, "verify_token": emulator.DefaultVerifyToken,
		},
	}
}

func TestContract(t *testing.T) {
	text := "Your order is on its way"
	hook := func(field, value string) []byte {
		return []byte(`{"object":"whatsapp_business_account","entry":[{"id":"102290129340398","changes":[{"field":"` + field + `","value":` + value + `}]}]}`)
	}
	providertest.Run(t, providertest.Suite{
		Kind: whatsappcloud.Kind{}, Integration: integration, NoSession: true, Start: start,
		Message: provider.Message{DeliveryID: "01a1fd60-4167-747f-8263-50f02ed73395", To: phone, Content: api.Content{Text: &text}},
		Sign: func(in *peal.Integration, header http.Header, body []byte) {
			mac := hmac.New(sha256.New, []byte(in.Credentials["app_secret"]))
			_, _ = mac.Write(body)
			header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
		},
		Webhooks: map[string][]byte{
			"delivered": hook("messages", `{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881","phone_number_id":"106540352242922"},"statuses":[{"id":"wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI","status":"delivered","timestamp":"1750857384","recipient_id":"919812345678","biz_opaque_callback_data":"01a1fd60-4167-747f-8263-50f02ed73395","pricing":{"billable":true,"category":"utility"}}]}`),
			"failed":    hook("messages", `{"statuses":[{"id":"wamid.HBgL","status":"failed","timestamp":"1750857384","recipient_id":"919812345678","errors":[{"code":131026,"title":"Message undeliverable","message":"Message undeliverable","error_data":{"details":"Unable to deliver to 919812345678."}}]}]}`),
			"disabled":  hook("account_update", `{"event":"DISABLED_UPDATE","ban_info":{"waba_ban_state":"DISABLE","waba_ban_date":"1"}}`),
		},
	})
}

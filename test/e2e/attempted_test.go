package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/emulator/wasender"
	"peal/internal/config"
)

// attempted is a line of the log about one attempt.
type attempted struct {
	Msg         string `json:"msg"`
	Tenant      string `json:"tenant_id"`
	Integration string `json:"integration_id"`
	Delivery    string `json:"delivery_id"`
	Attempt     int    `json:"attempt"`
	Outcome     string `json:"outcome"`
	Code        string `json:"code"`
	Next        string `json:"next"`
}

// TestLogOfFailures: a run in which everything goes wrong leaves one line per attempt and not a word of what was said,
// to whom, or with which keys.
func TestLogOfFailures(t *testing.T) {
	t.Parallel()
	const said = "one-time-password-4711"
	w := setupWith(t, wasender.Options{}, func(c *config.Config) { c.LedgerEvery = 20 * time.Millisecond },
		policy("hold"), func(s *api.Settings) { s.MaxAttempts = 2 })
	to := phone()
	ids := []string{}
	send := func(f wasender.Fault, states ...string) {
		t.Helper()
		w.fault(t, f)
		_, id := w.send(t, text(to, said))
		w.reaches(t, id, states...)
		ids = append(ids, id)
	}
	status := func(code, times int, body string) wasender.Fault {
		return wasender.Fault{Kind: wasender.FaultStatus, Status: code, Times: times, Body: body}
	}
	echo := `{"success":false,"message":"Validation failed for ` + to + `: ` + wasender.DefaultAPIKey + `","errors":{"to":["` + to[1:] + `@s.whatsapp.net is not on WhatsApp"]}}`
	send(status(422, 1, echo), "failed")
	send(status(503, 2, ""), "failed")
	send(status(500, 1, echo), "read")
	send(status(429, 1, `{"message":"too many to `+to+`","retry_after":1}`), "read")
	send(wasender.Fault{Kind: wasender.FaultDropAfter}, "uncertain")
	send(wasender.Fault{Kind: wasender.FaultWrongJSON, Body: echo}, "failed") // a refusal, though its status is 200
	send(wasender.Fault{Kind: wasender.FaultDelay, Delay: time.Millisecond}, "read")

	hook, secret := w.hook(), wasender.DefaultWebhookSecret
	w.do(t, "POST", hook, "", `no json: `+to+said, "X-Webhook-Signature", secret)
	w.do(t, "POST", hook, "", update("3EB0", 4), "X-Webhook-Signature", "wrong-secret-of-"+said)
	w.do(t, "POST", strings.Replace(hook, "wasender/", "wasender/x", 1), "", said, "X-Webhook-Signature", secret)
	if _, err := w.emu.PlayInbound(wasender.Inbound{From: to, Text: said}); err != nil {
		t.Fatal(err)
	}
	w.do(t, "POST", post, w.key, body(to, strings.Repeat(said, 1000)))
	w.do(t, "POST", post, w.key, body(to, said)+"x")
	w.do(t, "POST", post, "peal_"+said, body(to, said))
	w.do(t, "GET", "/v1/deliveries?recipient="+to+"&color="+said, w.key, "")
	w.do(t, "PUT", "/v1/users/"+to, w.key, `{"phone":"`+said+`"}`)
	w.do(t, "POST", "/v1/integrations", w.key, `{"name":"x","kind":"wasender","credentials":{"api_key":"`+said+`","webhook_secret":"`+said+`","x":"`+said+`"}}`)
	if _, err := w.emu.UpdateSession(session, func(s *wasender.Session) { s.APIKey = rotatedKey }); err != nil {
		t.Fatal(err)
	}
	_, id := w.send(t, text(to, said))
	w.paused(t, "credentials")
	ids = append(ids, id)
	eventually(t, "junk is kept", func() error { return want("unreadable", w.metric(t, "peal_callbacks_unreadable_total"), 1) })

	w.onePerAttempt(t, ids)
	token := hook[strings.LastIndex(hook, "/")+1:]
	log := w.logs.text() // numbers, keys and secrets are looked for after every test
	for _, secret := range []string{said, token, to[1:], w.key, w.key[40:]} {
		if i := strings.Index(log, secret); i >= 0 {
			t.Errorf("the log holds %q: …%s", secret, log[max(0, i-200):i])
		}
	}
	for _, path := range []string{"/v1/deliveries", "/v1/integrations/wa"} { // nor do the reasons that are shown
		if a := w.do(t, http.MethodGet, path, w.key, ""); strings.Contains(string(a.body), "[number]") == strings.Contains(path, "integrations") {
			t.Errorf("GET %s: %s", path, a.body)
		}
	}
}

// onePerAttempt compares the log's lines with the timelines.
func (w *world) onePerAttempt(t *testing.T, ids []string) {
	t.Helper()
	eventually(t, "every attempt has its line", func() error {
		lines := map[string][]attempted{}
		for line := range strings.Lines(w.logs.text()) {
			var a attempted
			if json.Unmarshal([]byte(line), &a) == nil && a.Msg == "delivery.attempted" {
				lines[a.Delivery] = append(lines[a.Delivery], a)
			}
		}
		for _, id := range ids {
			var events []api.Event
			for _, e := range w.delivery(t, id).Timeline {
				if e.Type == "attempt" {
					events = append(events, e)
				}
			}
			if err := want("lines of "+id, len(lines[id]), len(events)); err != nil {
				return err
			}
			for i, e := range events {
				wanted := attempted{"delivery.attempted", w.tenant, w.integration.ID, id, e.Attempt, e.Outcome, e.Code, e.Status}
				if err := want("line", lines[id][i], wanted); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

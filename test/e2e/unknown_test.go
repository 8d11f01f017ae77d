package e2e_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"peal/api"
	"peal/emulator/wasender"
	"peal/internal/config"
)

func policy(p string) func(*api.Settings) {
	return func(s *api.Settings) { s.OnUnknown = p }
}

// impatient is for messages whose answer does not come.
func impatient(s *api.Settings) { s.Timeout = "1s" }

// eagerLedger looks for lost jobs all the time: it must not take a delivery in doubt for one.
func eagerLedger(c *config.Config) { c.LedgerEvery = 20 * time.Millisecond }

// TestUnknownOutcome: a call that ends without the provider's word leaves the delivery uncertain, with the reason, and
// nothing sends it again: neither time, nor the ledger, nor a restart.
func TestUnknownOutcome(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault wasender.Fault
		code  string
		taken int
	}{
		{"connection dropped after taking", wasender.Fault{Kind: wasender.FaultDropAfter}, "connection_lost", 1},
		{"connection dropped before taking", wasender.Fault{Kind: wasender.FaultDropBefore}, "connection_lost", 0},
		{"timeout after taking", wasender.Fault{Kind: wasender.FaultHold, TakeFirst: true}, "timeout", 1},
		{"timeout before taking", wasender.Fault{Kind: wasender.FaultHold}, "timeout", 0},
		{"200 with half of the JSON", wasender.Fault{Kind: wasender.FaultWrongJSON}, "bad_answer", 1},
		{"200 without an id", wasender.Fault{Kind: wasender.FaultWrongJSON, Body: `{"success":true,"data":{}}`}, "bad_answer", 1},
		{"200 without a body", wasender.Fault{Kind: wasender.FaultEmpty}, "bad_answer", 1},
		{"gateway timeout", wasender.Fault{Kind: wasender.FaultStatus, Status: http.StatusGatewayTimeout, TakeFirst: true}, "http_504", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			settings := []func(*api.Settings){policy("reconcile")}
			if tt.code == "timeout" {
				settings = append(settings, impatient)
			}
			w := setupWith(t, wasender.Options{Script: &wasender.Script{}}, eagerLedger, settings...)
			settings[0] = policy("hold")
			for _, over := range []string{w.integration.ID, w.connect(t, "hold", settings...).ID} {
				w.fault(t, tt.fault)
				to := phone()
				req := text(to, "perhaps")
				req.Integration = over
				_, id := w.send(t, req)
				d := w.reaches(t, id, "uncertain")
				if d.ErrorCode != tt.code || d.ErrorReason == "" || d.Attempts != 1 || d.DeadLetter || d.DueAt != nil {
					t.Errorf("error %s %q, attempts %d, dead letter %v, due %v", d.ErrorCode, d.ErrorReason, d.Attempts, d.DeadLetter, d.DueAt)
				}
				if e := d.Timeline[1]; e.Outcome != "unknown" || e.Status != "uncertain" {
					t.Errorf("attempt %+v", e)
				}
				w.neverAgain(t, over, to, id, tt.taken)
			}
		})
	}
}

// neverAgain checks that an uncertain delivery stays so through ledger and restart, and that the provider has it taken
// times and is not asked again.
func (w *world) neverAgain(t *testing.T, over, to, id string, taken int) {
	t.Helper()
	w.restart(t)
	if _, err := w.peal.UpdateIntegration(t.Context(), over, api.IntegrationPatch{Settings: &api.Settings{Timeout: "30s"}}); err != nil {
		t.Fatal(err)
	}
	req := text(phone(), "probe")
	req.Integration = over
	_, probe := w.send(t, req)
	w.reaches(t, probe, "sent") // the queue works, and has come past it
	throughout(t, "while the ledger looks", 200*time.Millisecond, func() error {
		return want("state", w.delivery(t, id).Status, "uncertain")
	})
	if n := w.emu.CountByRecipient(to); n != taken {
		t.Errorf("the provider took it %d times, want %d", n, taken)
	}
}

// TestResendPolicy: where a repeat does no harm, an unknown outcome is tried again like a failure, up to the last attempt.
func TestResendPolicy(t *testing.T) {
	t.Parallel()
	w := silent(t, policy("resend"), func(s *api.Settings) { s.MaxAttempts = 2 })
	w.fault(t, wasender.Fault{Kind: wasender.FaultDropAfter})
	to, id := w.sendText(t, "twice does no harm")
	d := w.reaches(t, id, "sent")
	if d.Attempts != 2 || d.ErrorCode != "" || w.emu.CountByRecipient(to) != 2 {
		t.Errorf("attempts %d, error %q, taken %d times; want 2, none, 2", d.Attempts, d.ErrorCode, w.emu.CountByRecipient(to))
	}

	w.fault(t, wasender.Fault{Kind: wasender.FaultDropAfter, Times: 2})
	_, id = w.sendText(t, "never a word")
	if d := w.reaches(t, id, "failed"); !d.DeadLetter || d.Attempts != 2 || d.ErrorCode != "connection_lost" {
		t.Errorf("dead letter %v, attempts %d, error %s", d.DeadLetter, d.Attempts, d.ErrorCode)
	}
}

// TestResolve: a person who has found out says what became of an uncertain delivery.
func TestResolve(t *testing.T) {
	t.Parallel()
	w := silent(t, policy("hold"))
	uncertain := func() (to, id string) {
		w.fault(t, wasender.Fault{Kind: wasender.FaultDropBefore})
		to, id = w.sendText(t, "what became of it")
		w.reaches(t, id, "uncertain")
		return to, id
	}
	resolve := func(id, as string) *api.Delivery {
		d, err := w.peal.ResolveDelivery(t.Context(), id, api.ResolveRequest{As: as, Note: "called them"})
		if err != nil {
			t.Fatalf("resolve as %s: %v", as, err)
		}
		// What is to be sent again may be on its way before the answer is read.
		if !slices.ContainsFunc(d.Timeline, func(e api.Event) bool { return e.Type == "resolved" && e.Detail == "called them" }) {
			t.Errorf("resolved as %s, the timeline is %+v", as, d.Timeline)
		}
		return d
	}

	_, id := uncertain()
	if d := resolve(id, "sent"); d.Status != "sent" || d.SentAt == nil {
		t.Errorf("as sent: %s, sent at %v", d.Status, d.SentAt)
	}
	_, id = uncertain()
	if d := resolve(id, "failed"); d.Status != "failed" || d.EndedAt == nil || d.DeadLetter {
		t.Errorf("as failed: %s, ended at %v, dead letter %v", d.Status, d.EndedAt, d.DeadLetter)
	}
	to, id := uncertain()
	resolve(id, "resend")
	w.allOnce(t, map[string]string{to: id})

	// What is not uncertain is not to be resolved.
	a := w.do(t, http.MethodPost, "/v1/deliveries/"+id+"/resolve", w.key, `{"as":"failed"}`)
	if p := a.problem(t); a.status != http.StatusConflict || p.Code != api.CodeNotUncertain {
		t.Errorf("resolve a sent one: %d %s", a.status, a.body)
	}
}

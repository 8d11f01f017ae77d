package e2e_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"peal/api"
	"peal/client"
	"peal/emulator/wasender"
)

// reconciling is a silent world whose integration may read the account's message log, which already shows one message.
// It gives a function that tells how often the log was read.
func reconciling(t *testing.T, on string, settings ...func(*api.Settings)) (w *world, reads func() int) {
	t.Helper()
	w = setupWith(t, wasender.Options{Script: &wasender.Script{}}, eagerLedger, append(settings, policy(on))...)
	_, err := w.peal.UpdateIntegration(t.Context(), w.integration.ID, api.IntegrationPatch{Credentials: map[string]string{
		"personal_access_token": wasender.DefaultPAT, "session_id": strconv.Itoa(session),
	}})
	if err != nil {
		t.Fatal(err)
	}
	_, id := w.sendText(t, "the first")
	w.reaches(t, id, "sent")
	watch := w.fault(t, wasender.Fault{Kind: wasender.FaultDelay, Delay: time.Millisecond, Path: "/whatsapp-sessions/*", Every: true})
	return w, func() int {
		for _, f := range w.emu.Faults() {
			if f.ID == watch {
				return f.Hits
			}
		}
		return 0
	}
}

// lose sends a text whose call brings no answer.
func (w *world) lose(t *testing.T, kind wasender.FaultKind, to, s string) (id string) {
	t.Helper()
	w.fault(t, wasender.Fault{Kind: kind, To: to})
	_, id = w.send(t, text(to, s))
	w.reaches(t, id, "uncertain")
	return id
}

// looked waits until the log has been read anew.
func looked(t *testing.T, reads func() int) {
	t.Helper()
	before := reads()
	eventually(t, "the log is read", func() error { return want("read anew", reads() > before, true) })
}

// TestReconcileByLog: the connection drops after the provider has taken the message. Its log shows so: the delivery is
// sent, under its own id, receipts reach it, and it went out once.
func TestReconcileByLog(t *testing.T) {
	t.Parallel()
	w, _ := reconciling(t, "reconcile")
	to := phone()
	id := w.lose(t, wasender.FaultDropAfter, to, "did it arrive?")
	d := w.reaches(t, id, "sent")
	m := w.emu.Messages(queryTo(to))
	if len(m) != 1 || d.MessageID != strconv.FormatInt(m[0].MsgID, 10) || d.ErrorCode != "" || d.Attempts != 1 || d.SentAt == nil {
		t.Fatalf("%+v; the provider has %+v", d, m)
	}
	if got := kinds(d.Timeline[:3]); got != "queued:queued attempt:uncertain reconciled:sent" {
		t.Errorf("timeline %s", got)
	}
	if err := w.emu.PlayStatus(m[0].MsgID, wasender.StatusRead, wasender.Shape{}); err != nil {
		t.Fatal(err)
	}
	w.reaches(t, id, "read")
	w.restart(t)
	if n := w.emu.CountByRecipient(to); n != 1 {
		t.Errorf("taken %d times", n)
	}
}

// TestReconcileAFailure: the log says that what it took without an answer has failed.
func TestReconcileAFailure(t *testing.T) {
	t.Parallel()
	w, _ := reconciling(t, "reconcile")
	if err := w.emu.SetScript(wasender.StatusScript(0, wasender.StatusError)); err != nil {
		t.Fatal(err)
	}
	w.webhooksTo(t, "")
	to := phone()
	id := w.lose(t, wasender.FaultDropAfter, to, "it will not")
	if d := w.reaches(t, id, "failed"); d.ErrorCode != "provider_error" || d.ErrorReason == "" || d.MessageID == "" || d.DeadLetter {
		t.Errorf("%+v", d)
	}
}

// TestReconcileTellsNothing: whatever the log does not show, or not clearly, stays uncertain, and is not sent again.
func TestReconcileTellsNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind    wasender.FaultKind
		prepare func(*testing.T, *world)
	}{
		"not taken, as far as can be seen so soon": {wasender.FaultDropBefore, func(*testing.T, *world) {}},
		"the session keeps no log": {wasender.FaultDropAfter, func(t *testing.T, w *world) {
			if _, err := w.emu.UpdateSession(session, func(s *wasender.Session) { s.LogMessages = false }); err != nil {
				t.Fatal(err)
			}
		}},
		"the token is wrong": {wasender.FaultDropAfter, func(t *testing.T, w *world) {
			_, err := w.peal.UpdateIntegration(t.Context(), w.integration.ID, api.IntegrationPatch{
				Credentials: map[string]string{"personal_access_token": rotatedKey},
			})
			if err != nil {
				t.Fatal(err)
			}
		}},
		"there is no such session": {wasender.FaultDropAfter, func(t *testing.T, w *world) {
			_, err := w.peal.UpdateIntegration(t.Context(), w.integration.ID, api.IntegrationPatch{Credentials: map[string]string{"session_id": "77"}})
			if err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, reads := reconciling(t, "reconcile")
			c.prepare(t, w)
			to := phone()
			id := w.lose(t, c.kind, to, "perhaps")
			looked(t, reads)
			throughout(t, "after the look", 300*time.Millisecond, func() error {
				return want("state", w.delivery(t, id).Status, "uncertain")
			})
			want := 0
			if c.kind == wasender.FaultDropAfter {
				want = 1
			}
			if n := w.emu.CountByRecipient(to); n != want {
				t.Errorf("taken %d times, want %d", n, want)
			}
			if in, err := w.peal.Integration(t.Context(), w.integration.ID); err != nil || in.Paused != nil {
				t.Errorf("a log that cannot be read pauses sending: %+v, %v", in, err)
			}
		})
	}
}

// TestReconcileTwins: the same text to the same number twice. One that is known is not taken for the other; two that are
// both in doubt are not told apart.
func TestReconcileTwins(t *testing.T) {
	t.Parallel()
	const s = "your code is 1234"
	w, reads := reconciling(t, "reconcile")

	first := phone()
	_, known := w.send(t, text(first, s))
	w.reaches(t, known, "sent")
	found := w.lose(t, wasender.FaultDropAfter, first, s)

	second := phone()
	_, sent := w.send(t, text(second, s))
	w.reaches(t, sent, "sent")
	never := w.lose(t, wasender.FaultDropBefore, second, s)

	third := phone()
	one, two := w.lose(t, wasender.FaultDropAfter, third, s), w.lose(t, wasender.FaultDropAfter, third, s)

	if a, b := w.reaches(t, known, "sent"), w.reaches(t, found, "sent"); a.MessageID == b.MessageID || b.MessageID == "" {
		t.Errorf("both are message %q and %q", a.MessageID, b.MessageID)
	}
	looked(t, reads) // the third pair is looked for a little later
	throughout(t, "after the look", 300*time.Millisecond, func() error {
		for _, id := range []string{never, one, two} {
			if err := want("state", w.delivery(t, id).Status, "uncertain"); err != nil {
				return err
			}
		}
		return nil
	})
	for to, n := range map[string]int{first: 2, second: 1, third: 2} {
		if err := want("taken", w.emu.CountByRecipient(to), n); err != nil {
			t.Error(err)
		}
	}
}

// TestHoldIsLeftToAPerson: nothing asks the provider, and a person settles what is listed and counted.
func TestHoldIsLeftToAPerson(t *testing.T) {
	t.Parallel()
	w, reads := reconciling(t, "hold")
	to := phone()
	id := w.lose(t, wasender.FaultDropAfter, to, "held")
	throughout(t, "while it is held", 4*time.Second, func() error { // the first look would be after 3
		return want("state", w.delivery(t, id).Status, "uncertain")
	})
	page, err := w.peal.DeliveryPage(t.Context(), client.DeliveryQuery{Status: "uncertain"})
	if err != nil || len(page.Deliveries) != 1 || page.Deliveries[0].ID != id {
		t.Errorf("listed: %+v, %v", page, err)
	}
	eventually(t, "it is counted", func() error { return want("uncertain", w.metric(t, "peal_uncertain"), 1) })
	if in, err := w.peal.Integration(t.Context(), "wa"); err != nil || in.Uncertain != 1 {
		t.Errorf("the integration says %+v, %v", in, err)
	}
	if n := reads(); n != 0 || w.emu.CountByRecipient(to) != 1 {
		t.Errorf("the log was read %d times, the message taken %d times", n, w.emu.CountByRecipient(to))
	}
}

// TestResolveMany: uncertain deliveries are settled by filter; a resend makes one more call for each, even if that is lost
// again; and nothing is sent over an integration that was deleted.
func TestResolveMany(t *testing.T) {
	t.Parallel()
	w := silent(t, policy("hold"))
	w.fault(t, wasender.Fault{Kind: wasender.FaultDropBefore, Every: true})
	ids := values(w.sendMany(t, 5))
	other := w.connect(t, "other", policy("hold"))
	req := text(phone(), "elsewhere")
	req.Integration = "other"
	_, elsewhere := w.send(t, req)
	for _, id := range append(ids, elsewhere) {
		w.reaches(t, id, "uncertain")
	}
	resolve := func(r api.ResolveAllRequest) *api.ResolveResult {
		t.Helper()
		res, err := w.peal.ResolveDeliveries(t.Context(), r)
		if err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		return res
	}
	here := api.UncertainFilter{IntegrationID: "wa"}
	if r := resolve(api.ResolveAllRequest{Filter: here, As: "resend", DryRun: true}); *r != (api.ResolveResult{DryRun: true, Matched: 5, Remaining: 5}) {
		t.Errorf("dry run: %+v", r)
	}
	if r := resolve(api.ResolveAllRequest{Filter: here, As: "resend", Note: "again"}); *r != (api.ResolveResult{Matched: 5, Done: 5}) {
		t.Errorf("resend: %+v", r)
	}
	for _, id := range ids {
		eventually(t, "it is lost again", func() error {
			d := w.delivery(t, id)
			return want("state", d.Status+" "+strconv.Itoa(d.Attempts), "uncertain 2")
		})
	}
	if r := resolve(api.ResolveAllRequest{Filter: api.UncertainFilter{IDs: ids[:2]}, As: "sent"}); r.Done != 2 || r.Remaining != 0 {
		t.Errorf("as sent: %+v", r)
	}
	if err := w.peal.DeleteIntegration(t.Context(), other.ID); err != nil {
		t.Fatal(err)
	}
	gone := api.UncertainFilter{IntegrationID: other.ID}
	if r := resolve(api.ResolveAllRequest{Filter: gone, As: "resend"}); *r != (api.ResolveResult{Matched: 1, Expired: 1}) {
		t.Errorf("resend over what was deleted: %+v", r)
	}
	_, err := w.peal.ResolveDelivery(t.Context(), elsewhere, api.ResolveRequest{As: "resend"})
	if p := problemOf(err); p == nil || p.Status != http.StatusConflict || p.Code != api.CodeConflict {
		t.Errorf("resend one over what was deleted: %v", err)
	}
	if r := resolve(api.ResolveAllRequest{Filter: api.UncertainFilter{All: true}, As: "failed"}); r.Done != 4 {
		t.Errorf("all the rest as failed: %+v", r)
	}
	for i, id := range append(ids, elsewhere) {
		state := "failed"
		if i < 2 {
			state = "sent"
		}
		w.reaches(t, id, state)
	}
	for _, bad := range []string{
		`{"filter":{},"as":"sent"}`, `{"filter":{"all":true,"ids":["x"]},"as":"sent"}`, `{"filter":{"all":true},"as":"queued"}`,
		`{"filter":{"all":true},"as":"resend","rate":0.0001}`, `{"filter":{"all":true}}`,
	} {
		if a := w.do(t, "POST", "/v1/deliveries/resolve", w.key, bad); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", bad, a.status, a.body)
		}
	}
}

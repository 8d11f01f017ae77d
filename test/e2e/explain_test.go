package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/emulator/wasender"
)

// explained asks why a delivery is as it is, and checks what every explanation has.
func (w *world) explained(t *testing.T, id string) *api.Explanation {
	t.Helper()
	x, err := w.peal.ExplainDelivery(t.Context(), id)
	if err != nil {
		t.Fatalf("explain: %v", err)
	}
	if len(x.Steps) == 0 || x.Steps[0].Rule != "accepted" || x.DeliveryID != id || x.Next.What == "" || x.Next.Why == "" {
		t.Errorf("explained as %+v", x)
	}
	var last time.Time
	for _, s := range x.Steps {
		if s.Rule == "" || s.Why == "" || s.Decision == "" || s.At.Before(last) {
			t.Errorf("a step is %+v, after one at %v", s, last)
		}
		last = s.At
	}
	return x
}

// rules gives the rules of an explanation in order, and of what is next. Waits come and go with the machine's load.
func rules(x *api.Explanation) string {
	var all []string
	for _, s := range x.Steps {
		if s.Rule != "turn" && s.Rule != "place" && s.Rule != "pause" {
			all = append(all, s.Rule)
		}
	}
	return strings.Join(append(all, "→", x.Next.Rule), " ")
}

func step(t *testing.T, x *api.Explanation, rule string) api.ExplainStep {
	t.Helper()
	for _, s := range x.Steps {
		if s.Rule == rule {
			return s
		}
	}
	t.Fatalf("no step by the rule %s: %s", rule, rules(x))
	return api.ExplainStep{}
}

// TestExplain: of whatever became of a delivery, each decision is told in order, with its rule and what it was decided by,
// and what happens next.
func TestExplain(t *testing.T) {
	t.Parallel()
	w := silent(t, policy("hold"), func(s *api.Settings) {
		s.MaxAttempts = 2
		s.RecipientLimit = &api.RecipientLimit{Rate: 1, Period: "1s", Burst: 1}
	})
	same := func(x *api.Explanation, want string) {
		t.Helper()
		if got := rules(x); got != want {
			t.Errorf("explained by %s\nwant         %s\n%+v", got, want, x)
		}
	}

	t.Run("throttled, tried again, delivered", func(t *testing.T) {
		w.fault(t, wasender.Fault{Kind: wasender.FaultStatus, Status: 429, Body: `{"message":"slowly","retry_after":1}`})
		w.fault(t, wasender.Fault{Kind: wasender.FaultStatus, Status: 503})
		to, id := w.sendText(t, "patience")
		d := w.reaches(t, id, "sent")
		if err := w.emu.PlayStatus(w.emu.Messages(queryTo(to))[0].MsgID, wasender.StatusDelivered, wasender.Shape{}); err != nil {
			t.Fatal(err)
		}
		w.reaches(t, id, "delivered")
		x := w.explained(t, id)
		if got := rules(x); !strings.HasPrefix(got, "accepted integration attempt_throttled attempt_temporary attempt_accepted message_key receipt →") &&
			!strings.HasPrefix(got, "accepted integration attempt_throttled attempt_temporary attempt_accepted receipt message_key →") {
			t.Errorf("explained by %s", got)
		}
		if s := step(t, x, "attempt_temporary"); s.Input["code"] != "http_503" || s.Input["attempt"] != 1.0 || s.Input["max_attempts"] != 2.0 || s.Stage != "send" {
			t.Errorf("%+v", s)
		}
		if s := step(t, x, "integration"); s.Input["integration"] != "wa" || s.Input["recipient"] != to {
			t.Errorf("%+v", s)
		}
		if s := step(t, x, "receipt"); s.Decision != "delivered" || s.Input["says"] != "delivered" {
			t.Errorf("%+v", s)
		}
		if d.Timeline[1].Outcome != "throttled" {
			t.Errorf("%+v", d.Timeline)
		}
	})

	t.Run("the recipient's limit", func(t *testing.T) {
		to := phone()
		_, first := w.send(t, text(to, "one"))
		w.reaches(t, first, "sent")
		_, id := w.send(t, text(to, "two"))
		w.reaches(t, id, "sent")
		x := w.explained(t, id)
		for _, s := range x.Steps { // on a machine that stalls a second may have passed by itself
			if s.Rule == "recipient_limit" && (s.Input["recipient_limit"] != "1 in 1s" || s.Input["waited_ms"] == nil) {
				t.Errorf("%+v", s)
			}
		}
	})

	t.Run("replayed", func(t *testing.T) {
		req := text(phone(), "once")
		req.IdempotencyKey = "order-9"
		_, id := w.send(t, req)
		w.reaches(t, id, "sent")
		w.send(t, req)
		w.send(t, req)
		eventually(t, "the repeats are noted", func() error {
			for _, s := range w.explained(t, id).Steps {
				if s.Rule == "idempotency_key" && s.Input["times"] == 2.0 && s.Input["key"] == "order-9" {
					return nil
				}
			}
			return want("steps", rules(w.explained(t, id)), "with two repeats")
		})
	})

	t.Run("skipped", func(t *testing.T) {
		_, id := w.send(t, api.NotificationRequest{Recipient: api.Recipient{UserID: "nobody-knows"}, Integration: "wa", Content: api.Content{Text: new("x")}})
		x := w.explained(t, id)
		same(x, "accepted no_phone → end")
		if s := step(t, x, "no_phone"); s.Stage != "route" || s.Detail == "" || !x.Next.Ended {
			t.Errorf("%+v, next %+v", s, x.Next)
		}
	})

	t.Run("uncertain, resolved", func(t *testing.T) {
		w.fault(t, wasender.Fault{Kind: wasender.FaultDropAfter})
		_, id := w.sendText(t, "perhaps")
		w.reaches(t, id, "uncertain")
		same(w.explained(t, id), "accepted integration attempt_unknown → on_unknown_hold")
		if _, err := w.peal.ResolveDelivery(t.Context(), id, api.ResolveRequest{As: "sent", Note: "asked them"}); err != nil {
			t.Fatal(err)
		}
		x := w.explained(t, id)
		same(x, "accepted integration attempt_unknown resolve → receipt")
		if s := step(t, x, "resolve"); s.Stage != "person" || s.Detail != "asked them" {
			t.Errorf("%+v", s)
		}
	})

	t.Run("dead, driven again", func(t *testing.T) {
		w.fault(t, wasender.Fault{Kind: wasender.FaultStatus, Status: http.StatusInternalServerError, Times: 2})
		_, id := w.sendText(t, "at last")
		w.reaches(t, id, "failed")
		x := w.explained(t, id)
		same(x, "accepted integration attempt_temporary attempt_temporary out_of_attempts → out_of_attempts")
		if _, err := w.peal.RedriveDeadLetters(t.Context(), api.RedriveRequest{Filter: api.DeadLetterFilter{IDs: []string{id}}}); err != nil {
			t.Fatal(err)
		}
		w.reaches(t, id, "sent")
		if got := rules(w.explained(t, id)); !strings.Contains(got, "out_of_attempts redrive attempt_accepted") {
			t.Errorf("explained by %s", got)
		}
	})

	t.Run("waiting", func(t *testing.T) {
		at := time.Now().Add(time.Hour).Truncate(time.Second)
		req := text(phone(), "later")
		req.SendAt = &at
		_, later := w.send(t, req)
		x := w.explained(t, later)
		same(x, "accepted integration send_at → send_at")
		if x.Next.At == nil || !x.Next.At.Equal(at) {
			t.Errorf("next %+v", x.Next)
		}
		w.pause(t)
		_, id := w.sendText(t, "when it goes on")
		x = w.explained(t, id)
		same(x, "accepted integration → pause")
		if x.Next.Input["code"] != "manual" || x.Next.Ended {
			t.Errorf("next %+v", x.Next)
		}
		if _, err := w.peal.CancelNotification(t.Context(), w.delivery(t, id).NotificationID); err != nil {
			t.Fatal(err)
		}
		same(w.explained(t, id), "accepted integration cancel → end")
	})
}

package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"peal/api"
)

// laddered is a notification to a user's phones, and then to their number: after so long, unless such a receipt has come.
func laddered(user, to, s, after, unless string) api.NotificationRequest {
	return api.NotificationRequest{
		Recipient: api.Recipient{UserID: user, Phone: to}, Content: api.Content{Text: &s},
		Ladder: []api.Rung{{Channel: "push"}, {Integration: "wa", After: after, Unless: unless}},
	}
}

// climb sends it, and gives its id and those of its two deliveries.
func (w *world) climb(t *testing.T, req api.NotificationRequest) (id, push, whatsapp string) {
	t.Helper()
	sent, err := w.peal.Send(t.Context(), req)
	if err != nil || len(sent.Deliveries) != 2 {
		t.Fatalf("send: %+v, %v", sent, err)
	}
	for i, d := range sent.Deliveries {
		if d.Rung == nil || *d.Rung != i {
			t.Errorf("delivery %d is %+v", i, d)
		}
	}
	return sent.ID, sent.Deliveries[0].ID, sent.Deliveries[1].ID
}

// told gives the first event of a timeline with this type and code.
func told(d *api.Delivery, typ, code string) *api.Event {
	for i := range d.Timeline {
		if e := &d.Timeline[i]; e.Type == typ && e.Code == code {
			return e
		}
	}
	return nil
}

// TestLadder: a rung goes out when no receipt has come in time, or at once when the one before it has failed; a receipt
// cancels it. The timeline says which it was.
func TestLadder(t *testing.T) {
	t.Parallel()
	w := silent(t)
	f := w.firebase(t)
	token := f.phone(t, w, "raju", "phone")

	// No receipt: the next rung goes when its time has come, also when that is while Peal is down.
	to := phone()
	_, push, whatsapp := w.climb(t, laddered("raju", to, "late", "2s", ""))
	w.reaches(t, push, "sent")
	w.restart(t)
	d := w.reaches(t, whatsapp, "sent")
	if e := told(d, "ladder", "ladder_due"); e == nil || !strings.Contains(e.Detail, "no receipt of delivered") {
		t.Errorf("why it went: %s", kinds(d.Timeline))
	}
	if d.SentAt.Before(d.CreatedAt.Add(2e9)) || f.Taken(token) != 1 || len(w.emu.Messages(queryTo(to))) != 1 {
		t.Errorf("%v after %v; %d and %d", d.SentAt, d.CreatedAt, f.Taken(token), len(w.emu.Messages(queryTo(to))))
	}

	// A receipt in time: it does not go.
	to = phone()
	id, push, whatsapp := w.climb(t, laddered("raju", to, "in time", "1h", "read"))
	w.reaches(t, push, "sent")
	n, err := w.peal.Notification(t.Context(), id)
	if err != nil || n.Status != "sent" || len(n.Ladder) != 2 || n.Ladder[1].After != "1h" || n.Ladder[1].Unless != "read" || n.Queue != nil ||
		*n.Deliveries[0].Rung != 0 || n.Deliveries[1].Status != "queued" {
		t.Errorf("%+v, %v", n, err)
	}
	report := func(what string) {
		t.Helper()
		if _, err := w.peal.ReportReceipts(t.Context(), api.ClientReceipt{DeliveryID: push, Type: what}); err != nil {
			t.Fatal(err)
		}
	}
	report("delivered")
	if d = w.delivery(t, whatsapp); d.Status != "queued" {
		t.Errorf("it is to go unless it is read, and is %s when it is delivered", d.Status)
	}
	report("opened")
	d = w.delivery(t, whatsapp)
	if e := told(d, "canceled", "ladder_satisfied"); d.Status != "canceled" || e == nil || !strings.Contains(e.Detail, push) {
		t.Errorf("%s %+v", d.Status, d.Timeline)
	}
	if n, err = w.peal.Notification(t.Context(), id); err != nil || n.Status != "read" {
		t.Errorf("%+v, %v", n, err)
	}

	// The first rung fails: the next goes at once.
	if err := f.Unregister(token); err != nil {
		t.Fatal(err)
	}
	to = phone()
	_, push, whatsapp = w.climb(t, laddered("raju", to, "failed", "1h", ""))
	d = w.reaches(t, whatsapp, "sent")
	if e := told(d, "ladder", "ladder_ended"); e == nil || !strings.Contains(e.Detail, "UNREGISTERED") || w.delivery(t, push).Status != "failed" {
		t.Errorf("why it went: %+v", d.Timeline)
	}

	// There is nobody on the first rung: the next is the first.
	to = phone()
	id, _, whatsapp = w.climb(t, laddered("stranger", to, "nobody", "1h", ""))
	d = w.reaches(t, whatsapp, "sent")
	if told(d, "ladder", "ladder_ended") == nil {
		t.Errorf("why it went: %+v", d.Timeline)
	}
	if n, err = w.peal.Notification(t.Context(), id); err != nil || n.Status != "sent" {
		t.Errorf("%+v, %v", n, err)
	}

	// A cancel cancels every rung.
	f.phone(t, w, "asha", "hers")
	id, _, whatsapp = w.climb(t, laddered("asha", phone(), "canceled", "1h", ""))
	if _, err := w.peal.CancelNotification(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	w.reaches(t, whatsapp, "canceled")
}

// TestLadderRequest: what is wrong with a ladder is told by rung; it is a part of what a key stands for; a dry run shows
// every rung.
func TestLadderRequest(t *testing.T) {
	t.Parallel()
	w := silent(t)
	f := w.firebase(t)
	f.phone(t, w, "raju", "phone")
	ask := func(ladder, more string) string {
		return `{"recipient":{"user_id":"raju","phone":"` + phone() + `"},"content":{"text":"hi"},"ladder":[` + ladder + `]` + more + `}`
	}
	const push, wa = `{"channel":"push"}`, `{"integration":"wa","after":"5m"}`
	for _, c := range []struct{ name, body, path, code string }{
		{"one rung", ask(push, ``), "ladder", "out_of_range"},
		{"six rungs", ask(push+strings.Repeat(`,`+wa, 5), ``), "ladder", "out_of_range"},
		{"with a channel", ask(push+`,`+wa, `,"channel":"push"`), "channel", "conflict"},
		{"with an integration", ask(push+`,`+wa, `,"integration":"wa"`), "integration", "conflict"},
		{"to an audience", strings.Replace(ask(push+`,`+wa, ``), `"user_id":"raju","phone"`, `"audience":{"all":true},"phone_"`, 1), "recipient.phone_", "unknown"},
		{"an audience", `{"recipient":{"audience":{"all":true}},"content":{"text":"hi"},"ladder":[` + push + `,` + wa + `]}`, "recipient.audience", "conflict"},
		{"first after", ask(`{"channel":"push","after":"1m"},`+wa, ``), "ladder[0].after", "conflict"},
		{"first unless", ask(`{"channel":"push","unless":"read"},`+wa, ``), "ladder[0].unless", "conflict"},
		{"no after", ask(push+`,{"integration":"wa"}`, ``), "ladder[1].after", "required"},
		{"too long", ask(push+`,{"integration":"wa","after":"169h"}`, ``), "ladder[1].after", "invalid"},
		{"beyond the expiry", ask(push+`,`+wa, `,"ttl":"5m"`), "ladder[1].after", "out_of_range"},
		{"no such receipt", ask(push+`,{"integration":"wa","after":"5m","unless":"sent"}`, ``), "ladder[1].unless", "invalid"},
		{"over nothing", ask(push+`,{"after":"5m"}`, ``), "ladder[1].channel", "required"},
		{"over what is not there", ask(push+`,{"integration":"nope","after":"5m"}`, ``), "ladder[1].integration", "not_found"},
		{"no such channel", ask(push+`,{"channel":"sms","after":"5m"}`, ``), "ladder[1].channel", "invalid"},
		{"two contents", ask(push+`,{"integration":"wa","after":"5m","content":{"text":"x","audio":{"url":"https://x.example"}}}`, ``), "ladder[1].content", "ambiguous"},
		{"what WhatsApp cannot take", ask(push+`,{"integration":"wa","after":"5m","content":{"push":{"title":"x"}}}`, ``), "ladder[1].content.push", ""},
		{"what a push cannot take", ask(`{"channel":"push","content":{"poll":{"question":"q","options":["a","b"]}}},`+wa, ``), "ladder[0].content", "unsupported"},
		{"no content", strings.Replace(ask(push+`,`+wa, ``), `"content":{"text":"hi"},`, ``, 1), "content", "required"},
		{"no push at all", strings.Replace(ask(`{"integration":"wa"},`+wa, ``), `"phone"`, `"platform":"ios","phone"`, 1), "recipient.platform", "unsupported"},
		{"unknown in a rung", ask(push+`,{"integration":"wa","after":"5m","when":"now"}`, ``), "ladder[1].when", "unknown"},
	} {
		a := w.do(t, http.MethodPost, post, w.key, c.body)
		p := a.problem(t)
		if a.status != http.StatusUnprocessableEntity || len(p.Errors) != 1 || p.Errors[0].Path != c.path || c.code != "" && p.Errors[0].Code != c.code {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
		}
	}

	req := laddered("raju", phone(), "hi", "1h", "")
	own, req2 := "its own words", req
	req2.Content, req2.Ladder = api.Content{}, []api.Rung{
		{Channel: "push", Content: &req.Content}, {Integration: "wa", After: "1h", Content: &api.Content{Text: &own}},
	}
	dry, err := w.peal.DryRun(t.Context(), req2)
	if err != nil || len(dry.Deliveries) != 2 || *dry.Deliveries[1].Rung != 1 || dry.Deliveries[1].DueAt == nil ||
		!strings.Contains(string(dry.Deliveries[1].Request.Body), own) || strings.Contains(string(dry.Deliveries[0].Request.Body), own) {
		t.Errorf("%+v, %v", dry, err)
	}
	req.IdempotencyKey = "ladder-1"
	first, err := w.peal.Send(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.peal.Send(t.Context(), req)
	if err != nil || !again.Replayed || fmt.Sprint(again.Deliveries[1].ID) != first.Deliveries[1].ID {
		t.Errorf("%+v, %v", again, err)
	}
	req.Ladder[1].After = "2h"
	if _, err = w.peal.Send(t.Context(), req); problemOf(err).Code != api.CodeIdempotencyConflict {
		t.Errorf("another ladder under the same key: %v", err)
	}
}

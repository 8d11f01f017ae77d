package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"peal/api"
)

// TestContents: every kind of content arrives at the provider in the vendor's shape, and the log shows it as it was given.
func TestContents(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, tt := range []struct{ content, vendor string }{
		{`{"text":"H\u00e9llo \"you\"\n\ud83d\ude00"}`, `"text":"Héllo \"you\"\n😀"`},
		{`{"image":{"url":"https://f.example.com/a.png"}}`, `"imageUrl":"https://f.example.com/a.png"`},
		{`{"image":{"url":"https://f.example.com/a.png?x=1&y=2","caption":"<b>&</b>","view_once":true}}`, `"imageUrl":"https://f.example.com/a.png?x=1&y=2","text":"<b>&</b>","viewOnce":true`},
		{`{"video":{"url":"https://f.example.com/a.mp4","caption":"look"}}`, `"videoUrl":"https://f.example.com/a.mp4","text":"look"`},
		{`{"document":{"url":"https://f.example.com/a.pdf","filename":"bill.pdf","caption":"bill"}}`, `"documentUrl":"https://f.example.com/a.pdf","fileName":"bill.pdf","text":"bill"`},
		{`{"audio":{"url":"https://f.example.com/a.ogg","view_once":true}}`, `"audioUrl":"https://f.example.com/a.ogg","viewOnce":true`},
		{`{"sticker":{"url":"https://f.example.com/a.webp"}}`, `"stickerUrl":"https://f.example.com/a.webp"`},
		{`{"contact":{"name":"Raju","phone":"+919812345678"}}`, `"contact":{"name":"Raju","phone":"+919812345678"}`},
		{`{"location":{"latitude":12.9716,"longitude":-77.5946,"name":"Office","address":"MG Road"}}`, `"location":{"latitude":12.9716,"longitude":-77.5946,"name":"Office","address":"MG Road"}`},
		{`{"location":{"latitude":0,"longitude":0}}`, `"location":{"latitude":0,"longitude":0}`},
		{`{"poll":{"question":"Lunch?","options":["Dosa","Idli"],"multi_select":true}}`, `"poll":{"question":"Lunch?","options":["Dosa","Idli"],"multiSelect":true}`},
		{`{"text":"hi @all","mentions":["+919812345678"],"reply_to":"4711"}`, `"text":"hi @all","mentions":["+919812345678"],"replyTo":4711`},
	} {
		to := phone()
		a := w.do(t, http.MethodPost, post, w.key, strings.ReplaceAll(saying(tt.content), "PHONE", to))
		var acc api.Accepted
		a.decode(t, &acc)
		if a.status != http.StatusAccepted {
			t.Errorf("%s: %d %s", tt.content, a.status, a.body)
			continue
		}
		d := w.reaches(t, acc.Deliveries[0].ID, "read", "failed")
		m := w.emu.Messages(queryTo(to))
		if len(m) != 1 {
			t.Errorf("%s: taken %d times; %s %s", tt.content, len(m), d.ErrorCode, d.ErrorReason)
			continue
		}
		if diff := cmp.Diff(decoded(t, `{"to":"`+to+`",`+tt.vendor+`}`), decoded(t, string(m[0].Body))); diff != "" {
			t.Errorf("%s at the provider (-want +got):\n%s", tt.content, diff)
		}
		kept, err := json.Marshal(d.Content)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(decoded(t, tt.content), decoded(t, string(kept))); diff != "" {
			t.Errorf("%s in the log (-want +got):\n%s", tt.content, diff)
		}
	}
}

func decoded(t *testing.T, s string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return v
}

// TestUserRecipient: a tenant that has told Peal a user's number need not know it when it sends; whose number nobody
// knows is skipped with the reason, and that is no failure.
func TestUserRecipient(t *testing.T) {
	t.Parallel()
	w := setup(t)
	to := phone()
	if _, err := w.peal.PutUser(t.Context(), "raju/1", api.UserRequest{Phone: to}); err != nil {
		t.Fatal(err)
	}
	req := text("", "hello Raju")
	req.Recipient.UserID = "raju/1"
	_, id := w.send(t, req)
	if d := w.reaches(t, id, "read"); d.Recipient != to || d.UserID != "raju/1" {
		t.Errorf("went to %s, user %s", d.Recipient, d.UserID)
	}
	if err := w.peal.DeleteUser(t.Context(), "raju/1"); err != nil {
		t.Fatal(err)
	}
	notification, id := w.send(t, req)
	d := w.delivery(t, id)
	if d.Status != "skipped" || d.ErrorCode != "no_phone" || d.EndedAt == nil || kinds(d.Timeline) != "skipped:skipped" {
		t.Errorf("%s %s, ended %v, timeline %s", d.Status, d.ErrorCode, d.EndedAt, kinds(d.Timeline))
	}
	if n, err := w.peal.Notification(t.Context(), notification); err != nil || n.Status != "skipped" {
		t.Errorf("notification %+v, %v", n, err)
	}
}

// TestWhichIntegration: with one integration the channel is enough, or nothing at all; with two, one has to be named.
func TestWhichIntegration(t *testing.T) {
	t.Parallel()
	w := silent(t)
	try := func(channel, integration string) *api.Problem {
		req := text(phone(), "hi")
		req.Channel, req.Integration = channel, integration
		_, err := w.peal.Send(t.Context(), req)
		return problemOf(err)
	}
	for _, tt := range []struct{ channel, integration string }{{"", ""}, {"whatsapp", ""}, {"whatsapp", "wa"}, {"", w.integration.ID}} {
		if p := try(tt.channel, tt.integration); p != nil {
			t.Errorf("channel %q, integration %q: %v", tt.channel, tt.integration, p)
		}
	}
	w.connect(t, "second")
	for _, channel := range []string{"", "whatsapp"} {
		if p := try(channel, ""); p == nil || p.Errors[0].Path != "integration" || p.Errors[0].Code != "ambiguous" || !strings.Contains(p.Errors[0].Message, "second") {
			t.Errorf("channel %q with two integrations: %+v", channel, p)
		}
	}
	for _, name := range []string{"wa", "second"} {
		if err := w.peal.DeleteIntegration(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if p := try("whatsapp", ""); p == nil || p.Errors[0].Path != "integration" || p.Errors[0].Code != "not_found" {
		t.Errorf("without any integration: %+v", p)
	}
}

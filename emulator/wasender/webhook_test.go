package wasender_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"peal/emulator/wasender"
)

func script(shape wasender.Shape, list ...int) *wasender.Script {
	sc := wasender.StatusScript(time.Millisecond, list...)
	sc.Shape = shape
	return &sc
}

func TestWebhooksInOrder(t *testing.T) {
	t.Parallel()
	clk := newClock()
	b := setup(t, wasender.Options{Now: clk.Now, Script: script(wasender.Shape{}, 1, 2, 3, 4, 5)})
	id := b.text("x")
	b.idle()
	got := b.recv.hooks()
	if s := strings.Join(statuses(b, got), " "); s != "1 2 3 4 5" {
		t.Errorf("statuses %s", s)
	}
	m, _ := b.emu.Message(id)
	if m.Status != wasender.StatusPlayed {
		t.Errorf("status %d", m.Status)
	}
	for _, h := range got {
		if h.signature != wasender.DefaultWebhookSecret {
			t.Errorf("signature %q", h.signature)
		}
	}
	// The documentation's example, but for the order of keys.
	jsonEqual(t, got[1].body, `{"event":"messages.update","sessionId":"wasender-key-1","data":{"key":{"remoteJid":"4915112345678@s.whatsapp.net","id":"`+
		m.KeyID+`","fromMe":false},"update":{"status":2}},"timestamp":1700000000000}`)
	if c := b.emu.Counts().Webhooks; c.Posted != 5 || c.Failed != 0 {
		t.Errorf("counts %+v", c)
	}
}

func TestDefaultScript(t *testing.T) {
	t.Parallel()
	def := wasender.DefaultScript()
	b := setup(t, wasender.Options{Script: &def})
	b.text("x")
	b.idle()
	if s := strings.Join(statuses(b, b.recv.hooks()), " "); s != "2 3 4" {
		t.Errorf("statuses %s", s)
	}
}

func TestWebhookShapes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		shape wasender.Shape
		path  []any
		want  any
	}{
		"data object":     {wasender.Shape{Data: "object"}, []any{"data", "update", "status"}, float64(3)},
		"data array":      {wasender.Shape{Data: "array"}, []any{"data", 0, "update", "status"}, float64(3)},
		"status string":   {wasender.Shape{Status: "string"}, []any{"data", "update", "status"}, "delivered"},
		"seconds":         {wasender.Shape{Timestamp: "s"}, []any{"timestamp"}, float64(1_700_000_000)},
		"milliseconds":    {wasender.Shape{Timestamp: "ms"}, []any{"timestamp"}, float64(1_700_000_000_000)},
		"session key":     {wasender.Shape{SessionID: "key"}, []any{"sessionId"}, wasender.DefaultAPIKey},
		"session id":      {wasender.Shape{SessionID: "id"}, []any{"sessionId"}, "1"},
		"session nothing": {wasender.Shape{SessionID: "none"}, []any{"sessionId"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clk := newClock()
			b := setup(t, wasender.Options{Now: clk.Now, Script: script(tc.shape, 3)})
			b.text("x")
			b.idle()
			if h := b.recv.hooks(); len(h) != 1 || at(h[0].event, tc.path...) != tc.want {
				t.Errorf("%v, want %v at %v", h, tc.want, tc.path)
			}
		})
	}
}

func TestWebhookLID(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{Script: script(wasender.Shape{RemoteJID: "lid"}, 2, 3)})
	id := b.text("x")
	b.idle()
	m, _ := b.emu.Message(id)
	var jids []string
	for _, h := range b.recv.hooks() {
		jid, _ := at(h.event, "data", "key", "remoteJid").(string)
		jids = append(jids, jid)
		if at(h.event, "data", "key", "id") != m.KeyID {
			t.Errorf("key %s", h.body)
		}
	}
	if len(jids) != 2 || jids[0] != jids[1] || !strings.HasSuffix(jids[0], "@lid") || strings.Contains(jids[0], phone[1:]) {
		t.Errorf("jids %v", jids)
	}
}

func TestWebhookBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{Script: &wasender.Script{Steps: []wasender.Step{
		{Status: 3, Delay: time.Millisecond}, {Status: 2, BeforeAnswer: true, Times: 2}, {Status: 4},
	}}})
	answered := false
	b.recv.answer = func(n int) int {
		if n <= 2 && answered {
			t.Error("the answer came first")
		}
		return 200
	}
	b.text("x")
	b.recv.mu.Lock()
	answered = true
	early := len(b.recv.got)
	b.recv.mu.Unlock()
	if early < 2 {
		t.Errorf("%d events before the answer, want 2", early)
	}
	b.idle()
	if s := strings.Join(statuses(b, b.recv.hooks()), " "); s != "2 2 3 4" {
		t.Errorf("statuses %s", s)
	}
}

func TestOtherEventsOfAMessage(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{Script: &wasender.Script{MessageSent: true, Steps: []wasender.Step{
		{Event: "messages.upsert", Status: 1, Delay: time.Millisecond},
		{Event: "message-receipt.update", Status: 3, Delay: time.Millisecond},
	}}})
	b.send(`{"to":"123-456@g.us","text":"x"}`, 200)
	b.idle()
	m, _ := b.emu.Message(100000)
	h := b.recv.hooks()
	if len(h) != 3 {
		t.Fatalf("hooks %v", h)
	}
	if h[0].event["event"] != "message.sent" || at(h[0].event, "data", "key", "id") != m.KeyID || at(h[0].event, "data", "message", "conversation") != "x" {
		t.Errorf("message.sent %s", h[0].body)
	}
	if h[1].event["event"] != "messages.upsert" || at(h[1].event, "data", "key", "id") != m.KeyID {
		t.Errorf("messages.upsert %s", h[1].body)
	}
	if h[2].event["event"] != "message-receipt.update" || at(h[2].event, "data", "message", "key", "remoteJid") != "123-456@g.us" {
		t.Errorf("message-receipt.update %s", h[2].body)
	}
}

func TestWebhookRetries(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{
		Script:   script(wasender.Shape{}, 2),
		Webhooks: wasender.WebhookOptions{Tries: 3, Backoff: time.Millisecond},
	})
	b.recv.answer = func(n int) int {
		if n <= 2 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	}
	b.text("x")
	b.idle()
	if c := b.emu.Counts().Webhooks; c.Posted != 1 || c.Failed != 2 || c.GaveUp != 0 {
		t.Errorf("counts %+v", c)
	}
	b.recv.mu.Lock()
	b.recv.answer = func(int) int { return http.StatusMovedPermanently }
	b.recv.mu.Unlock()
	b.text("y")
	b.idle()
	if c := b.emu.Counts().Webhooks; c.Posted != 1 || c.Failed != 5 || c.GaveUp != 1 {
		t.Errorf("counts %+v", c)
	}
	b.recv.Close() // nobody listens any more
	b.text("z")
	b.idle()
	if c := b.emu.Counts().Webhooks; c.Failed != 8 || c.GaveUp != 2 {
		t.Errorf("counts %+v", c)
	}
}

func TestWebhookTimeout(t *testing.T) {
	t.Parallel()
	block := make(chan struct{})
	b := setup(t, wasender.Options{
		Script:   script(wasender.Shape{}, 2),
		Webhooks: wasender.WebhookOptions{Tries: 1, Timeout: 20 * time.Millisecond},
	})
	b.recv.answer = func(int) int { <-block; return 200 }
	t.Cleanup(func() { close(block) })
	b.text("x")
	b.idle()
	if c := b.emu.Counts().Webhooks; c.GaveUp != 1 {
		t.Errorf("counts %+v", c)
	}
}

func TestWebhookFilterAndSwitch(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{
		Sessions: []wasender.Session{{WebhookEvents: []string{"session.status"}}},
		Script:   script(wasender.Shape{}, 2),
	})
	id := b.text("x")
	if err := b.emu.SetState(1, wasender.StateNeedScan); err != nil {
		t.Fatal(err)
	}
	b.idle()
	h := b.recv.hooks()
	if len(h) != 1 || h[0].event["event"] != "session.status" || at(h[0].event, "data", "status") != "need_scan" || at(h[0].event, "data", "session_id") != "1" {
		t.Errorf("hooks %v", h)
	}
	if m, _ := b.emu.Message(id); m.Status != wasender.StatusSent {
		t.Error("the status stands still when nothing is posted")
	}
	if _, err := b.emu.UpdateSession(1, func(c *wasender.Session) { c.WebhookDisabled = true; c.State = wasender.StateConnected }); err != nil {
		t.Fatal(err)
	}
	b.idle()
	if c := b.emu.Counts().Webhooks; c.Filtered != 2 || c.Posted != 1 {
		t.Errorf("counts %+v", c)
	}
}

func TestInbound(t *testing.T) {
	t.Parallel()
	clk := newClock()
	b := setup(t, wasender.Options{Now: clk.Now})
	first, err := b.emu.PlayInbound(wasender.Inbound{From: phone, Text: "STOP"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.emu.PlayInbound(wasender.Inbound{Session: 1, From: phone, Text: "again", Shape: wasender.Shape{Messages: "array", RemoteJID: "lid", Data: "array"}})
	if err != nil {
		t.Fatal(err)
	}
	b.idle()
	h := b.recv.hooks()
	if len(h) != 2 || first == second {
		t.Fatalf("hooks %v, keys %s %s", h, first, second)
	}
	msg := at(h[0].event, "data", "messages")
	if h[0].event["event"] != "messages.received" || at(msg, "key", "id") != first || at(msg, "messageBody") != "STOP" ||
		at(msg, "message", "conversation") != "STOP" || at(msg, "key", "cleanedSenderPn") != phone[1:] || h[0].event["timestamp"] != float64(1_700_000_000) {
		t.Errorf("inbound %s", h[0].body)
	}
	msg = at(h[1].event, "data", 0, "messages", 0)
	if jid, _ := at(msg, "key", "remoteJid").(string); at(msg, "key", "id") != second || !strings.HasSuffix(jid, "@lid") {
		t.Errorf("inbound in the old shape %s", h[1].body)
	}
	for _, in := range []wasender.Inbound{
		{From: "abc"}, {From: "1-2@g.us"}, {From: phone, Session: 9}, {From: phone, Event: "call"}, {From: phone, Shape: wasender.Shape{Data: "x"}},
	} {
		if _, err := b.emu.PlayInbound(in); err == nil {
			t.Errorf("%+v is accepted", in)
		}
	}
}

func TestPostWebhookAndPlayStatus(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	id := b.text("x")
	if err := b.emu.PostWebhook(1, []byte(`{"event":"odd","data":[[]]}`)); err != nil {
		t.Fatal(err)
	}
	b.idle()
	if err := b.emu.PlayStatus(id, wasender.StatusRead, wasender.Shape{Status: "string"}); err != nil {
		t.Fatal(err)
	}
	b.idle()
	h := b.recv.hooks()
	if len(h) != 2 || h[0].body != `{"event":"odd","data":[[]]}` || h[0].signature != wasender.DefaultWebhookSecret || at(h[1].event, "data", "update", "status") != "read" {
		t.Errorf("hooks %v", h)
	}
	if b.emu.PlayStatus(1, 2, wasender.Shape{}) == nil || b.emu.PlayStatus(id, 7, wasender.Shape{}) == nil ||
		b.emu.PlayStatus(id, 2, wasender.Shape{Status: "x"}) == nil || b.emu.PostWebhook(1, []byte(`{`)) == nil || b.emu.PostWebhook(9, []byte(`{}`)) == nil {
		t.Error("an invalid call is accepted")
	}
}

func TestManyMessagesKeepTheirOwnOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{Script: script(wasender.Shape{}, 2, 3, 4), Webhooks: wasender.WebhookOptions{Workers: 4}})
	for i := range 200 {
		b.text(fmt.Sprint("m", i))
	}
	b.idle()
	last := map[any]float64{}
	for _, h := range b.recv.hooks() {
		id, status := at(h.event, "data", "key", "id"), at(h.event, "data", "update", "status").(float64)
		if status < last[id] {
			t.Errorf("%v: %v after %v", id, status, last[id])
		}
		last[id] = status
	}
	if len(last) != 200 || b.emu.Counts().Webhooks.Posted != 600 {
		t.Errorf("%d messages, %+v", len(last), b.emu.Counts().Webhooks)
	}
}

func TestPlayerOverflow(t *testing.T) {
	t.Parallel()
	late := wasender.StatusScript(time.Hour, 2)
	b := setup(t, wasender.Options{Script: &late, Webhooks: wasender.WebhookOptions{MaxPending: 2}})
	for range 5 {
		b.text("x")
	}
	if c := b.emu.Counts(); c.Accepted != 5 || c.Webhooks.Overflowed != 3 {
		t.Errorf("counts %+v", c)
	}
}

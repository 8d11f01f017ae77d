package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"peal/client"
	"peal/emulator/wasender"
	"peal/internal/config"
)

// hook is the path of the integration's webhook address.
func (w *world) hook() string {
	return w.integration.WebhookURL[len("http://"+w.addr.Load().(string)):]
}

// update is a messages.update as the vendor's documentation has it.
func update(key string, status int) string {
	return fmt.Sprintf(`{"event":"messages.update","data":{"update":{"status":%d},"key":{"id":%q,"fromMe":true}},"timestamp":%d}`,
		status, key, time.Now().UnixMilli())
}

// TestForgedWebhooks: without the right address and the right secret nothing gets in, and nothing is kept of it.
func TestForgedWebhooks(t *testing.T) {
	t.Parallel()
	w := setupWith(t, wasender.Options{Script: &wasender.Script{}}, func(c *config.Config) { c.LedgerEvery = 20 * time.Millisecond })
	_, id := w.sendText(t, "hi")
	key := w.keyed(t, id)
	before := w.delivery(t, id)
	const secret = wasender.DefaultWebhookSecret
	hook := w.hook()
	for _, tt := range []struct {
		name, method, path, secret string
		status                     int
	}{
		{"wrong secret", "POST", hook, "wasender-secret-2", 401},
		{"longer secret", "POST", hook, secret + "x", 401},
		{"beginning of the secret", "POST", hook, secret[:8], 401},
		{"no secret", "POST", hook, "", 401},
		{"wrong token", "POST", hook[:len(hook)-1] + flip(hook[len(hook)-1]), secret, 404},
		{"no token", "POST", "/hooks/wasender/", secret, 404},
		{"id for a token", "POST", "/hooks/wasender/" + w.integration.ID, secret, 404},
		{"another kind", "POST", strings.Replace(hook, "wasender", "fcm", 1), secret, 404},
		{"GET", "GET", hook, secret, 405},
	} {
		a := w.do(t, tt.method, tt.path, "", update(key, wasender.StatusRead), "X-Webhook-Signature", tt.secret)
		if a.status != tt.status {
			t.Errorf("%s: %d %s, want %d", tt.name, a.status, a.body, tt.status)
		}
		a.problem(t)
	}
	throughout(t, "after forged webhooks", 200*time.Millisecond, func() error {
		for _, family := range []string{"peal_callbacks_total", "peal_callbacks_backlog", "peal_callbacks_unreadable_total", "peal_receipts_parked_total"} {
			if n := w.metric(t, family); n != 0 {
				return fmt.Errorf("%s is %v", family, n)
			}
		}
		return want("state", w.delivery(t, id).Status, before.Status)
	})
	// And the real one gets in.
	a := w.do(t, "POST", hook, "", update(key, wasender.StatusRead), "X-Webhook-Signature", secret)
	if a.status != http.StatusOK {
		t.Fatalf("the real one: %d %s", a.status, a.body)
	}
	w.reaches(t, id, "read")
	if n := w.metric(t, "peal_callbacks_total"); n != 1 {
		t.Errorf("%v webhooks counted", n)
	}
}

func flip(b byte) string {
	if b == 'A' {
		return "B"
	}
	return "A"
}

// keyed waits until a delivery is sent, and gives the key that the provider's webhooks name it by.
func (w *world) keyed(t *testing.T, id string) string {
	t.Helper()
	d := w.reaches(t, id, "sent", "delivered", "read")
	m := w.emu.Messages(queryTo(d.Recipient))
	if len(m) != 1 {
		t.Fatalf("taken %d times", len(m))
	}
	return m[0].KeyID
}

// steps is a script of sent, delivered and read, in one shape.
func steps(sh wasender.Shape, order wasender.Order) wasender.Script {
	sc := wasender.StatusScript(10*time.Millisecond, wasender.StatusPending, wasender.StatusSent, wasender.StatusDelivered, wasender.StatusRead)
	sc.Shape, sc.Order, sc.MessageSent = sh, order, true
	return sc
}

// TestWebhookShapes: the provider writes its webhooks in many ways; all of them move the ticks.
func TestWebhookShapes(t *testing.T) {
	t.Parallel()
	w := silent(t)
	played := steps(wasender.Shape{}, "")
	played.Steps = append(played.Steps, wasender.Step{Status: wasender.StatusPlayed})
	upsert := steps(wasender.Shape{}, "")
	upsert.Steps[1].Event = "messages.upsert"
	twice := steps(wasender.Shape{Mixed: true}, "")
	twice.DuplicateChance = 1
	early := steps(wasender.Shape{}, "")
	for i := range early.Steps {
		early.Steps[i].BeforeAnswer = true
	}
	late := steps(wasender.Shape{}, "")
	late.Steps[2].Delay = time.Second
	only := wasender.StatusScript(0, wasender.StatusRead)
	scripts := map[string]wasender.Script{
		"as documented":     steps(wasender.Shape{}, ""),
		"data is a list":    steps(wasender.Shape{Data: "array"}, ""),
		"messages in lists": steps(wasender.Shape{Messages: "array"}, ""),
		"status in words":   steps(wasender.Shape{Status: "string"}, ""),
		"time in seconds":   steps(wasender.Shape{Timestamp: "s"}, ""),
		"time in millis":    steps(wasender.Shape{Timestamp: "ms"}, ""),
		"hidden number":     steps(wasender.Shape{RemoteJID: "lid"}, ""),
		"session by id":     steps(wasender.Shape{SessionID: "id"}, ""),
		"no session":        steps(wasender.Shape{SessionID: "none"}, ""),
		"reverse":           steps(wasender.Shape{}, wasender.OrderReverse),
		"shuffled":          steps(wasender.Shape{}, wasender.OrderShuffle),
		"twice and mixed":   twice,
		"before the answer": early,
		"late":              late,
		"played":            played,
		"upsert":            upsert,
		"read alone":        only,
	}
	for seed := range uint64(8) {
		sc := steps(wasender.Shape{Mixed: true}, wasender.OrderShuffle)
		sc.Seed = seed
		scripts[fmt.Sprintf("mixed %d", seed)] = sc
	}
	ids := map[string]string{}
	for name, sc := range scripts {
		to := phone()
		if err := w.emu.SetScriptFor(to, sc); err != nil {
			t.Fatal(err)
		}
		_, ids[name] = w.send(t, text(to, name))
	}
	for name, id := range ids {
		d := w.reaches(t, id, "read", "failed")
		if d.Status != "read" || d.ReadAt == nil || d.ReadAt.Before(d.CreatedAt.Add(-2*time.Second)) || d.ReadAt.After(time.Now().Add(time.Second)) {
			t.Errorf("%s: %s, read at %v, created %v", name, d.Status, d.ReadAt, d.CreatedAt)
		}
	}
	w.idle(t)
	for name, id := range ids {
		eventually(t, name+" is all there", func() error {
			d := w.delivery(t, id)
			wanted := []string{"attempt:sent", "receipt:sent", "receipt:delivered", "receipt:read"}
			if name == "read alone" {
				wanted = []string{"attempt:sent", "receipt:read"}
			}
			got := kinds(d.Timeline)
			for _, kind := range wanted {
				if strings.Count(got, kind) != 1 {
					return fmt.Errorf("%s is not there once: %s", kind, got)
				}
			}
			return want("state", d.Status, "read")
		})
	}
	if n := w.metric(t, "peal_callbacks_unreadable_total"); n != 0 {
		t.Errorf("%v webhooks could not be understood", n)
	}
}

// TestGroupReceipt: the receipt of a group's member says delivered.
func TestGroupReceipt(t *testing.T) {
	t.Parallel()
	w := setupWith(t, wasender.Options{Script: &wasender.Script{Steps: []wasender.Step{{Event: "message-receipt.update", Status: wasender.StatusDelivered}}}}, nil)
	_, id := w.sendText(t, "hi all")
	if d := w.reaches(t, id, "delivered"); d.DeliveredAt == nil || d.ReadAt != nil {
		t.Errorf("delivered at %v, read at %v", d.DeliveredAt, d.ReadAt)
	}
}

// TestNeverBackwards: whoever watches a delivery while its receipts come in disorder never sees it move back.
func TestNeverBackwards(t *testing.T) {
	t.Parallel()
	w := silent(t)
	rank := map[string]int{"queued": 0, "sending": 1, "sent": 2, "delivered": 3, "read": 4}
	for seed := range uint64(6) {
		to := phone()
		sc := wasender.StatusScript(20*time.Millisecond, 1, 2, 3, 2, 4, 3, 1, 5, 4, 0, 2)
		sc.Order, sc.Seed, sc.DuplicateChance = wasender.OrderShuffle, seed, 0.5
		sc.Steps = sc.Steps[:9] // without the failure, which is another story
		if err := w.emu.SetScriptFor(to, sc); err != nil {
			t.Fatal(err)
		}
		_, id := w.send(t, text(to, "forward"))
		reached := 0
		eventually(t, "it is read", func() error {
			d := w.delivery(t, id)
			if r, ok := rank[d.Status]; !ok || r < reached {
				t.Fatalf("it was at %d, then %s", reached, d.Status)
			}
			reached = rank[d.Status]
			return want("state", d.Status, "read")
		})
		w.idle(t)
		throughout(t, "after read", 50*time.Millisecond, func() error { return want("state", w.delivery(t, id).Status, "read") })
	}
}

// TestFailureReceipts: the provider's word that a message failed is believed until a better one comes; then the better
// one stands, and the row says that something was odd.
func TestFailureReceipts(t *testing.T) {
	t.Parallel()
	w := silent(t)
	play := func(id string, status int) {
		t.Helper()
		d := w.delivery(t, id)
		m := w.emu.Messages(queryTo(d.Recipient))
		if err := w.emu.PlayStatus(m[0].MsgID, status, wasender.Shape{}); err != nil {
			t.Fatal(err)
		}
		w.idle(t)
	}
	_, id := w.sendText(t, "failed, then delivered")
	w.reaches(t, id, "sent")
	play(id, wasender.StatusError)
	if d := w.reaches(t, id, "failed"); d.ErrorCode != "provider_error" || d.ErrorReason == "" || d.EndedAt == nil || d.DeadLetter {
		t.Errorf("%+v", d)
	}
	play(id, wasender.StatusDelivered)
	if d := w.reaches(t, id, "delivered"); d.Flag != "receipt_after_failure" || d.DeliveredAt == nil || d.EndedAt != nil {
		t.Errorf("flag %q, delivered %v, ended %v", d.Flag, d.DeliveredAt, d.EndedAt)
	}

	_, id = w.sendText(t, "delivered, then failed")
	w.reaches(t, id, "sent")
	play(id, wasender.StatusDelivered)
	w.reaches(t, id, "delivered")
	play(id, wasender.StatusError)
	eventually(t, "the failure is in the timeline", func() error {
		d := w.delivery(t, id)
		if !strings.Contains(kinds(d.Timeline), "receipt:failed") {
			return fmt.Errorf("timeline %s", kinds(d.Timeline))
		}
		return want("state", d.Status, "delivered")
	})
}

// TestReceiptsBeforeTheirKey: webhooks that name a message before Peal has learned that name wait, and then count.
func TestReceiptsBeforeTheirKey(t *testing.T) {
	t.Parallel()
	w := setup(t)
	hold := w.fault(t, wasender.Fault{Kind: wasender.FaultHold, Method: "GET", Path: "/messages/*", Every: true})
	_, id := w.sendText(t, "who is that")
	w.idle(t)
	eventually(t, "receipts are parked", func() error { return atLeast("parked", w.metric(t, "peal_receipts_parked_total"), 3) })
	if d := w.delivery(t, id); d.Status != "sent" || d.MessageKey != "" {
		t.Errorf("%s, key %q", d.Status, d.MessageKey)
	}
	if err := w.emu.RemoveFault(hold); err != nil {
		t.Fatal(err)
	}
	w.reaches(t, id, "read")
}

// TestStrangersReceipts: receipts of messages that Peal never sent are parked and change nothing.
func TestStrangersReceipts(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for i := range 5 {
		if err := w.emu.PostWebhook(session, []byte(update(fmt.Sprintf("3EB0STRANGER%d", i), wasender.StatusRead))); err != nil {
			t.Fatal(err)
		}
	}
	w.idle(t)
	eventually(t, "they are parked", func() error { return atLeast("parked", w.metric(t, "peal_receipts_parked_total"), 5) })
	_, id := w.sendText(t, "mine")
	w.reaches(t, id, "read")
	page, err := w.peal.DeliveryPage(t.Context(), client.DeliveryQuery{})
	if err != nil || len(page.Deliveries) != 1 {
		t.Errorf("%+v, %v", page, err)
	}
}

// TestUnknownToProvider: while receipts wait and the provider does not know the message that it was asked for, it is not
// asked again and again.
func TestUnknownToProvider(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.fault(t, wasender.Fault{Kind: wasender.FaultStatus, Status: 404, Method: "GET", Path: "/messages/*", Every: true})
	_, id := w.sendText(t, "who is that")
	w.reaches(t, id, "sent")
	w.idle(t)
	eventually(t, "receipts are parked", func() error { return atLeast("parked", w.metric(t, "peal_receipts_parked_total"), 3) })
	throughout(t, "while they wait", time.Second, func() error {
		if hits := w.emu.Faults()[0].Hits; hits > 10 {
			return fmt.Errorf("the provider was asked %d times for one message", hits)
		}
		return nil
	})
}

// TestJunkWebhooks: what carries the secret and cannot be understood is kept for a person, and holds up nobody.
func TestJunkWebhooks(t *testing.T) {
	t.Parallel()
	w := setup(t)
	junk := []string{"", "not json", `"text"`, "17", "null", "{", `{"event":`, "\x00\xff", strings.Repeat("[", 20_000)}
	fine := []string{
		"{}", "[]", "[17]", `{"event":7,"data":[null]}`, `{"event":"messages.update"}`, `{"event":"messages.update","data":{"key":{"id":{}},"update":{"status":[]}}}`,
		`{"event":"session.status","data":{"status":17}}`, `{"event":"call","data":{"x":"` + strings.Repeat("y", 1<<20) + `"}}`,
	}
	for _, body := range append(junk, fine...) {
		a := w.do(t, "POST", w.hook(), "", body, "X-Webhook-Signature", wasender.DefaultWebhookSecret)
		if a.status != http.StatusOK {
			t.Errorf("%.30q: %d %s", body, a.status, a.body)
		}
	}
	eventually(t, "junk is kept", func() error {
		return want("unreadable", w.metric(t, "peal_callbacks_unreadable_total"), float64(len(junk)))
	})
	if a := w.do(t, "POST", w.hook(), "", strings.Repeat(" ", 3<<20)+"{}", "X-Webhook-Signature", wasender.DefaultWebhookSecret); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("over 3 MiB: %d %s", a.status, a.body)
	}
	_, id := w.sendText(t, "after all that")
	w.reaches(t, id, "read")
	w.paused(t, "")
	if n := w.metric(t, "peal_callbacks_unreadable_total"); n != float64(len(junk)) {
		t.Errorf("%v unreadable, want %d", n, len(junk))
	}
}

package whatsappcloud_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"peal/emulator/whatsappcloud"
)

func TestStatuses(t *testing.T) {
	now := newClock()
	b := setup(t, whatsappcloud.Options{Clock: now.Now, Conversations: true, Accounts: []whatsappcloud.Account{{Templates: []whatsappcloud.Template{orderPaid()}}}})
	b.ok(b.emu.SetScript(whatsappcloud.StatusScript(0, "sent", "delivered", "read")))
	b.open()
	id := b.send(`"biz_opaque_callback_data":"grüße/🙂",`+hello, 200).id()
	b.idle()
	if got := b.recv.statuses(); got != "sent delivered read" {
		t.Fatal(got)
	}
	for _, h := range b.recv.hooks() {
		if h.signature != whatsappcloud.Sign(whatsappcloud.DefaultAppSecret, []byte(h.body)) {
			t.Errorf("signature %q", h.signature)
		}
		if !strings.Contains(h.body, `gr\u00fc\u00dfe\/\ud83d\ude42`) {
			t.Errorf("not escaped as Meta does: %s", h.body)
		}
	}
	e := b.recv.hooks()[0].event
	v := at(e, "entry", 0, "changes", 0, "value")
	st := at(v, "statuses", 0)
	if e["object"] != "whatsapp_business_account" || at(e, "entry", 0, "id") != account || at(e, "entry", 0, "changes", 0, "field") != "messages" ||
		at(v, "messaging_product") != "whatsapp" || at(v, "metadata", "phone_number_id") != number || at(v, "contacts", 0, "wa_id") != phone ||
		at(st, "id") != id || at(st, "recipient_id") != phone || at(st, "timestamp") != "1795262400" || at(st, "biz_opaque_callback_data") != "grüße/🙂" ||
		at(st, "pricing", "billable") != false || at(st, "pricing", "category") != "service" || at(st, "pricing", "type") != "free_customer_service" ||
		at(st, "conversation", "expiration_timestamp") == nil || at(st, "recipient_user_id") == nil {
		t.Errorf("%s", b.recv.hooks()[0].body)
	}
	// pricing comes with sent and one of delivered and read.
	items := b.recv.items("statuses")
	if items[1]["pricing"] == nil || items[2]["pricing"] != nil || items[2]["conversation"] != nil {
		t.Errorf("%v", items)
	}
	if m, _ := b.emu.Message(id); m.Status != "read" || len(m.History) != 3 || m.History[0].Webhook != "DELIVERED" {
		t.Errorf("%+v", m)
	}
	// Delivered may be left out, and read may be all that comes.
	b.ok(b.emu.SetScriptFor(phone, whatsappcloud.StatusScript(0, "sent", "read", "played")))
	b.send(hello, 200)
	b.idle()
	if got := b.recv.items("statuses"); got[4]["pricing"] == nil || got[5]["status"] != "played" {
		t.Errorf("%v", got[3:])
	}
}

func TestLateDoubledShuffledDropped(t *testing.T) {
	b := setup(t, whatsappcloud.Options{WindowsOpen: true})
	play := func(sc whatsappcloud.Script) string {
		t.Helper()
		before := len(b.recv.items("statuses"))
		b.ok(b.emu.SetScript(sc))
		b.send(hello, 200)
		b.idle()
		var list []string
		for _, i := range b.recv.items("statuses")[before:] {
			list = append(list, i["status"].(string))
		}
		return strings.Join(list, " ")
	}
	all := whatsappcloud.StatusScript(0, "sent", "delivered", "read")
	with := func(change func(*whatsappcloud.Script)) whatsappcloud.Script {
		sc := whatsappcloud.StatusScript(0, "sent", "delivered", "read")
		change(&sc)
		return sc
	}
	if got := play(with(func(sc *whatsappcloud.Script) { sc.Order = whatsappcloud.OrderReverse })); got != "read delivered sent" {
		t.Error(got)
	}
	if got := play(with(func(sc *whatsappcloud.Script) { sc.DuplicateChance = 1 })); got != "sent sent delivered delivered read read" {
		t.Error(got)
	}
	if got := play(with(func(sc *whatsappcloud.Script) { sc.DropChance = 1 })); got != "" {
		t.Error(got)
	}
	if got := play(with(func(sc *whatsappcloud.Script) { sc.Steps[1].Drop = true; sc.Steps[2].Times = 3 })); got != "sent read read read" {
		t.Error(got)
	}
	if got := play(with(func(sc *whatsappcloud.Script) {
		sc.Steps = append(sc.Steps, whatsappcloud.Step{Status: "failed", Code: 131026})
	})); got != "sent delivered read failed" {
		t.Error(got)
	}
	orders := map[string]bool{}
	for seed := range uint64(30) {
		all.Order, all.Seed = whatsappcloud.OrderShuffle, seed
		orders[play(all)] = true
	}
	if len(orders) != 6 {
		t.Errorf("shuffled into %v", orders)
	}
	// Late: the delays of the script.
	began := time.Now()
	play(whatsappcloud.StatusScript(30*time.Millisecond, "sent"))
	if d := time.Since(began); d < 30*time.Millisecond {
		t.Errorf("after %s", d)
	}
	// A status may come before the answer of the send.
	b.ok(b.emu.SetScript(whatsappcloud.Script{Steps: []whatsappcloud.Step{{Status: "sent", BeforeAnswer: true}}}))
	before := len(b.recv.hooks())
	b.send(hello, 200)
	if len(b.recv.hooks()) != before+1 {
		t.Error("the status did not come before the answer")
	}
	b.ok(b.emu.PlayStatus(b.send(hello, 200).id(), "failed", 131049))
	b.idle()
	if c := b.emu.Counts().Webhooks; c.Dropped != 4 || c.Failed != 0 {
		t.Errorf("%+v", c)
	}
}

func TestInboundKinds(t *testing.T) {
	b := setup(t, whatsappcloud.Options{})
	for _, kind := range whatsappcloud.InboundKinds() {
		if kind == "system" {
			continue
		}
		in := whatsappcloud.Inbound{From: phone, Type: kind, Text: "STOP", ReplyTo: "wamid.HBgLMTY0"}
		id, err := b.emu.PlayInbound(in)
		b.ok(err)
		b.idle()
		hooks := b.recv.hooks()
		v := at(hooks[len(hooks)-1].event, "entry", 0, "changes", 0, "value")
		m := at(v, "messages", 0)
		if at(m, "id") != id || at(m, "type") != kind || at(m, "from") != phone || at(m, "from_user_id") != b.emu.UserID("", phone) ||
			at(v, "contacts", 0, "wa_id") != phone || at(v, "contacts", 0, "profile", "name") == nil {
			t.Errorf("%s: %v", kind, v)
		}
		if kind != "reaction" && at(m, "context", "id") != "wamid.HBgLMTY0" {
			t.Errorf("%s: no context", kind)
		}
		if kind != "unsupported" && at(m, kind) == nil || kind == "unsupported" && at(m, "errors", 0, "code") != float64(131051) {
			t.Errorf("%s: %v", kind, m)
		}
		if media, ok := at(m, kind, "id").(string); ok {
			b.do("GET", "/v23.0/"+media, "", 200) // can be fetched
		}
	}
	b.send(hello, 200) // the window is open
	for _, kind := range []string{"user_changed_number", "user_changed_user_id"} {
		b.ok(b.emu.PlaySystem("", phone, kind, "4915100000009"))
		b.idle()
		items := b.recv.items("messages")
		last := items[len(items)-1]
		if at(last, "system", "type") != kind || at(last, "system", "user_id") != b.emu.UserID("", "4915100000009") {
			t.Errorf("%v", last)
		}
	}
	// The same message twice, by someone with a username only.
	b.ok(b.emu.UpdateUser("", phone, func(u *whatsappcloud.User) { u.HidePhone, u.Username = true, "ann" }))
	_, err := b.emu.PlayInbound(whatsappcloud.Inbound{From: phone, Text: "x", Times: 2})
	b.ok(err)
	b.idle()
	items := b.recv.items("messages")
	a, z := items[len(items)-2], items[len(items)-1]
	if a["id"] != z["id"] || z["from"] != nil || z["from_user_id"] == nil {
		t.Errorf("%v, %v", a, z)
	}
	for _, in := range []whatsappcloud.Inbound{
		{From: "nobody"}, {From: phone, Type: "poll"}, {From: phone, Type: "reaction"}, {From: phone, Type: "system"}, {From: phone, Number: "404"},
		{From: phone, Content: []byte("{")}, {From: phone, Times: -1},
	} {
		if _, err := b.emu.PlayInbound(in); err == nil {
			t.Errorf("%+v was taken", in)
		}
	}
}

func TestRetries(t *testing.T) {
	b := setup(t, whatsappcloud.Options{WindowsOpen: true, Webhooks: whatsappcloud.WebhookOptions{Backoff: time.Second, Speed: 1000}})
	b.recv.answer = func(n int) int { return map[bool]int{true: 503, false: 200}[n <= 5] }
	b.ok(b.emu.SetScript(whatsappcloud.StatusScript(0, "sent")))
	b.send(hello, 200)
	b.idle()
	if c := b.emu.Counts().Webhooks; c.Failed != 5 || c.Posted != 1 || c.GaveUp != 0 {
		t.Errorf("%+v", c)
	}
	hooks := b.recv.hooks()
	for _, h := range hooks {
		if h.body != hooks[0].body {
			t.Errorf("a retry differs: %s", h.body)
		}
	}
	// Seven days at this speed are some ms; then Meta gives up.
	gone := setup(t, whatsappcloud.Options{WindowsOpen: true, Webhooks: whatsappcloud.WebhookOptions{Speed: 7 * 24 * 3600 * 100}})
	gone.recv.answer = func(int) int { return 404 }
	gone.ok(gone.emu.SetScript(whatsappcloud.StatusScript(0, "sent")))
	gone.send(hello, 200)
	gone.idle()
	if c := gone.emu.Counts().Webhooks; c.GaveUp != 1 || c.Failed < 2 {
		t.Errorf("%+v", c)
	}
}

func TestBatches(t *testing.T) {
	for _, shape := range []whatsappcloud.BatchShape{whatsappcloud.BatchStatuses, whatsappcloud.BatchChanges, whatsappcloud.BatchEntries, whatsappcloud.BatchMixed} {
		b := setup(t, whatsappcloud.Options{WindowsOpen: true, Limits: whatsappcloud.Limits{PairBurst: -1}, Webhooks: whatsappcloud.WebhookOptions{
			Workers: 1, Batch: whatsappcloud.Batch{Size: 12, Wait: 50 * time.Millisecond, Shape: shape},
		}})
		b.ok(b.emu.SetScript(whatsappcloud.StatusScript(0, "sent", "delivered", "read")))
		for range 20 {
			b.send(hello, 200)
		}
		_, err := b.emu.PlayInbound(whatsappcloud.Inbound{From: phone, Text: "x"})
		b.ok(err)
		b.idle()
		if n := len(b.recv.items("statuses")); n != 60 || len(b.recv.items("messages")) != 1 {
			t.Errorf("%q: %d statuses", shape, n)
		}
		c := b.emu.Counts().Webhooks
		if c.Changes != 61 || c.Posted > 20 {
			t.Errorf("%q: %+v", shape, c)
		}
		first := b.recv.hooks()[0].event
		entries, _ := first["entry"].([]any)
		changes, _ := at(first, "entry", 0, "changes").([]any)
		statuses, _ := at(first, "entry", 0, "changes", 0, "value", "statuses").([]any)
		many := map[whatsappcloud.BatchShape]int{"": len(statuses), "changes": len(changes), "entries": len(entries), "mixed": len(entries) * len(changes)}[shape]
		if many < 3 {
			t.Errorf("%q: %s", shape, b.recv.hooks()[0].body)
		}
	}
}

func TestBatchBytes(t *testing.T) {
	b := setup(t, whatsappcloud.Options{WindowsOpen: true, Webhooks: whatsappcloud.WebhookOptions{
		Batch: whatsappcloud.Batch{Size: 100_000, Wait: time.Second},
	}})
	text := strings.Repeat("ä", 60_000) // 6 bytes each, escaped
	for range 20 {
		_, err := b.emu.PlayInbound(whatsappcloud.Inbound{From: phone, Text: text})
		b.ok(err)
	}
	b.idle()
	if c := b.emu.Counts().Webhooks; c.LargestBody > 3<<20 || c.LargestBody < 2<<20 || c.Changes != 20 || c.Posted != 3 {
		t.Errorf("%+v", c)
	}
}

func TestHandshake(t *testing.T) {
	b := setup(t, whatsappcloud.Options{Accounts: []whatsappcloud.Account{{}, {ID: "2", Token: "t2", VerifyToken: "other", Numbers: []whatsappcloud.Number{{ID: "22", Phone: "15550000022"}}}}})
	b.ok(b.emu.Verify(t.Context(), ""))
	if b.emu.Verify(t.Context(), "2") == nil {
		t.Error("verified without a URL")
	}
	apps := "/v23.0/2/subscribed_apps"
	body := `{"override_callback_uri":"` + b.recv.URL + `","verify_token":"`
	b.do("POST", apps, body+`other"}`, 400, "Authorization", "Bearer t2")
	b.do("POST", apps, `{"override_callback_uri":"`+b.recv.URL+`"}`, 400, "Authorization", "Bearer t2")
	b.do("POST", apps, body+whatsappcloud.DefaultVerifyToken+`"}`, 200, "Authorization", "Bearer t2")
	if a := b.do("GET", apps, "", 200, "Authorization", "Bearer t2"); at(a.json, "data", 0, "override_callback_uri") != b.recv.URL {
		t.Error(a.body)
	}
	_, err := b.emu.PlayInbound(whatsappcloud.Inbound{Number: "22", From: phone, Text: "x"})
	b.ok(err)
	b.idle()
	if h := b.recv.hooks(); len(h) != 1 || at(h[0].event, "entry", 0, "id") != "2" {
		t.Errorf("%v", h)
	}
	b.do("DELETE", apps, "", 200, "Authorization", "Bearer t2")
	b.do("POST", apps, "", 200, "Authorization", "Bearer t2")
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }))
	defer echo.Close()
	b.ok(b.emu.UpdateAccount("", func(a *whatsappcloud.Account) { a.WebhookURL = echo.URL }))
	if b.emu.Verify(t.Context(), "") == nil {
		t.Error("another challenge was good")
	}
}

func TestFieldsAndRaw(t *testing.T) {
	b := setup(t, whatsappcloud.Options{Accounts: []whatsappcloud.Account{{Fields: []string{"messages"}}}})
	b.ok(b.emu.PlayChange("", "account_alerts", map[string]any{"x": 1}))
	_, err := b.emu.PlayInbound(whatsappcloud.Inbound{From: phone, Text: "x"})
	b.ok(err)
	b.ok(b.emu.PostWebhook("", []byte(`{"broken`)))
	b.idle()
	h := b.recv.hooks()
	if c := b.emu.Counts().Webhooks; len(h) != 2 || c.Filtered != 1 {
		t.Errorf("%d, %+v", len(h), c)
	}
	for _, h := range h {
		if h.signature != whatsappcloud.Sign(whatsappcloud.DefaultAppSecret, []byte(h.body)) {
			t.Error(h)
		}
	}
}

// TestClient posts through the caller's client.
func TestClient(t *testing.T) {
	var n atomic.Int64
	client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		n.Add(1)
		return http.DefaultTransport.RoundTrip(r)
	})}
	b := setup(t, whatsappcloud.Options{Webhooks: whatsappcloud.WebhookOptions{Client: client}})
	_, err := b.emu.PlayInbound(whatsappcloud.Inbound{From: phone, Text: "x"})
	b.ok(err)
	b.idle()
	if n.Load() != 1 {
		t.Errorf("%d posts", n.Load())
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestHeldWebhooks(t *testing.T) {
	now := newClock()
	b := setup(t, whatsappcloud.Options{Clock: now.Now, WindowsOpen: true})
	b.ok(b.emu.SetScript(whatsappcloud.StatusScript(0, "sent", "delivered")))
	b.control("POST", "hold", `{"hold":true}`, 200)
	for range 10 {
		b.send(hello, 200)
	}
	b.idle()
	if n := len(b.recv.hooks()); n != 0 {
		t.Errorf("%d came while held", n)
	}
	now.Advance(time.Hour)
	b.emu.HoldWebhooks(false)
	b.idle()
	items := b.recv.items("statuses")
	if len(items) != 20 || items[0]["timestamp"] != "1795262400" {
		t.Errorf("%d came: %v", len(items), items[0])
	}
}

func TestBareAndTwice(t *testing.T) {
	b := setup(t, whatsappcloud.Options{WindowsOpen: true})
	sc := whatsappcloud.StatusScript(0, "sent", "delivered")
	sc.Bare = true
	b.ok(b.emu.SetScript(sc))
	b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultTwice})
	b.send(`"biz_opaque_callback_data":"m1",`+hello, 200)
	b.idle()
	ids := map[any]bool{}
	for _, st := range b.recv.items("statuses") {
		ids[st["id"]] = true
		if len(st) != 5 || st["biz_opaque_callback_data"] != "m1" {
			t.Errorf("%v", st)
		}
	}
	if len(ids) != 2 || b.emu.CallbackCounts()["m1"] != 2 {
		t.Errorf("%v", ids)
	}
	for _, h := range b.recv.hooks() {
		if at(h.event, "entry", 0, "changes", 0, "value", "contacts") != nil {
			t.Error(h.body)
		}
	}
}

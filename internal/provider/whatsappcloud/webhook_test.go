package whatsappcloud_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	emulator "peal/emulator/whatsappcloud"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/whatsappcloud"
)

// change is a webhook with one change.
func change(field, value string) string {
	return `{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"` + field + `","value":` + value + `}]}]}`
}

func statuses(list string) string { return change("messages", `{"statuses":[`+list+`]}`) }

func seen(all ...peal.Evidence) []provider.Fact {
	facts := make([]provider.Fact, len(all))
	for i := range all {
		facts[i].Evidence = &all[i]
	}
	return facts
}

var at = time.Unix(1750857384, 0).UTC()

// webhook is a body, and what it says.
type webhook struct {
	body string
	want []provider.Fact
}

// webhooks as Meta's documents print them, and variations.
func webhooks() map[string]webhook {
	failed := func(code string) string {
		return `{"id":"w","status":"failed","biz_opaque_callback_data":"` + deliveryID + `","errors":[{"code":` + code + `,"title":"T","error_data":{"details":"D"}}]}`
	}
	ev := peal.Evidence{DeliveryID: deliveryID, MessageID: "w", Status: peal.Delivered}
	no := func(code string) peal.Evidence {
		return peal.Evidence{MessageID: "w", Status: peal.Failed, Code: code, Reason: "D"}
	}
	ours := func(code string) peal.Evidence { e := no(code); e.DeliveryID = deliveryID; return e }
	shut := func(e peal.Evidence) peal.Evidence { e.WindowClosed = true; return e }
	session := func(h provider.Health) provider.Fact { return provider.Fact{Session: &h} }
	return map[string]webhook{
		"as documented": {statuses(`{"id":"w","status":"delivered","timestamp":"1750857384","recipient_id":"16505551234","biz_opaque_callback_data":"` + deliveryID + `"}`),
			seen(peal.Evidence{DeliveryID: deliveryID, MessageID: "w", Status: peal.Delivered, At: at})},
		"time as number": {statuses(`{"id":"w","status":"read","timestamp":1750857384}`), seen(peal.Evidence{MessageID: "w", Status: peal.Read, At: at})},
		"odd times": {statuses(`{"id":"w","status":"read","timestamp":"soon"},{"id":"w","status":"read","timestamp":-1},{"id":"w","status":"read","timestamp":99999999999999}`),
			seen(peal.Evidence{MessageID: "w", Status: peal.Read}, peal.Evidence{MessageID: "w", Status: peal.Read}, peal.Evidence{MessageID: "w", Status: peal.Read})},
		"played":           {statuses(`{"id":"w","status":"PLAYED"}`), seen(peal.Evidence{MessageID: "w", Status: peal.Read})},
		"sent":             {statuses(`{"id":"w","status":"sent"}`), seen(peal.Evidence{MessageID: "w", Status: peal.Sent})},
		"somebody else's":  {statuses(`{"id":"w","status":"sent","biz_opaque_callback_data":"order 7"}`), seen(peal.Evidence{MessageID: "w", Status: peal.Sent})},
		"without id":       {statuses(`{"status":"delivered","biz_opaque_callback_data":"` + deliveryID + `"}`), seen(peal.Evidence{DeliveryID: deliveryID, Status: peal.Delivered})},
		"about nothing":    {statuses(`{"status":"delivered"},{"id":"","status":"sent"},{"id":"two words","status":"sent"}`), nil},
		"unknown status":   {statuses(`{"id":"w","status":"warned"}`), nil},
		"one odd of three": {statuses(`7,{"id":["w"],"status":"sent"},{"id":"w","status":"delivered","biz_opaque_callback_data":"` + deliveryID + `","pricing":"x"}`), seen(ev)},
		"many of each": {`{"entry":[{"changes":[{"field":"messages","value":{"statuses":[{"id":"a","status":"sent"},{"id":"b","status":"sent"}]}},{"field":"messages","value":{"statuses":[{"id":"c","status":"sent"}]}}]},{"changes":[{"field":"messages","value":{"statuses":[{"id":"d","status":"sent"}]}}]}]}`,
			seen(peal.Evidence{MessageID: "a", Status: peal.Sent}, peal.Evidence{MessageID: "b", Status: peal.Sent}, peal.Evidence{MessageID: "c", Status: peal.Sent}, peal.Evidence{MessageID: "d", Status: peal.Sent})},

		"failed for good":           {statuses(failed("131026")), seen(ours("131026"))},
		"failed, code as text":      {statuses(failed(`"131047"`)), seen(shut(ours("131047")))},
		"failed with what we retry": {statuses(failed("131016")), seen(no("131016"))},
		"failed for the pair limit": {statuses(failed("131056")), seen(no("131056"))},
		"failed for the account":    {statuses(failed("131042") + "," + failed("131042")), []provider.Fact{session(provider.Health{State: "failing with code 131042", Reason: "D"}), seen(no("131042"))[0], seen(no("131042"))[0]}},
		"failed without a word":     {statuses(`{"id":"w","status":"failed"}`), seen(peal.Evidence{MessageID: "w", Status: peal.Failed, Code: "provider_error", Reason: "the provider reports that the message failed"})},
		"failed with a number":      {statuses(`{"id":"w","status":"failed","errors":[{"code":131026,"message":"not to +49 151 12345678"}]}`), seen(peal.Evidence{MessageID: "w", Status: peal.Failed, Code: "131026", Reason: "not to +[number]"})},

		"disabled":   {change("account_update", `{"event":"DISABLED_UPDATE","ban_info":{"waba_ban_state":"DISABLE"}}`), []provider.Fact{session(provider.Health{State: "disabled", Reason: "Meta has disabled the account"})}},
		"reinstated": {change("account_update", `{"event":"DISABLED_UPDATE","ban_info":{"waba_ban_state":["REINSTATE"]}}`), []provider.Fact{session(provider.Health{OK: true, State: "reinstated"})}},
		"scheduled":  {change("account_update", `{"event":"DISABLED_UPDATE","ban_info":{"waba_ban_state":["SCHEDULE_FOR_DISABLE"]}}`), []provider.Fact{{Number: &peal.NumberState{Alert: "DISABLED_UPDATE"}}}},

		"template":      {change("message_template_status_update", `{"event":"APPROVED","statuses":[{"id":"w","status":"sent"}]}`), []provider.Fact{{Template: &peal.TemplateState{}}}},
		"unknown field": {change("flows", `[]`), nil},
		"odd shapes":    {`{"entry":[7,{"changes":{}},{"changes":[null,{"field":1,"value":"x"},{"field":"messages","value":[]},{"field":"messages","value":{"statuses":{}}}]}]}`, nil},
		"empty":         {`{}`, nil},
	}
}

func TestParseWebhook(t *testing.T) {
	t.Parallel()
	all := webhooks()
	maps.Copy(all, inbounds())
	for name, c := range all {
		got, err := whatsappcloud.Kind{}.ParseWebhook(nil, []byte(c.body))
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v, -want +got:\n%s", name, err, diff)
		}
	}
	for _, body := range []string{"", " ", "null", "[]", "7", `"x"`, "{", `{"entry":[`, "<html>", "{}{}", "\xff"} {
		if facts, err := (whatsappcloud.Kind{}).ParseWebhook(nil, []byte(body)); err == nil || facts != nil {
			t.Errorf("%q: got %v, %v", body, facts, err)
		}
	}
}

// TestParseThreeMegabytes: a body as large as Meta sends at most is read whole, and one with more facts than fit is not.
func TestParseThreeMegabytes(t *testing.T) {
	t.Parallel()
	one := `{"id":"wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI","status":"delivered","timestamp":"1750857384","recipient_id":"16505551234","biz_opaque_callback_data":"` + deliveryID + `"}`
	n := 3 << 20 / (len(one) + 1)
	body := statuses(strings.Repeat(one+",", n-1) + one)
	facts, err := whatsappcloud.Kind{}.ParseWebhook(nil, []byte(body))
	if err != nil || len(facts) != n {
		t.Errorf("%d of %d facts, %v", len(facts), n, err)
	}
	small := `{"id":"w","status":"sent"}`
	if facts, err := (whatsappcloud.Kind{}).ParseWebhook(nil, []byte(statuses(strings.Repeat(small+",", 20_000)+small))); err == nil || facts != nil {
		t.Errorf("%d facts, %v", len(facts), err)
	}
}

// TestCheckWebhook: the bytes count, not what they mean, and the header is compared whole.
func TestCheckWebhook(t *testing.T) {
	t.Parallel()
	body := []byte(`{"a":"\u00fc\/"}`)
	in := integration("")
	right := emulator.Sign(emulator.DefaultAppSecret, body)
	for name, c := range map[string]struct {
		header string
		body   string
		want   bool
	}{
		"right":          {right, string(body), true},
		"re-encoded":     {right, `{"a":"ü/"}`, false},
		"one byte more":  {right, string(body) + "\n", false},
		"without prefix": {strings.TrimPrefix(right, "sha256="), string(body), false},
		"sha1":           {strings.Replace(right, "sha256", "sha1", 1), string(body), false},
		"cut":            {right[:len(right)-2], string(body), false},
		"no hex":         {"sha256=xyz", string(body), false},
		"empty":          {"", string(body), false},
		"empty sum":      {"sha256=", string(body), false},
	} {
		header := http.Header{"X-Hub-Signature-256": {c.header}}
		if got := (whatsappcloud.Kind{}).CheckWebhook(in, header, []byte(c.body)); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	in := integration("")
	query := func(mode, token, challenge string) url.Values {
		return url.Values{"hub.mode": {mode}, "hub.verify_token": {token}, "hub.challenge": {challenge}}
	}
	const right = emulator.DefaultVerifyToken
	for name, c := range map[string]struct {
		query  url.Values
		answer string
		ok     bool
	}{
		"right":          {query("subscribe", right, "1158201444"), "1158201444", true},
		"wrong token":    {query("subscribe", right+"x", "1"), "", false},
		"no token":       {query("subscribe", "", "1"), "", false},
		"another mode":   {query("unsubscribe", right, "1"), "", false},
		"nothing":        {url.Values{}, "", false},
		"long challenge": {query("subscribe", right, strings.Repeat("1", 1000)), "", false},
	} {
		answer, ok := whatsappcloud.Kind{}.Handshake(in, c.query)
		if answer != c.answer || ok != c.ok {
			t.Errorf("%s: got %q, %v", name, answer, ok)
		}
	}
	in.Credentials["verify_token"] = ""
	if _, ok := (whatsappcloud.Kind{}).Handshake(in, query("subscribe", "", "1")); ok {
		t.Error("an integration without a token shakes hands")
	}
	made := map[string]string{}
	if err := (whatsappcloud.Kind{}).MakeCredentials(made); err != nil || len(made["verify_token"]) < 32 {
		t.Errorf("made %v, %v", made, err)
	}
	given := map[string]string{"verify_token": "mine-to-choose"}
	if err := (whatsappcloud.Kind{}).MakeCredentials(given); err != nil || given["verify_token"] != "mine-to-choose" {
		t.Errorf("made %v, %v", given, err)
	}
}

// TestEmulatorsWebhooks: every shape of a batch that the emulator posts is proven and understood, and of each message
// everything is told.
func TestEmulatorsWebhooks(t *testing.T) {
	t.Parallel()
	const messages = 20
	for _, shape := range []emulator.BatchShape{emulator.BatchStatuses, emulator.BatchChanges, emulator.BatchEntries, emulator.BatchMixed} {
		var (
			mu    sync.Mutex
			facts []provider.Fact
		)
		recv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil || !(whatsappcloud.Kind{}).CheckWebhook(integration(""), r.Header, body) {
				t.Errorf("%s: not proven, %v", shape, err)
			}
			got, err := whatsappcloud.Kind{}.ParseWebhook(r.Header, body)
			if err != nil {
				t.Errorf("%s: %v", shape, err)
			}
			mu.Lock()
			defer mu.Unlock()
			facts = append(facts, got...)
		}))
		t.Cleanup(recv.Close)
		script := emulator.StatusScript(time.Millisecond, "sent", "delivered", "read")
		script.Order = emulator.OrderShuffle
		emu, c := open(t, emulator.Options{
			Accounts: []emulator.Account{{WebhookURL: recv.URL}}, Script: &script,
			Webhooks: emulator.WebhookOptions{Batch: emulator.Batch{Size: 7, Shape: shape}},
		})
		ids := map[string]string{}
		for i := range messages {
			m := hello(phone)
			m.DeliveryID = fmt.Sprintf("01a1fd60-4167-747f-8263-50f02ed7%04d", i)
			ids[m.DeliveryID] = c.Send(t.Context(), m).MessageID
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := emu.Idle(ctx); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		told := map[string]map[peal.Status]bool{}
		for _, f := range facts {
			if told[f.Evidence.DeliveryID] == nil {
				told[f.Evidence.DeliveryID] = map[peal.Status]bool{}
			}
			told[f.Evidence.DeliveryID][f.Evidence.Status] = ids[f.Evidence.DeliveryID] == f.Evidence.MessageID
		}
		mu.Unlock()
		want := map[peal.Status]bool{peal.Sent: true, peal.Delivered: true, peal.Read: true}
		for id := range ids {
			if diff := cmp.Diff(want, told[id]); diff != "" {
				t.Errorf("%s: %s: %s", shape, id, diff)
			}
		}
	}
}

func FuzzParseWebhook(f *testing.F) {
	for _, c := range inbounds() {
		f.Add([]byte(c.body))
	}
	for _, c := range webhooks() {
		f.Add([]byte(c.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		facts, err := whatsappcloud.Kind{}.ParseWebhook(nil, body)
		if err != nil && facts != nil {
			t.Fatal("facts beside an error")
		}
		for _, fact := range facts {
			checkFact(t, fact)
		}
	})
}

// checkFact holds what track relies on.
func checkFact(t *testing.T, f provider.Fact) {
	if f.Inbound != nil || f.Consent != nil || f.Move != nil {
		checkHeard(t, f)
		return
	}
	if sorts := []bool{f.Evidence != nil, f.Session != nil, f.Template != nil, f.Number != nil}; len(slices.DeleteFunc(sorts, func(b bool) bool { return !b })) != 1 {
		t.Fatal("a fact is of one sort")
	}
	if n := f.Number; n != nil && (n.Limit < peal.NoLimit || n.Throughput < 0 || len(n.Alert) > 1200 || len(n.Tier) > 40) {
		t.Fatalf("%+v", n)
	}
	if f.Evidence == nil {
		return
	}
	e := f.Evidence
	if e.MessageID == "" && e.DeliveryID == "" || e.Status != peal.Failed && e.Status.Rank() < peal.Sent.Rank() {
		t.Fatalf("it is about nothing: %+v", e)
	}
	if e.Status == peal.Failed && (e.Code == "" || e.Reason == "" || len([]rune(e.Reason)) > 300) {
		t.Fatalf("a failure has a code and a reason: %+v", e)
	}
	if len(e.MessageID) > 256 || !e.At.IsZero() && (e.At.Location() != time.UTC || e.At.Year() < 1970 || e.At.Year() > 9999) {
		t.Fatalf("%+v", e)
	}
}

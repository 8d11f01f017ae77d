package wasender

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"peal/internal/peal"
	"peal/internal/provider"
)

// Webhooks as the vendor's sources print them, and the variations that were seen.
var webhooks = []struct {
	name string
	body string
	want []provider.Fact
}{
	{"update as documented", `{"event":"messages.update","sessionId":"your_api_key","data":{"update":{"status":2},"key":{"remoteJid":"1@s.whatsapp.net","id":"34874643876","fromMe":false}},"timestamp":1747775431467}`,
		seen(peal.Evidence{MessageKey: "34874643876", Status: peal.Sent, At: time.UnixMilli(1747775431467).UTC()})},
	{"update as list", `{"event":"messages.update","data":[{"update":{"status":3},"key":{"id":"A"}},{"update":{"status":4},"key":{"id":"B"}}],"timestamp":1747775431}`,
		seen(peal.Evidence{MessageKey: "A", Status: peal.Delivered, At: time.Unix(1747775431, 0).UTC()},
			peal.Evidence{MessageKey: "B", Status: peal.Read, At: time.Unix(1747775431, 0).UTC()})},
	{"update in messages, one", `{"event":"messages.update","data":{"messages":{"key":{"id":"A"},"update":{"status":"delivered"}}}}`,
		seen(peal.Evidence{MessageKey: "A", Status: peal.Delivered})},
	{"update in messages, list", `{"event":"messages.update","data":{"msgId":7,"messages":[{"key":{"id":"A"},"status":"READ"},{"key":{"id":"B"},"msgId":"8","status":"PLAYED"}]},"timestamp":"1747775431467"}`,
		seen(peal.Evidence{MessageID: "7", MessageKey: "A", Status: peal.Read, At: time.UnixMilli(1747775431467).UTC()},
			peal.Evidence{MessageID: "8", MessageKey: "B", Status: peal.Read, At: time.UnixMilli(1747775431467).UTC()})},
	{"update by word", `{"event":"Messages.Update","data":{"update":{"status":"DELIVERY_ACK"},"key":{"id":"A","fromMe":true}},"timestamp":1747775431.5}`,
		seen(peal.Evidence{MessageKey: "A", Status: peal.Delivered, At: time.UnixMilli(1747775431500).UTC()})},
	{"update with status as digits", `{"event":"messages.update","data":{"update":{"status":"5"},"key":{"id":77}}}`,
		seen(peal.Evidence{MessageKey: "77", Status: peal.Read})},
	{"update that failed", `{"event":"messages.update","data":{"update":{"status":0},"key":{"id":"A"}}}`,
		seen(peal.Evidence{MessageKey: "A", Status: peal.Failed, Code: "provider_error", Reason: reasonProviderError})},
	{"update that failed, by word", `{"event":"messages.update","data":{"update":{"status":"ERROR"},"key":{"id":"A"}}}`,
		seen(peal.Evidence{MessageKey: "A", Status: peal.Failed, Code: "provider_error", Reason: reasonProviderError})},
	{"update by msgId only", `{"event":"messages.update","data":{"update":{"status":"SERVER_ACK"},"msgId":100000}}`,
		seen(peal.Evidence{MessageID: "100000", Status: peal.Sent})},
	{"update by msgId only, wrapped", `{"event":"messages.update","data":{"messages":{"update":{"status":"SERVER_ACK"},"msgId":100000}}}`,
		seen(peal.Evidence{MessageID: "100000", Status: peal.Sent})},
	{"pending, which joins", `{"event":"messages.update","data":{"update":{"status":1},"key":{"id":"A"},"msgId":5}}`,
		seen(peal.Evidence{MessageID: "5", MessageKey: "A"})},
	{"pending, which says nothing", `{"event":"messages.update","data":{"update":{"status":"PENDING"},"key":{"id":"A"}}}`, nil},
	{"update of something else", `{"event":"messages.update","data":{"update":{"message":{"editedMessage":{}}},"key":{"id":"A"}}}`, nil},
	{"update of unknown status", `{"event":"messages.update","data":{"update":{"status":17},"key":{"id":"A"}}}`, nil},
	{"update of odd types", `{"event":"messages.update","data":{"update":"x","key":[1],"msgId":{},"messages":5,"message":null},"timestamp":{}}`, nil},
	{"one odd among good", `{"event":"messages.update","data":[5,null,"x",[],{"update":7,"key":{"id":"A"}},{"update":{"status":3},"key":{"id":"B","fromMe":"no"}}]}`,
		seen(peal.Evidence{MessageKey: "B", Status: peal.Delivered})},
	{"several events", `[{"event":"messages.update","data":{"update":{"status":3},"key":{"id":"A"}}},7,{"event":"session.status","data":{"status":"connected"}}]`,
		append(seen(peal.Evidence{MessageKey: "A", Status: peal.Delivered}), provider.Fact{Session: &provider.Health{OK: true, State: "connected"}})},

	{"sent", `{"event":"message.sent","data":{"key":{"id":"A","fromMe":true},"msgId":100000,"message":{"conversation":"x"}},"timestamp":1747775431467}`,
		seen(peal.Evidence{MessageID: "100000", MessageKey: "A", Status: peal.Sent, At: time.UnixMilli(1747775431467).UTC()})},
	{"sent, pending", `{"event":"message.sent","data":{"messages":{"key":{"id":"A","fromMe":true},"msgId":100000,"status":1}}}`,
		seen(peal.Evidence{MessageID: "100000", MessageKey: "A"})},
	{"sent, with its own time", `{"event":"message.sent","data":{"message":{"key":{"id":"A"},"messageTimestamp":"1747775431"}}}`,
		seen(peal.Evidence{MessageKey: "A", Status: peal.Sent, At: time.Unix(1747775431, 0).UTC()})},
	{"upsert of ours", `{"event":"messages.upsert","data":{"messages":[{"key":{"id":"A","fromMe":true,"remoteJid":"5@lid"},"status":"SERVER_ACK"}]}}`,
		seen(peal.Evidence{MessageKey: "A", Status: peal.Sent})},
	{"upsert of theirs", `{"event":"messages.upsert","data":{"messages":{"key":{"id":"A","fromMe":false},"messageBody":"STOP"}}}`,
		wrote(peal.Inbound{MessageID: "A", Type: "unknown", Text: "STOP"})},
	{"upsert of nobody's", `{"event":"messages.upsert","data":{"messages":{"key":{"id":"A"},"messageBody":"STOP"}}}`, nil},

	{"receipt as documented", `{"event":"message-receipt.update","sessionId":"..","data":{"message":{"key":{"remoteJid":"g@g.us","id":"A","fromMe":true,"participant":"1@lid"},"receipt":{"userJid":"1@lid","receiptTimestamp":1234567890}}},"timestamp":1234567890123}`,
		seen(peal.Evidence{MessageKey: "A", Status: peal.Delivered, At: time.Unix(1234567890, 0).UTC()})},
	{"receipt as list", `{"event":"message-receipt.update","data":[{"key":{"id":"A"},"receipt":{"readTimestamp":"1234567890"}}],"timestamp":1234567899}`,
		seen(peal.Evidence{MessageKey: "A", Status: peal.Read, At: time.Unix(1234567890, 0).UTC()})},
	{"receipt without its time", `{"event":"message-receipt.update","data":{"message":{"key":{"id":"A"},"receipt":{}}},"timestamp":1234567899}`,
		seen(peal.Evidence{MessageKey: "A", Status: peal.Delivered, At: time.Unix(1234567899, 0).UTC()})},

	{"session as documented", `{"event":"session.status","timestamp":1633456789,"data":{"status":"connected","session_id":"session-id-123"}}`,
		[]provider.Fact{{Session: &provider.Health{OK: true, State: "connected", At: time.Unix(1633456789, 0).UTC()}}}},
	{"session, upper case", `{"event":"session.status","data":{"status":"NEED_SCAN"}}`,
		[]provider.Fact{{Session: &provider.Health{State: "need_scan", Reason: "the session is need_scan"}}}},
	{"session of an unknown word", `{"event":"session.status","data":[{"status":"resting"}]}`,
		[]provider.Fact{{Session: &provider.Health{State: "resting", Reason: "the session is resting"}}}},
	{"session without a word", `{"event":"session.status","data":{"status":1}}`, nil},

	{"received", `{"event":"messages.received","timestamp":1633456789,"data":{"messages":{"key":{"id":"3EB0X1","fromMe":false,"remoteJid":"5555@lid","addressingMode":"pn","cleanedSenderPn":"1234567890"},"messageBody":"Hello","message":{"conversation":"Hello"}}}}`,
		wrote(peal.Inbound{MessageID: "3EB0X1", From: "+1234567890", Type: "text", Text: "Hello", Content: []byte(`{"conversation":"Hello"}`), At: time.Unix(1633456789, 0).UTC()})},
	{"received, a picture that answers", `{"event":"messages-personal.received","timestamp":1633456789000,"data":{"messages":[{"key":{"id":"B","fromMe":false,"remoteJid":"5555@lid"},"pushName":"Ann","messageTimestamp":1633456780,"message":{"imageMessage":{"caption":"look","mimetype":"image/jpeg","mediaKey":"k","jpegThumbnail":"AAAA","contextInfo":{"stanzaId":"3EB0OURS"}},"messageContextInfo":{"x":1}}}]}}`,
		wrote(peal.Inbound{MessageID: "B", Name: "Ann", Type: "image", Text: "look", Content: []byte(`{"imageMessage":{"caption":"look","mediaKey":"k","mimetype":"image/jpeg"}}`), ReplyTo: "3EB0OURS", MediaID: "B", MediaType: "image/jpeg", At: time.Unix(1633456780, 0).UTC()})},
	{"received, a reaction", `{"event":"messages.received","data":{"messages":{"key":{"id":"R","cleanedSenderPn":"1234567890"},"message":{"reactionMessage":{"text":"x","key":{"id":"3EB0OURS"}}}}}}`,
		wrote(peal.Inbound{MessageID: "R", From: "+1234567890", Type: "reaction", Text: "x", ReplyTo: "3EB0OURS", Content: []byte(`{"reactionMessage":{"text":"x","key":{"id":"3EB0OURS"}}}`)})},
	{"received, wrapped", `{"event":"messages.received","data":{"messages":{"key":{"id":"W"},"message":{"documentWithCaptionMessage":{"message":{"documentMessage":{"mimetype":"application/pdf","title":"a.pdf"}}}}}}}`,
		wrote(peal.Inbound{MessageID: "W", Type: "document", Text: "a.pdf", MediaID: "W", MediaType: "application/pdf", Content: []byte(`{"documentMessage":{"mimetype":"application/pdf","title":"a.pdf"}}`)})},
	{"received, no number", `{"event":"messages.received","data":{"messages":[7,{"key":{"id":"N","remoteJid":"14155550100@s.whatsapp.net","cleanedSenderPn":"none"},"message":[]},{"key":{"fromMe":false}}]}}`,
		wrote(peal.Inbound{MessageID: "N", Type: "unknown"})},
	{"received in a group", `{"event":"messages.received","data":{"messages":{"key":{"id":"G","remoteJid":"1@g.us","cleanedSenderPn":"1234567890"},"messageBody":"STOP"}}}`, nil},
	{"received of another sort", `{"event":"messages-group.received","data":{"messages":{"key":{"id":"G"},"messageBody":"STOP"}}}`, nil},
	{"received, old list", `{"event":"messages-personal.received","data":{"messages":[{"key":{"id":"3EB0X1","fromMe":true}}]}}`, nil},
	{"QR code", `{"event":"qrcode.updated","data":{"qr":"2@DTMU"}}`,
		[]provider.Fact{{Session: &provider.Health{State: "need_scan", Reason: "the session is need_scan"}}}},
	{"unknown event", `{"event":"poll.results","data":{"key":{"id":"A"},"update":{"status":3}}}`, nil},
	{"no event", `{"data":{"key":{"id":"A"},"update":{"status":3}}}`, nil},
	{"event of odd type", `{"event":7,"data":{}}`, nil},
	{"empty object", `{}`, nil},
	{"empty list", ` []`, nil},
}

func seen(all ...peal.Evidence) []provider.Fact {
	facts := make([]provider.Fact, len(all))
	for i := range all {
		facts[i].Evidence = &all[i]
	}
	return facts
}

func wrote(m peal.Inbound) []provider.Fact { return []provider.Fact{{Inbound: &m}} }

func TestParseWebhook(t *testing.T) {
	t.Parallel()
	for _, c := range webhooks {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := Kind{}.ParseWebhook(nil, []byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseWebhookRefuses(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", " ", "null", "true", "7", `"x"`, "{", "[", `{"event":"messages.update"`, "<html>", "{}{}", "a=b", "\xff", "\ufeff{}"} {
		if facts, err := (Kind{}).ParseWebhook(nil, []byte(body)); err == nil || facts != nil {
			t.Errorf("%q: got %v, %v", body, facts, err)
		}
	}
}

func TestParseWebhookIsBounded(t *testing.T) {
	t.Parallel()
	one := `{"update":{"status":3},"key":{"id":"A"}}`
	for n, want := range map[int]bool{1: true, maxFacts: true, maxFacts + 1: false, 20 * maxFacts: false} {
		body := `{"event":"messages.update","data":[` + strings.Repeat(one+",", n-1) + one + `]}`
		facts, err := Kind{}.ParseWebhook(nil, []byte(body))
		if (err == nil) != want || want && len(facts) != n {
			t.Errorf("%d: got %d facts, %v", n, len(facts), err)
		}
	}
	deep := strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
	if _, err := (Kind{}).ParseWebhook(nil, []byte(`{"event":"messages.update","data":`+deep+`}`)); err != nil {
		t.Error(err)
	}
}

func TestParseWebhookKeepsNoSecret(t *testing.T) {
	t.Parallel()
	for _, c := range webhooks {
		body := strings.Replace(c.body, `{"event"`, `{"sessionId":"`+testKey+`","event"`, 1)
		facts, err := Kind{}.ParseWebhook(nil, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range facts {
			if s := fmt.Sprintf("%+v %+v %+v", f.Evidence, f.Session, f.Inbound); strings.Contains(s, testKey) {
				t.Errorf("%s: %s", c.name, s)
			}
		}
	}
}

func TestCheckWebhook(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		secret string
		header http.Header
		want   bool
	}{
		"right":         {testSecret, http.Header{"X-Webhook-Signature": {testSecret}}, true},
		"wrong":         {testSecret, http.Header{"X-Webhook-Signature": {testSecret + "x"}}, false},
		"prefix":        {testSecret, http.Header{"X-Webhook-Signature": {testSecret[:5]}}, false},
		"other case":    {testSecret, http.Header{"X-Webhook-Signature": {strings.ToUpper(testSecret)}}, false},
		"absent":        {testSecret, http.Header{}, false},
		"no header":     {testSecret, nil, false},
		"empty":         {testSecret, http.Header{"X-Webhook-Signature": {""}}, false},
		"none kept":     {"", http.Header{"X-Webhook-Signature": {""}}, false},
		"none kept, x":  {"", http.Header{"X-Webhook-Signature": {"x"}}, false},
		"second header": {testSecret, http.Header{"X-Webhook-Signature": {"x", testSecret}}, false},
	} {
		in := &peal.Integration{Credentials: map[string]string{webhookSecret: c.secret}}
		if got := (Kind{}).CheckWebhook(in, c.header, []byte(`{}`)); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
	if (Kind{}).CheckWebhook(&peal.Integration{}, http.Header{}, nil) {
		t.Error("an integration without credentials takes a webhook")
	}
}

func FuzzParseWebhook(f *testing.F) {
	for _, c := range webhooks {
		f.Add([]byte(c.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		facts, err := Kind{}.ParseWebhook(nil, body)
		if err != nil && facts != nil {
			t.Fatal("facts beside an error")
		}
		if len(facts) > maxFacts {
			t.Fatalf("%d facts", len(facts))
		}
		for _, fact := range facts {
			checkFact(t, fact)
		}
	})
}

// checkFact holds what track relies on.
func checkFact(t *testing.T, f provider.Fact) {
	if m := f.Inbound; m != nil {
		if m.MessageID == "" || len(m.MessageID) > maxID || m.Type == "" || len(m.Text) > maxInboundText || !utf8.ValidString(m.Text+m.Name) || f.Evidence != nil || f.Session != nil {
			t.Fatalf("%+v", m)
		}
		if len(m.Content) > maxInbound || m.Content != nil && !json.Valid(m.Content) || m.From != "" && (m.From[0] != '+' || len(m.From) > 16) {
			t.Fatalf("%+v", m)
		}
		return
	}
	if (f.Evidence == nil) == (f.Session == nil) {
		t.Fatal("a fact is of one sort")
	}
	if f.Session != nil {
		if f.Session.State == "" || f.Session.OK != (f.Session.State == "connected") {
			t.Fatalf("%+v", f.Session)
		}
		return
	}
	e := f.Evidence
	if e.MessageID == "" && e.MessageKey == "" || e.Status == "" && (e.MessageID == "" || e.MessageKey == "") {
		t.Fatalf("it is about nothing: %+v", e)
	}
	if len(e.MessageID) > maxID || len(e.MessageKey) > maxID {
		t.Fatalf("an id is too long: %+v", e)
	}
	if e.Status != "" && e.Status != peal.Failed && e.Status.Rank() < peal.Sent.Rank() {
		t.Fatalf("status %q", e.Status)
	}
	if !e.At.IsZero() && (e.At.Location() != time.UTC || e.At.Year() < 1970 || e.At.Year() > 9999) {
		t.Fatalf("time %v", e.At)
	}
}

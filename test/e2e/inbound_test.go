package e2e_test

import (
	"bytes"
	"fmt"
	"testing"

	"peal/api"
	"peal/client"
	"peal/emulator/wasender"
	"peal/emulator/whatsappcloud"
)

// inbound waits for the one message that matches.
func (w *world) inbound(t *testing.T, q client.InboundQuery) *api.InboundMessage {
	t.Helper()
	var found api.InboundMessage
	eventually(t, fmt.Sprintf("there is a message %+v", q), func() error {
		p, err := w.peal.InboundPage(t.Context(), q)
		if err != nil {
			return err
		}
		if len(p.Messages) != 1 {
			return fmt.Errorf("there are %d", len(p.Messages))
		}
		found = p.Messages[0]
		return nil
	})
	return &found
}

// says has somebody write to the account.
func (c *cloud) says(t *testing.T, in whatsappcloud.Inbound) string {
	t.Helper()
	id, err := c.PlayInbound(in)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestInbound: what somebody answers is kept once however often it comes, names what it answers, and its file is fetched; of
// both providers. Nobody else's key sees it.
func TestInbound(t *testing.T) {
	t.Parallel()
	w := silent(t)
	c := w.cloud(t, receipts("sent"))
	to := phone()
	_, id := w.send(t, c.text(to, "Is it you?"))
	ours := w.reaches(t, id, "sent").MessageID
	c.says(t, whatsappcloud.Inbound{From: to, Text: "Yes", ReplyTo: ours, Times: 3})
	m := w.inbound(t, client.InboundQuery{From: to})
	if m.DeliveryID != id || m.Type != "text" || m.Text != "Yes" || m.From != to || m.ReplyTo != ours || m.FromUserID == "" || m.Name == "" || m.IntegrationID != c.integration.ID {
		t.Errorf("%+v", m)
	}
	if got := w.inbound(t, client.InboundQuery{DeliveryID: id}); got.ID != m.ID {
		t.Errorf("by delivery %+v", got)
	}
	if one, err := w.peal.InboundMessage(t.Context(), m.ID); err != nil || one.MessageID != m.MessageID {
		t.Errorf("%+v, %v", one, err)
	}

	file := bytes.Repeat([]byte("picture "), 100_000)
	c.says(t, whatsappcloud.Inbound{From: phone(), Type: "image", Text: "look", Media: file, MediaType: "image/png"})
	picture := w.inbound(t, client.InboundQuery{Type: "image"})
	var got bytes.Buffer
	kind, err := w.peal.InboundMedia(t.Context(), picture.ID, &got)
	if err != nil || kind != "image/png" || !bytes.Equal(got.Bytes(), file) || picture.MediaType != "image/png" {
		t.Errorf("%s, %d bytes, %v", kind, got.Len(), err)
	}
	if _, err := w.peal.InboundMedia(t.Context(), m.ID, &got); problemOf(err) == nil || problemOf(err).Status != 404 {
		t.Errorf("of a message without a file: %v", err)
	}

	to, wid := w.sendText(t, "and you?")
	w.reaches(t, wid, "sent")
	if _, err := w.emu.PlayInbound(wasender.Inbound{From: to, Text: "Me too"}); err != nil {
		t.Fatal(err)
	}
	if m := w.inbound(t, client.InboundQuery{From: to, Integration: "wa"}); m.Text != "Me too" || m.From != to {
		t.Errorf("%+v", m)
	}

	o := w.newTenant(t, "beta")
	p, err := o.peal.InboundPage(t.Context(), client.InboundQuery{})
	_, merr := o.peal.InboundMedia(t.Context(), picture.ID, &got)
	_, ierr := o.peal.InboundMessage(t.Context(), m.ID)
	if err != nil || len(p.Messages) != 0 || problemOf(merr).Status != 404 || problemOf(ierr).Status != 404 {
		t.Errorf("another tenant: %+v, %v, %v, %v", p, err, merr, ierr)
	}
}

// TestInboundWithoutNumber: somebody who shows no number writes, and is answered; users may be known like that, too. A
// provider that needs a number refuses before anything is accepted.
func TestInboundWithoutNumber(t *testing.T) {
	t.Parallel()
	w := silent(t)
	c := w.cloud(t, whatsappcloud.Options{})
	const who = "IN.13491208655302741918"
	c.says(t, whatsappcloud.Inbound{From: who, Text: "Hello?"})
	m := w.inbound(t, client.InboundQuery{From: who})
	if m.From != "" || m.FromUserID != who {
		t.Fatalf("%+v", m)
	}
	answer := api.NotificationRequest{Recipient: api.Recipient{WhatsAppUserID: who}, Content: api.Content{Text: new("Hello!"), ReplyTo: m.MessageID}}
	n, id := w.send(t, answer)
	d := w.reaches(t, id, "delivered", "read")
	if d.Recipient != who || c.CountByRecipient(who) != 1 {
		t.Errorf("%+v, taken %d times", d, c.CountByRecipient(who))
	}
	if told, err := w.peal.Notification(t.Context(), n); err != nil || told.Recipient.WhatsAppUserID != who || told.Recipient.Phone != "" {
		t.Errorf("%+v, %v", told, err)
	}
	if _, err := w.peal.PutUser(t.Context(), "ann", api.UserRequest{WhatsAppUserID: who}); err != nil {
		t.Fatal(err)
	}
	_, byUser := w.send(t, api.NotificationRequest{Recipient: api.Recipient{UserID: "ann"}, Integration: "cloud", Content: api.Content{Text: new("You again")}})
	w.reaches(t, byUser, "delivered", "read")
	known, err := w.peal.Contact(t.Context(), who)
	if err != nil || len(known.Accounts) != 1 || known.Accounts[0].LastInboundAt == nil || known.Accounts[0].WindowUntil == nil || known.WhatsAppUserID != who {
		t.Errorf("%+v, %v", known, err)
	}

	for path, req := range map[string]api.NotificationRequest{
		"recipient.whatsapp_user_id": {Recipient: api.Recipient{WhatsAppUserID: who}, Integration: "wa", Content: answer.Content},
		"content.fallback_template":  {Recipient: api.Recipient{Phone: phone()}, Integration: "wa", Content: api.Content{Text: new("x"), FallbackTemplate: &api.Template{Name: "a", Language: "en"}}},
	} {
		_, err := w.peal.Send(t.Context(), req)
		if p := problemOf(err); p == nil || p.Status != 422 || len(p.Errors) != 1 || p.Errors[0].Path != path {
			t.Errorf("%s: %v", path, err)
		}
	}
}

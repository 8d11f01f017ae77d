package store

import (
	"cmp"
	"encoding/json"
	"fmt"

	"peal/api"
	"peal/internal/peal"
)

// tellInbound appends to the tenant's log that somebody wrote. What one person says is told in its order.
func tellInbound(t *tx, m *peal.Inbound) error {
	data, err := json.Marshal(&api.MessageReceivedEvent{
		ID: m.ID, IntegrationID: m.IntegrationID, MessageID: m.MessageID, From: m.From, FromUserID: m.FromUserID, Name: m.Name, Type: m.Type,
		Text: m.Text, Content: m.Content, ReplyTo: m.ReplyTo, DeliveryID: m.DeliveryID, MediaID: m.MediaID, MediaType: m.MediaType,
		At: m.At.UTC(), ReceivedAt: m.ReceivedAt.UTC(),
	})
	if err != nil {
		return fmt.Errorf("tell of a message: %w", err)
	}
	return t.tell(&peal.Notice{
		TenantID: m.TenantID, Type: peal.NoticeMessageReceived, Subject: cmp.Or(m.Sender(), m.ID), DeliveryID: m.DeliveryID, Data: data,
	})
}

// tellConsent appends to the tenant's log that somebody has opted out or in.
func tellConsent(t *tx, c *peal.Consent) error {
	e := api.ContactEvent{
		Contact: c.Contact, Channel: c.Channel, Category: c.Category, Source: c.Source, Keyword: c.Keyword, IntegrationID: c.IntegrationID, At: c.At.UTC(),
	}
	if e.Category == peal.CategoryAll {
		e.Category = ""
	}
	data, err := json.Marshal(&e)
	if err != nil {
		return fmt.Errorf("tell of a contact: %w", err)
	}
	n := peal.Notice{TenantID: c.TenantID, Type: peal.NoticeContactOptedIn, Subject: c.Contact, Data: data}
	if c.State == peal.OptedOut {
		n.Type = peal.NoticeContactOptedOut
	}
	return t.tell(&n)
}

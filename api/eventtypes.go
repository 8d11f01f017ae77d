package api

import (
	"encoding/json"
	"time"
)

// EventTypes are all types of events, in the order that docs/events.md has them.
func EventTypes() []EventType { //nolint:funlen // it is a table
	at := time.Date(2026, 7, 20, 9, 30, 5, 0, time.UTC)
	delivery := func(status string, change func(*DeliveryEvent)) *DeliveryEvent {
		d := &DeliveryEvent{
			DeliveryID: "01982742-8f10-7a3e-95ab-3f0c2d4e5a6b", NotificationID: "01982742-8f10-7a3e-8c11-9d2e4f6a8b0c",
			IntegrationID: "01982701-4b2a-7c5d-8e6f-0a1b2c3d4e5f", Channel: "whatsapp", Recipient: "+919812345678",
			EventType: "order.shipped", Metadata: json.RawMessage(`{"order":"4711"}`), Status: status, Attempt: 1,
		}
		change(d)
		return d
	}
	took := func(d *DeliveryEvent) { d.MessageID, d.OccurredAt = "wamid.HBgMOTE5ODEyMzQ1Njc4", &at }
	because := func(attempt int64, code, reason string) func(*DeliveryEvent) {
		return func(d *DeliveryEvent) { d.Attempt, d.Code, d.Reason = attempt, code, reason }
	}
	contact := func(source, keyword string) *ContactEvent {
		return &ContactEvent{
			Contact: "+919812345678", Channel: "whatsapp", Category: "marketing", Source: source, Keyword: keyword,
			IntegrationID: "01982701-4b2a-7c5d-8e6f-0a1b2c3d4e5f", At: at,
		}
	}
	integration := func(code, reason string) *IntegrationEvent {
		return &IntegrationEvent{
			IntegrationID: "01982701-4b2a-7c5d-8e6f-0a1b2c3d4e5f", Name: "whatsapp", Kind: "whatsapp_cloud", Code: code, Reason: reason, Since: &at,
		}
	}
	endpoint := EndpointEvent{EndpointID: "01982703-7d1e-7f3a-9b4c-5d6e7f8a9b0c", URL: "https://shop.example/hooks/peal"}
	disabled := endpoint
	disabled.Reason, disabled.FailingSince = "nothing but failures since 2026-07-20T09:30:05Z; the last: 500 Internal Server Error", &at
	return []EventType{
		{"delivery.queued", "It was accepted, or queued again: re-driven, or sent again after it was uncertain.", delivery("queued", func(d *DeliveryEvent) { d.Attempt = 0 })},
		{"delivery.sent", "The provider took it. Not more.", delivery("sent", took)},
		{"delivery.delivered", "A receipt says that it arrived.", delivery("delivered", took)},
		{"delivery.read", "A receipt says that it was read. `delivery.delivered` may come before it, and need not.", delivery("read", took)},
		{"delivery.failed", "It will not be sent, or the provider says later that it did not arrive. A receipt may prove otherwise: then `delivery.delivered` follows.", delivery("failed", func(d *DeliveryEvent) {
			because(5, "http_503", "Service Unavailable")(d)
			d.DeadLetter = true
		})},
		{"delivery.skipped", "There was nobody to send it to, or they do not want it; `code` says why.", delivery("skipped", because(0, "opted_out", "the recipient has opted out of marketing messages over this channel"))},
		{"delivery.canceled", "By request, or with its integration.", delivery("canceled", because(0, "", ""))},
		{"delivery.expired", "Its time was over before it was sent.", delivery("expired", because(0, "expired", "it was not sent before its time was over"))},
		{"delivery.uncertain", "A call ended without an answer: it may have gone out. Another event follows once that is known.", delivery("uncertain", because(1, "timeout", "no answer came in time"))},
		{"message.received", "Somebody wrote to one of your numbers.", &MessageReceivedEvent{
			ID: "01982743-1a2b-7c3d-8e4f-5a6b7c8d9e0f", IntegrationID: "01982701-4b2a-7c5d-8e6f-0a1b2c3d4e5f", MessageID: "wamid.HBgMOTE5ODEyMzQ1Njc4FQ",
			From: "+919812345678", Name: "Raju", Type: "text", Text: "Where is my parcel?", ReplyTo: "wamid.HBgMOTE5ODEyMzQ1Njc4",
			DeliveryID: "01982742-8f10-7a3e-95ab-3f0c2d4e5a6b", At: at, ReceivedAt: at.Add(time.Second),
		}},
		{"contact.opted_out", "A contact does not want to be written to any more.", contact("keyword", "Stop promotions")},
		{"contact.opted_in", "A contact may be written to again.", contact("api", "")},
		{"template.updated", "The provider's word on a template has changed.", &TemplateEvent{
			IntegrationID: "01982701-4b2a-7c5d-8e6f-0a1b2c3d4e5f", Name: "order_shipped", Language: "en", Category: "utility",
			Status: "paused", PreviousStatus: "approved", Quality: "red", Reason: "many people blocked it",
		}},
		{"integration.paused", "It sends nothing until it is mended, resumed, or its pause is over. Told again when the reason changes.", integration("credentials", "(#190) Access token has expired")},
		{"integration.resumed", "Its pause was lifted.", integration("credentials", "")},
		{"integration.suspect", "Its calls succeed, and no receipts come: look at its webhook.", integration("no_receipts", "100 messages were sent since 2026-07-20T09:30:05Z, and no receipt has come: no webhook has come: "+
			"see that the provider has the integration's webhook_url, and that it can reach it")},
		{"integration.session", "Its WhatsApp session has come to another state.", &SessionEvent{
			IntegrationID: "01982701-4b2a-7c5d-8e6f-0a1b2c3d4e5f", Name: "whatsapp", Kind: "wasender", Status: "need_scan", PreviousStatus: "connected",
		}},
		{"number.updated", "The provider says something new of a number.", &NumberEvent{
			IntegrationID: "01982701-4b2a-7c5d-8e6f-0a1b2c3d4e5f", NumberID: "106540352242922", Number: "+15550783881", Quality: "YELLOW", MessagingLimit: "TIER_10K",
		}},
		{"endpoint.disabled", "One of your endpoints failed for too long, and is sent nothing more.", &disabled},
		{"endpoint.test", "You asked for it, to see whether an endpoint works.", &endpoint},
	}
}

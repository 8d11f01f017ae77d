package httpapi

import (
	"encoding/json"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/pipeline/accept"
)

// optional is a time as the API shows it: absent when there is none, or when it cannot be written.
func optional(t time.Time) *time.Time {
	if !accept.CanTell(t) {
		return nil
	}
	t = t.UTC()
	return &t
}

func deref(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func notificationOf(n *peal.Notification, ds []peal.Delivery, now time.Time) api.Notification {
	out := api.Notification{
		ID: n.ID, Recipient: recipientOf(n), Metadata: n.Metadata, Priority: n.Priority.String(),
		SendAt:    optional(n.SendAt),
		ExpiresAt: optional(n.ExpiresAt), CreatedAt: n.CreatedAt.UTC(), Deliveries: make([]api.Delivery, len(ds)),
	}
	if n.EventType != "" && accept.CanTell(n.EventAt) {
		out.Event = &api.EventRef{Type: n.EventType, OccurredAt: n.EventAt.UTC()}
	}
	statuses := make([]peal.Status, len(ds))
	for i := range ds {
		out.Deliveries[i], statuses[i] = deliveryOf(&ds[i]), ds[i].Status
	}
	out.Status = string(peal.Sum(statuses))
	if len(n.Ladder) > 0 {
		out.Status = string(peal.SumLadder(ds, now))
		_ = json.Unmarshal(n.Ladder, &out.Ladder) // Peal wrote it; one that cannot be read is left out
	}
	return out
}

func recipientOf(n *peal.Notification) api.Recipient {
	r := api.Recipient{Phone: n.Phone, UserID: n.UserID}
	if peal.IsWhatsAppUserID(n.Phone) {
		r.Phone, r.WhatsAppUserID = "", n.Phone
	}
	return r
}

// expansionOf adds how far a notification to an audience has come, and sums up what the first deliveries do not show.
func expansionOf(out *api.Notification, x *peal.Expansion) {
	var req pipeline.ExpansionRequest
	if json.Unmarshal(x.Request, &req) == nil { // Peal wrote it; one without is shown without
		a := &req.Audience
		out.Recipient.Audience = &api.Audience{All: *a == peal.Audience{}, AppID: a.AppID, Platform: a.Platform, Locale: a.Locale}
	}
	out.Expansion = &api.Expansion{Planned: x.Planned, StartedAt: optional(x.StartedAt), EndedAt: optional(x.EndedAt), End: string(x.End)}
	out.Counts = make(map[string]int64, len(x.Counts))
	for s, n := range x.Counts {
		out.Counts[string(s)] = n
	}
	out.Status = string(x.Status())
}

func deliveryOf(d *peal.Delivery) api.Delivery {
	out := api.Delivery{
		ID: d.ID, NotificationID: d.NotificationID, IntegrationID: d.IntegrationID, Channel: d.Channel, Recipient: d.Recipient,
		UserID: d.UserID, Status: string(d.Status), MessageID: d.MessageID, MessageKey: d.MessageKey, ErrorCode: d.ErrorCode,
		ErrorReason: d.ErrorReason, Attempts: d.Attempts, Flag: d.Flag, DeadLetter: !d.DeadAt.IsZero(),
		CreatedAt: d.CreatedAt.UTC(), UpdatedAt: d.UpdatedAt.UTC(), DueAt: optional(d.DueAt), ExpiresAt: optional(d.ExpiresAt),
		SentAt: optional(d.SentAt), DeliveredAt: optional(d.DeliveredAt), ReadAt: optional(d.ReadAt), EndedAt: optional(d.EndedAt),
	}
	if d.Rung != nil {
		out.Rung = &d.Rung.Number
	}
	var c api.Content
	if json.Unmarshal(d.Payload, &c) == nil { // Peal wrote it; a row without is shown without
		out.Content = &c
	}
	return out
}

func deliveriesOf(ds []peal.Delivery) []api.Delivery {
	out := make([]api.Delivery, len(ds))
	for i := range ds {
		out[i] = deliveryOf(&ds[i])
	}
	return out
}

func eventOf(e *peal.Event) api.Event {
	out := api.Event{
		At: e.At.UTC(), Type: string(e.Type), Status: string(e.Status), Attempt: e.Attempt, Outcome: string(e.Class),
		Code: e.Code, Detail: e.Detail, DurationMS: e.Took.Milliseconds(),
		WaitedMS: e.Waited.Milliseconds(), WaitedFor: string(e.WaitedFor),
	}
	if accept.CanTell(e.OccurredAt) { // it is a provider's word
		out.OccurredAt = e.OccurredAt.UTC()
	}
	return out
}

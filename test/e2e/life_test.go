package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"peal/api"
)

// TestTicks: a user sends and sees queued, sent, delivered and read, with their times, and a timeline that tells it all.
func TestTicks(t *testing.T) {
	t.Parallel()
	w := setup(t)
	to := phone()
	req := text(to, "Your order is on its way")
	req.Metadata = []byte(`{"order":17}`)
	notification, id := w.send(t, req)
	w.reaches(t, id, "read")
	var d *api.Delivery // a look-up may have been quicker than the receipts
	eventually(t, "all receipts are there", func() error {
		d = w.delivery(t, id)
		return want("receipts", strings.Count(kinds(d.Timeline), "receipt:"), 3)
	})

	for _, err := range []error{
		want("recipient", d.Recipient, to), want("attempts", d.Attempts, 1), want("channel", d.Channel, "whatsapp"),
		want("notification", d.NotificationID, notification), want("error code", d.ErrorCode, ""), want("flag", d.Flag, ""),
		want("integration", d.IntegrationID, w.integration.ID),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if d.SentAt == nil || d.DeliveredAt == nil || d.ReadAt == nil || d.EndedAt != nil || d.DueAt != nil {
		t.Fatalf("times: sent %v, delivered %v, read %v; ended %v, due %v", d.SentAt, d.DeliveredAt, d.ReadAt, d.EndedAt, d.DueAt)
	}
	if d.SentAt.Before(d.CreatedAt) || d.ReadAt.Before(*d.DeliveredAt) {
		t.Errorf("times out of order: created %v, sent %v, delivered %v, read %v", d.CreatedAt, d.SentAt, d.DeliveredAt, d.ReadAt)
	}
	checkTimeline(t, d)

	m := w.emu.Messages(queryTo(to))
	if len(m) != 1 || m[0].Text != "Your order is on its way" || d.MessageID != fmt.Sprint(m[0].MsgID) || d.MessageKey != m[0].KeyID {
		t.Errorf("the provider took %+v; the row has message %s, key %s", m, d.MessageID, d.MessageKey)
	}
	n, err := w.peal.Notification(t.Context(), notification)
	if err != nil {
		t.Fatal(err)
	}
	if n.Status != "read" || len(n.Deliveries) != 1 || string(n.Metadata) != `{"order":17}` || n.Recipient.Phone != to {
		t.Errorf("notification %+v", n)
	}
}

// checkTimeline looks at the timeline of a delivery that was read after one attempt.
func checkTimeline(t *testing.T, d *api.Delivery) {
	t.Helper()
	order := map[string]int{}
	for i, e := range d.Timeline {
		order[e.Type+":"+e.Status] = i
		if i > 0 && e.At.Before(d.Timeline[i-1].At) {
			t.Errorf("event %d is earlier than the one before: %+v", i, d.Timeline)
		}
	}
	got := kinds(d.Timeline)
	for _, kind := range []string{"queued:queued", "attempt:sent", "key:", "receipt:sent", "receipt:delivered", "receipt:read"} {
		if strings.Count(got+" ", kind+" ") != 1 {
			t.Errorf("timeline has no %s, or more than one: %s", kind, got)
		}
	}
	if order["queued:queued"] != 0 || order["attempt:sent"] != 1 {
		t.Errorf("timeline begins otherwise than with queued and attempt: %s", got)
	}
	a := d.Timeline[order["attempt:sent"]]
	if a.Attempt != 1 || a.Outcome != "accepted" {
		t.Errorf("attempt %+v", a)
	}
	timed := 0 // a look-up that was quicker than a webhook tells no time
	for _, status := range []string{"sent", "delivered", "read"} {
		if !d.Timeline[order["receipt:"+status]].OccurredAt.IsZero() {
			timed++
		}
	}
	if timed == 0 {
		t.Errorf("no receipt has the provider's time: %+v", d.Timeline)
	}
}

// TestReadAfterWrite: whoever got a 202 can look at the notification at once, every time.
func TestReadAfterWrite(t *testing.T) {
	t.Parallel()
	w := silent(t)
	for range 200 {
		notification, id := w.send(t, text(phone(), "hello"))
		n, err := w.peal.Notification(t.Context(), notification)
		if err != nil || len(n.Deliveries) != 1 || n.Deliveries[0].ID != id {
			t.Fatalf("GET right after the 202: %+v, %v", n, err)
		}
		if _, err := w.peal.Delivery(t.Context(), id); err != nil {
			t.Fatalf("GET of the delivery: %v", err)
		}
	}
}

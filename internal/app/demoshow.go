package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"peal/api"
)

// look is how often the demonstration looks what has become of its notifications.
const look = 50 * time.Millisecond

// show sends the demonstration's notifications, over both providers of WhatsApp and as a push, and prints their ticks.
func (d *demo) show(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	text := demoText
	message, err := d.client.Send(ctx, api.NotificationRequest{
		Recipient: api.Recipient{UserID: demoUser}, Integration: "whatsapp", Content: api.Content{Text: &text},
	})
	if err != nil {
		return fmt.Errorf("send the first notification: %w", err)
	}
	name := "Raju"
	template, err := d.client.Send(ctx, api.NotificationRequest{
		Recipient: api.Recipient{UserID: demoUser}, Integration: "cloud",
		Content: api.Content{Template: &api.Template{Name: demoMessage, Language: "en", Body: []api.TemplateParameter{{Text: &name}}}},
	})
	if err != nil {
		return fmt.Errorf("send the first template: %w", err)
	}
	push := demoPush()
	pushed, err := d.client.Send(ctx, api.NotificationRequest{Recipient: api.Recipient{UserID: demoUser}, Content: api.Content{Push: push}})
	if err != nil {
		return fmt.Errorf("send the first push: %w", err)
	}
	d.say("\nBy WhatsApp to %s, through WasenderApi: %q\n", demoPhone, demoText)
	if err := d.follow(ctx, message.Deliveries[0].ID); err != nil {
		return err
	}
	d.say("\nBy WhatsApp to %s, through Meta's Cloud API: the template %s\n", demoPhone, demoMessage)
	if err := d.follow(ctx, template.Deliveries[0].ID); err != nil {
		return err
	}
	d.say("\nAs a push to all of Raju's devices: %q\n", push.Title+": "+push.Body)
	return d.followPush(ctx, pushed.ID)
}

func demoPush() *api.Push {
	badge := 1
	return &api.Push{
		Title: "Your order is on its way", Body: "It comes today between 2 and 4 pm.", Image: demoShop + "/parcel.png", Badge: &badge,
		Link: demoShop + "/orders/17", Actions: []api.PushAction{{ID: "track", Title: "Track it"}},
		Data: map[string]string{"order": "17"},
	}
}

// follow prints a delivery's ticks as they come.
func (d *demo) follow(ctx context.Context, id string) error {
	shown := map[string]bool{}
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		dl, err := d.client.Delivery(ctx, id)
		if err != nil {
			return fmt.Errorf("look at the first notification: %w", err)
		}
		d.ticks(dl, shown)
		if dl.Status == "read" || dl.EndedAt != nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			d.say("  … still %s; see the log\n", dl.Status)
			return nil
		}
	}
}

func (d *demo) ticks(dl *api.Delivery, shown map[string]bool) {
	for _, t := range []struct {
		name, tick, note string
		at               *time.Time
	}{
		{"queued", "·", "on disk", &dl.CreatedAt}, {"sent", "✓", "the provider took it", dl.SentAt},
		{"delivered", "✓✓", "it reached the phone", dl.DeliveredAt}, {"read", "✓✓", "it was opened", dl.ReadAt},
		{dl.Status, "✗", dl.ErrorCode, dl.EndedAt},
	} {
		if t.at == nil || shown[t.name] {
			continue
		}
		shown[t.name] = true
		d.say("  %s  %-2s %-9s  %s\n", t.at.Local().Format("15:04:05.000"), t.tick, t.name, t.note)
	}
}

// followPush prints a line for each device, once its app has said that it was shown.
func (d *demo) followPush(ctx context.Context, id string) error {
	shown := map[string]bool{}
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		n, err := d.client.Notification(ctx, id)
		if err != nil {
			return fmt.Errorf("look at the first push: %w", err)
		}
		late := ctx.Err() != nil
		slices.SortFunc(n.Deliveries, func(a, b api.Delivery) int { return strings.Compare(a.Recipient, b.Recipient) })
		for i := range n.Deliveries {
			dl := &n.Deliveries[i]
			if !shown[dl.ID] && (dl.DeliveredAt != nil || dl.EndedAt != nil || late) {
				shown[dl.ID] = true
				d.say("%s", line(dl))
			}
		}
		if len(shown) == len(n.Deliveries) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			d.say("  … still %s; see the log\n", n.Status)
			return nil
		}
	}
}

// line is a push's life on one device, timed from the moment that it was on disk.
func line(dl *api.Delivery) string {
	service := map[string]string{demoAndroid: "FCM", demoIPhone: "APNs", demoBrowser: "Web Push"}[dl.Recipient]
	b := &strings.Builder{}
	fmt.Fprintf(b, "  %-8s %-9s ·  queued", dl.Recipient, service)
	for _, t := range []struct {
		tick, name string
		at         *time.Time
	}{{"✓ ", "sent", dl.SentAt}, {"✓✓", "delivered", dl.DeliveredAt}} {
		if t.at != nil {
			fmt.Fprintf(b, "  %s %s %-8s", t.tick, t.name, "+"+max(t.at.Sub(dl.CreatedAt), 0).Round(time.Millisecond).String())
		}
	}
	if dl.EndedAt != nil {
		fmt.Fprintf(b, "  ✗  %s %s", dl.Status, dl.ErrorCode)
	}
	return strings.TrimRight(b.String(), " ") + "\n"
}

func (d *demo) invite(logPath string) {
	d.say(`
Now you. Open %[5]s/phones and tap one: it becomes read.
Then paste into another terminal:

  curl -X POST %[1]s/v1/notifications \
    -H 'Authorization: Bearer %[2]s' \
    -d '{"recipient": {"phone": "%[3]s"}, "integration": "whatsapp", "content": {"text": "Hello from curl"}}'

  curl -X POST %[1]s/v1/notifications \
    -H 'Authorization: Bearer %[2]s' \
    -d '{"recipient": {"user_id": "%[4]s"}, "content": {"push": {"title": "Hello", "body": "Hello from curl"}}}'

And look what became of them:

  curl %[1]s/v1/deliveries -H 'Authorization: Bearer %[2]s'

WhatsApp     %[5]s/_emulator/messages
Cloud API    %[5]s/cloud/_emulator/messages
API docs     %[1]s/docs
Metrics      %[1]s/metrics
Log          %[6]s

Ctrl-C stops it.
`, d.url, d.secrets.APIKey, demoPhone, demoUser, d.emulators.url, absolute(logPath))
}

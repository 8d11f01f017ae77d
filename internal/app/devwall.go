package app

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"peal/api"
	"peal/emulator/apns"
	"peal/emulator/fcm"
	"peal/emulator/phones"
	"peal/emulator/webpush"
)

const (
	// wallPause is how long a phone takes to say that it has shown something.
	wallPause = 300 * time.Millisecond
	// wallBatch is how many receipts go together at most, by the API.
	wallBatch = 100
	// wallRoom is how many wait to be reported; under load the rest is shown, and not reported as delivered.
	wallRoom = 10_000
)

// keyDelivery is the name in a card's data under which the wall keeps the delivery's id, as FCM's data has it.
const keyDelivery = "peal_delivery_id"

// reporter tells Peal what became of deliveries, as the app on the phone would.
type reporter func(ctx context.Context, phone string, receipts ...api.ClientReceipt) error

// wall is the demonstration's phones: it puts on the board what the emulated devices show, and reports what becomes of it.
type wall struct {
	board *phones.Board
	url   string // of the emulators
	log   *slog.Logger
	shown chan string // ids of deliveries

	mu     sync.Mutex
	ids    map[string]string // on the board, by token or endpoint
	report reporter          // nil until Peal runs
}

func newWall(url string, log *slog.Logger) *wall {
	w := &wall{url: url, log: log, shown: make(chan string, wallRoom), ids: map[string]string{}}
	w.board = phones.New(phones.Options{
		App: "Shop",
		OnTap: func(ctx context.Context, p phones.Phone, c phones.Card, action string) error {
			r := api.ClientReceipt{DeliveryID: c.Data[keyDelivery], Type: "opened"}
			if action != "" {
				r.Type, r.Action = "action", action
			}
			return w.tell(ctx, p.Name, r)
		},
		OnDismiss: func(ctx context.Context, p phones.Phone, c phones.Card) error {
			return w.tell(ctx, p.Name, api.ClientReceipt{DeliveryID: c.Data[keyDelivery], Type: "dismissed"})
		},
		Logger: log,
	})
	return w
}

// add hangs up a phone that is known by an address: a token or an endpoint.
func (w *wall) add(address string, p phones.Phone) error {
	w.mu.Lock()
	w.ids[address] = p.ID
	w.mu.Unlock()
	return w.board.AddPhone(p)
}

// connect has receipts told from now on.
func (w *wall) connect(r reporter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.report = r
}

func (w *wall) tell(ctx context.Context, phone string, receipts ...api.ClientReceipt) error {
	w.mu.Lock()
	report := w.report
	w.mu.Unlock()
	if report == nil {
		return errors.New("peal is still starting")
	}
	return report(ctx, phone, receipts...)
}

// run reports as delivered what phones show, until ctx ends.
func (w *wall) run(ctx context.Context) {
	for {
		var receipts []api.ClientReceipt
		add := func(id string) { receipts = append(receipts, api.ClientReceipt{DeliveryID: id, Type: "delivered"}) }
		select {
		case id := <-w.shown:
			add(id)
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(wallPause):
		case <-ctx.Done():
			return
		}
		for len(receipts) < wallBatch && len(w.shown) > 0 { // nobody else takes from it
			add(<-w.shown)
		}
		if err := w.tell(ctx, "", receipts...); err != nil && ctx.Err() == nil {
			w.log.WarnContext(ctx, "a phone could not report what it has shown", "error", err)
		}
	}
}

// show puts a card on the phone of an address. One that nobody has announced, since it was registered by hand at an
// emulator, gets a place on the board now.
func (w *wall) show(address, platform, delivery string, c phones.Card) {
	w.mu.Lock()
	id, ok := w.ids[address]
	w.mu.Unlock()
	if !ok {
		id = platform + "-" + address[max(0, len(address)-6):]
		if err := w.add(address, phones.Phone{ID: id, Platform: platform}); err != nil {
			w.log.Warn("no place for a phone", "error", err)
			return
		}
	}
	data := map[string]string{keyDelivery: delivery}
	for name, value := range c.Data {
		if name != "peal" && !strings.HasPrefix(name, "peal.") && !strings.HasPrefix(name, "peal_") {
			data[name] = value
		}
	}
	c.Data, c.Image, c.Link = data, w.onNet(c.Image), w.onNet(c.Link)
	for i := range c.Actions {
		c.Actions[i].Link = w.onNet(c.Actions[i].Link)
	}
	if _, err := w.board.Show(id, c); err != nil {
		w.log.Warn("a phone shows nothing", "error", err)
	}
	if delivery == "" {
		return
	}
	select {
	case w.shown <- delivery:
	default:
	}
}

// onNet is where the demonstration's own net leads: the shop of which it tells is the emulators' to serve.
func (w *wall) onNet(link string) string {
	if path, ok := strings.CutPrefix(link, demoShop+"/"); ok {
		return w.url + "/shop/" + path
	}
	return link
}

func (w *wall) showFCM(s fcm.Shown) {
	c := phones.Card{
		At: s.At, Title: s.Title, Body: s.Body, Image: s.Image, Link: s.Link, Badge: s.Badge, Sound: s.Sound, Silent: s.Silent,
		CollapseKey: s.Tag, Data: s.Data,
	}
	for _, a := range s.Actions {
		c.Actions = append(c.Actions, phones.Action{ID: a.ID, Title: a.Title, Link: a.Link})
	}
	w.show(s.Phone, string(s.Platform), s.Data[keyDelivery], c)
}

func (w *wall) showAPNs(s apns.Shown) {
	c := phones.Card{
		At: s.At, Title: s.Title, Body: s.Body, Image: s.Image, Link: s.Link, Badge: s.Badge, Sound: s.Sound, Silent: s.Silent,
		CollapseKey: s.CollapseKey, Data: s.Data,
	}
	for _, a := range s.Actions {
		c.Actions = append(c.Actions, phones.Action{ID: a.ID, Title: a.Title, Link: a.Link})
	}
	w.show(s.Phone, s.Platform, deliveryOf(s.Data["peal"]), c)
}

func (w *wall) showWebPush(s webpush.Shown) {
	c := phones.Card{
		At: s.At, Title: s.Title, Body: s.Body, Image: s.Image, Link: s.Link, Badge: s.Badge, Sound: s.Sound, Silent: s.Silent,
		CollapseKey: s.CollapseKey, Data: s.Data,
	}
	for _, a := range s.Actions {
		c.Actions = append(c.Actions, phones.Action{ID: a.ID, Title: a.Title, Link: a.Link})
	}
	w.show(s.Phone, s.Platform, s.Data["peal.delivery_id"], c)
}

// deliveryOf reads the delivery's id out of what Peal puts beside Apple's part.
func deliveryOf(text string) string {
	var peal struct {
		DeliveryID string `json:"delivery_id"`
	}
	_ = json.Unmarshal([]byte(text), &peal) // a push of somebody else has none
	return peal.DeliveryID
}

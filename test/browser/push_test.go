package browser

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"peal/api"
	"peal/emulator/webpush"
)

// registration is what subscribe and register tell the app.
type registration struct {
	Subscribed     bool
	Permission     string
	InstallationID string
}

// subscribed is a page whose user has subscribed, and the device that it is since.
func (w *world) subscribed(t *testing.T) (*target, registration) {
	t.Helper()
	page := w.browser.open(t, w.app+"/")
	var r registration
	page.eval(t, `peal.subscribe()`, &r)
	if !r.Subscribed || r.Permission != "granted" || r.InstallationID == "" {
		t.Fatalf("subscribe: %+v", r)
	}
	return page, r
}

// deliver hands a text to the app's service worker, as the browser does with what it has decrypted.
func (w *world) deliver(t *testing.T, page *target, text string) {
	t.Helper()
	page.must(t, page.session, "ServiceWorker.deliverPushMessage", map[string]any{
		"origin": w.app, "registrationId": w.registration(t, page), "data": text,
	}, nil)
}

// send sends a push to the user. It gives the delivery's id, and what the browser behind the push service has decrypted.
func (w *world) send(t *testing.T, content api.Push) (id, text string) {
	t.Helper()
	sent, err := w.peal.Send(t.Context(), api.NotificationRequest{
		Recipient: api.Recipient{UserID: w.user}, Content: api.Content{Push: &content},
	})
	if err != nil || len(sent.Deliveries) != 1 {
		t.Fatalf("%+v, %v; want one delivery", sent, err)
	}
	id = sent.Deliveries[0].ID
	w.reaches(t, id, "sent")
	came := w.pushes.Messages(webpush.Query{Contains: id})
	if len(came) != 1 || came[0].Shown == nil {
		t.Fatalf("the push service has %+v", came)
	}
	return id, came[0].Text
}

// push sends a push, and hands it to the worker.
func (w *world) push(t *testing.T, page *target, content api.Push) (id string) {
	t.Helper()
	id, text := w.send(t, content)
	w.deliver(t, page, text)
	return id
}

// registration is what DevTools calls the app's service worker.
func (w *world) registration(t *testing.T, page *target) (id string) {
	t.Helper()
	page.await(t, page.session, "ServiceWorker.workerRegistrationUpdated", func(params json.RawMessage) bool {
		var all struct {
			Registrations []struct{ RegistrationID, ScopeURL string }
		}
		if err := json.Unmarshal(params, &all); err != nil {
			t.Fatal(err)
		}
		for _, r := range all.Registrations {
			if r.ScopeURL == w.app+"/" {
				id = r.RegistrationID
			}
		}
		return id != ""
	})
	return id
}

// short is a push as short as can be.
func short() api.Push { return api.Push{Title: "Your order"} }

// came waits until the page was told of so many pushes; by then they are shown. To ask the browser again and again what it
// shows is no way to wait: it forgets what it was about to show.
func (w *world) came(t *testing.T, page *target, n int) {
	t.Helper()
	until(t, fmt.Sprintf("%d pushes have come", n), func() bool {
		told := -1
		page.eval(t, `told.filter((e) => e.type === "push").length`, &told)
		return told == n
	})
}

// waits waits until so many receipts wait in the browser.
func (w *world) waits(t *testing.T, page *target, n int) {
	t.Helper()
	until(t, fmt.Sprintf("%d receipts wait", n), func() bool {
		waiting := -1
		page.eval(t, `new Promise((resolve, reject) => {
			const open = indexedDB.open("peal");
			open.onerror = () => reject(open.error);
			open.onsuccess = () => {
				const count = open.result.transaction("receipts").objectStore("receipts").count();
				count.onsuccess = () => { open.result.close(); resolve(count.result); };
			};
		})`, &waiting)
		return waiting == n
	})
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// shown are the notifications that the browser shows.
type shown struct {
	Title, Body, Tag, Icon, Lang string
	Actions                      []struct{ Action, Title string }
}

func (p *target) shown(t *testing.T) []shown {
	t.Helper()
	var all []shown
	p.eval(t, `navigator.serviceWorker.ready.then((r) => r.getNotifications()).then((all) => all.map((n) => (
		{ title: n.title, body: n.body, tag: n.tag, icon: n.icon, lang: n.lang, actions: n.actions.map((a) => ({ action: a.action, title: a.title })) })))`, &all)
	return all
}

// dispatch gives the worker an event about the notification that is shown, waits until all is done that the worker wants to
// have done, and gives the links that were opened. A dispatched event has no waitUntil that works, nor may it open windows.
func (w *world) dispatch(t *testing.T, kind, action string) (opened []string) {
	t.Helper()
	worker := w.browser.worker(t, w.app)
	worker.eval(t, `(async ([kind, action]) => {
		const opened = [], work = [];
		self.clients.openWindow = async (url) => { opened.push(url); return null; };
		const [notification] = await self.registration.getNotifications();
		const event = new NotificationEvent(kind, { notification, action });
		event.waitUntil = (p) => work.push(p);
		self.dispatchEvent(event);
		await Promise.all(work);
		return opened;
	})(`+asJSON(t, []string{kind, action})+`)`, &opened)
	return opened
}

// reaches waits until a delivery has a status, and gives its timeline.
func (w *world) reaches(t *testing.T, id, status string) []api.Event {
	t.Helper()
	var d *api.Delivery
	until(t, "the delivery is "+status, func() bool {
		var err error
		if d, err = w.peal.Delivery(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		return d.Status == status
	})
	return d.Timeline
}

// testPush is a push's whole life: the browser subscribes, shows it, is clicked, and Peal knows of all that.
func testPush(t *testing.T, w *world) {
	t.Helper()
	page, r := w.subscribed(t)
	devices, err := w.peal.Devices(t.Context(), w.user)
	if err != nil || len(devices.Devices) != 1 {
		t.Fatalf("%+v, %v", devices, err)
	}
	var browser struct{ Locale, Zone string }
	page.eval(t, `({ locale: navigator.language, zone: Intl.DateTimeFormat().resolvedOptions().timeZone })`, &browser)
	d := devices.Devices[0]
	if d.ID != r.InstallationID || d.Kind != "webpush" || d.AppID != w.app || d.Platform != "web" || d.AppVersion != "1.2" || d.Permission != "granted" ||
		d.State != "active" || d.Locale != browser.Locale || d.TimeZone != browser.Zone || d.AddressHint == "" {
		t.Errorf("the device is %+v; the browser %+v", d, browser)
	}

	badge := 3
	id := w.push(t, page, api.Push{
		Title: "Your order", Body: "It is on its way", Link: "https://shop.example/orders/17", CollapseKey: "order-17", Badge: &badge,
		Data: map[string]string{"order": "17"}, Actions: []api.PushAction{{ID: "track", Title: "Track it", Link: "https://shop.example/track/17"}},
	})
	w.reaches(t, id, "delivered")
	all := page.shown(t)
	if len(all) != 1 || all[0].Title != "Your order" || all[0].Body != "It is on its way" || all[0].Tag != "order-17" ||
		len(all[0].Actions) != 1 || all[0].Actions[0].Action != "track" || all[0].Actions[0].Title != "Track it" {
		t.Errorf("shown: %+v", all)
	}
	if opened := w.dispatch(t, "notificationclick", ""); !slices.Equal(opened, []string{"https://shop.example/orders/17"}) {
		t.Errorf("the click has opened %v", opened)
	}
	w.reaches(t, id, "read")
	if all := page.shown(t); len(all) != 0 {
		t.Errorf("still shown after the click: %+v", all)
	}
	var told []struct {
		Type    string
		Message struct {
			DeliveryID, Title string
			Data              map[string]string
		}
	}
	until(t, "the page was told of push and click", func() bool {
		page.eval(t, `told`, &told)
		return len(told) == 2
	})
	if m := told[0].Message; told[0].Type != "push" || told[1].Type != "click" || m.DeliveryID != id || m.Title != "Your order" || m.Data["order"] != "17" {
		t.Errorf("told: %+v", told)
	}
}

// testButtons: a button is reported by its name, and opens its own link; what is dismissed was delivered.
func testButtons(t *testing.T, w *world) {
	t.Helper()
	page, _ := w.subscribed(t)
	content := api.Push{Title: "Your order", Actions: []api.PushAction{{ID: "track", Title: "Track it", Link: "https://shop.example/track/17"}}}
	id := w.push(t, page, content)
	w.reaches(t, id, "delivered")
	if opened := w.dispatch(t, "notificationclick", "track"); !slices.Equal(opened, []string{"https://shop.example/track/17"}) {
		t.Errorf("the button has opened %v", opened)
	}
	if timeline := w.reaches(t, id, "read"); !reported(timeline, "action:track") {
		t.Errorf("the button is not in the timeline: %+v", timeline)
	}
	other := w.push(t, page, content)
	w.reaches(t, other, "delivered")
	if opened := w.dispatch(t, "notificationclose", ""); len(opened) != 0 {
		t.Errorf("what was dismissed has opened %v", opened)
	}
	if timeline := w.reaches(t, other, "delivered"); !reported(timeline, "dismissed") {
		t.Errorf("that it was dismissed is not in the timeline: %+v", timeline)
	}
}

func reported(timeline []api.Event, what string) bool {
	return slices.ContainsFunc(timeline, func(e api.Event) bool { return strings.Contains(e.Detail, what) })
}

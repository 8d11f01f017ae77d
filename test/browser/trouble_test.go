package browser

import (
	"strings"
	"testing"

	"peal/api"
)

// testOutage: what cannot be reported waits, and goes out with the next report, or at the next start of the app.
func testOutage(t *testing.T, w *world) {
	t.Helper()
	page, _ := w.subscribed(t)
	w.down.Store(true)
	first := w.push(t, page, short())
	w.came(t, page, 1)
	w.waits(t, page, 1)
	w.dispatch(t, "notificationclick", "")
	w.waits(t, page, 2)
	w.down.Store(false)
	second := w.push(t, page, short())
	w.reaches(t, second, "delivered")
	w.reaches(t, first, "read")
	w.waits(t, page, 0)

	w.down.Store(true)
	third := w.push(t, page, short())
	w.waits(t, page, 1)
	w.down.Store(false)
	page.eval(t, `peal.register()`, nil)
	w.reaches(t, third, "delivered")
	w.waits(t, page, 0)
}

// testSync: when the browser is back on the net it reports what waits, without a page and without another push.
func testSync(t *testing.T, w *world) {
	t.Helper()
	page, _ := w.subscribed(t)
	w.down.Store(true)
	id := w.push(t, page, short())
	w.waits(t, page, 1)
	w.down.Store(false)
	page.must(t, page.session, "ServiceWorker.dispatchSyncEvent", map[string]any{
		"origin": w.app, "registrationId": w.registration(t, page), "tag": "peal-receipts", "lastChance": false,
	}, nil)
	w.reaches(t, id, "delivered")
	w.waits(t, page, 0)
}

// testStaleToken: a worker whose token has expired has an open page get a new one, and reports with that.
func testStaleToken(t *testing.T, w *world) {
	t.Helper()
	page, _ := w.subscribed(t)
	w.stale.Store(true)
	if err := page.try(t, `peal.register()`, nil); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("with a token that has expired, and no better one: %v", err)
	}
	w.stale.Store(false)
	id := w.push(t, page, short())
	w.reaches(t, id, "delivered")
	w.waits(t, page, 0)
}

// testUnreportable: what Peal does not take is not tried for ever, and does not keep back what it takes.
func testUnreportable(t *testing.T, w *world) {
	t.Helper()
	page, _ := w.subscribed(t)
	w.down.Store(true)
	w.deliver(t, page, `{"notification":{"title":"Not one of ours","data":{"peal":{"delivery_id":"x"}}}}`)
	w.came(t, page, 1)
	w.dispatch(t, "notificationclick", strings.Repeat("x", 65)) // longer than a button's id may be: the whole request is refused
	w.waits(t, page, 2)
	w.down.Store(false)
	id := w.push(t, page, short())
	w.reaches(t, id, "delivered")
	w.waits(t, page, 0)
}

// testBound: a browser that cannot report for long keeps the latest 500 receipts.
func testBound(t *testing.T, w *world) {
	t.Helper()
	page, _ := w.subscribed(t)
	page.eval(t, `new Promise((resolve, reject) => {
		const open = indexedDB.open("peal");
		open.onsuccess = () => {
			const tx = open.result.transaction("receipts", "readwrite");
			for (let i = 0; i < 500; i++) tx.objectStore("receipts").add({ delivery_id: "d" + i, type: "opened", at: new Date().toISOString() });
			tx.oncomplete = () => { open.result.close(); resolve(); };
			tx.onabort = () => reject(tx.error);
		};
	})`, nil)
	w.waits(t, page, 500)
	w.down.Store(true)
	id := w.push(t, page, short())
	w.came(t, page, 1)
	w.waits(t, page, 500)
	w.down.Store(false)
	page.eval(t, `peal.register()`, nil)
	w.reaches(t, id, "delivered") // the last of them, in the last of five requests
	w.waits(t, page, 0)
}

// testPermissionTaken: when the user has taken the permission away the next start says so; nothing is asked, and when it is
// given again the next start knows.
func testPermissionTaken(t *testing.T, w *world) {
	t.Helper()
	page, _ := w.subscribed(t)
	for _, c := range []struct{ setting, permission string }{{"denied", "denied"}, {"prompt", "not_determined"}, {"granted", "granted"}} {
		w.permission(t, c.setting)
		page.visit(t, w.app+"/?"+c.setting)
		var r registration
		page.eval(t, `peal.register()`, &r)
		if r.Permission != c.permission || r.Subscribed != (c.setting == "granted") {
			t.Errorf("%s: register gives %+v", c.setting, r)
		}
		if d := w.device(t); d.Permission != c.permission || d.State != "active" {
			t.Errorf("%s: the device is %+v", c.setting, d)
		}
	}
}

// testKeyChanged: a subscription of another VAPID key is worthless: the next start makes a new one.
func testKeyChanged(t *testing.T, w *world) {
	t.Helper()
	page, before := w.subscribed(t)
	var old, renewed string
	page.eval(t, `known().json.endpoint`, &old)
	w.connect(t, "shop", api.Settings{Apps: []string{w.app}})
	page.visit(t, w.app+"/?again")
	var r registration
	page.eval(t, `peal.register()`, &r)
	page.eval(t, `known().json.endpoint`, &renewed)
	if !r.Subscribed || r.InstallationID != before.InstallationID || renewed == old {
		t.Errorf("%+v, %s after %s", r, renewed, old)
	}
	page.eval(t, `peal.register()`, nil)
	var same string
	if page.eval(t, `known().json.endpoint`, &same); same != renewed {
		t.Errorf("subscribed anew without need")
	}
	w.device(t)
}

// testSubscriptionChange: the browser itself has changed the subscription while no page was open.
func testSubscriptionChange(t *testing.T, w *world) {
	t.Helper()
	_, r := w.subscribed(t)
	before := w.device(t)
	sub, err := w.pushes.Subscribe(*w.vapid.Load())
	if err != nil {
		t.Fatal(err)
	}
	w.browser.worker(t, w.app).eval(t, `(async () => {
		const work = [], event = new ExtendableEvent("pushsubscriptionchange");
		event.newSubscription = { toJSON: () => (`+asJSON(t, sub)+`) };
		event.waitUntil = (p) => work.push(p);
		self.dispatchEvent(event);
		await Promise.all(work);
	})()`, nil)
	if d := w.device(t); d.ID != r.InstallationID || !d.RegisteredAt.After(before.RegisteredAt) || d.Permission != "granted" {
		t.Errorf("the device is %+v, and was %+v", d, before)
	}
}

// testUnsubscribe: Peal has forgotten the device, and a later start brings it not back.
func testUnsubscribe(t *testing.T, w *world) {
	t.Helper()
	page, r := w.subscribed(t)
	w.down.Store(true)
	if err := page.try(t, `peal.unsubscribe()`, nil); err == nil {
		t.Error("while Peal is away it does not fail")
	}
	w.down.Store(false)
	page.eval(t, `peal.unsubscribe()`, nil)
	page.eval(t, `peal.unsubscribe()`, nil) // twice is once
	var after registration
	page.eval(t, `peal.register()`, &after)
	list, err := w.peal.Devices(t.Context(), w.user)
	if err != nil || len(list.Devices) != 0 || after.Subscribed {
		t.Errorf("%+v, %v; register gives %+v", list, err, after)
	}
	var left bool
	if page.eval(t, `known() !== null`, &left); left {
		t.Error("the browser is still subscribed")
	}
	var again registration
	if page.eval(t, `peal.subscribe()`, &again); !again.Subscribed || again.InstallationID != r.InstallationID {
		t.Errorf("subscribed again: %+v", again)
	}
}

// testLogin: another user on the same browser takes the device over.
func testLogin(t *testing.T, w *world) {
	t.Helper()
	page, r := w.subscribed(t)
	w.user = "sita"
	page.eval(t, `peal.register()`, nil)
	if d := w.device(t); d.ID != r.InstallationID || d.UserID != "sita" {
		t.Errorf("%+v", d)
	}
	if list, err := w.peal.Devices(t.Context(), "raju"); err != nil || len(list.Devices) != 0 {
		t.Errorf("the first user still has %+v, %v", list, err)
	}
}

// testBeforeSubscribe: a start before the user wants anything registers nothing and asks nobody.
func testBeforeSubscribe(t *testing.T, w *world) {
	t.Helper()
	w.permission(t, "prompt")
	page := w.browser.open(t, w.app+"/")
	var r registration
	page.eval(t, `peal.register()`, &r)
	if r.Subscribed || r.Permission != "not_determined" || r.InstallationID == "" {
		t.Errorf("%+v", r)
	}
	w.permission(t, "denied")
	page.eval(t, `peal.subscribe()`, &r)
	if r.Subscribed || r.Permission != "denied" {
		t.Errorf("%+v", r)
	}
	list, err := w.peal.Devices(t.Context(), w.user)
	if err != nil || len(list.Devices) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// testSilent: nothing is shown of a silent push; the page is told, and it is reported as delivered.
func testSilent(t *testing.T, w *world) {
	t.Helper()
	page, _ := w.subscribed(t)
	id := w.push(t, page, api.Push{Silent: true, Data: map[string]string{"sync": "cart"}})
	w.reaches(t, id, "delivered")
	w.came(t, page, 1)
	told := false
	if page.eval(t, `told[0].message.silent && told[0].message.data.sync === "cart"`, &told); !told {
		t.Error("the page was told otherwise")
	}
	if all := page.shown(t); len(all) != 0 {
		t.Errorf("shown: %+v", all)
	}
	page.eval(t, `peal.reportOpened("`+id+`")`, nil) // the app has shown it itself
	w.reaches(t, id, "read")
}

// testForeign: whatever comes, something is shown: browsers demand it, and give up a site that shows nothing.
func testForeign(t *testing.T, w *world) {
	t.Helper()
	page, _ := w.subscribed(t)
	for i, text := range []string{"hello", `{"notification":{"title":"T","icon":"javascript:x","navigate":"javascript:alert(1)","actions":[{"action":"a","title":"A","icon":"https://["}]}}`, `{"web_push":8030}`} {
		w.deliver(t, page, text)
		w.came(t, page, i+1)
		if all := page.shown(t); len(all) != i+1 {
			t.Fatalf("shown after %s: %+v", text, all)
		}
	}
	for range 3 {
		for _, link := range w.dispatch(t, "notificationclick", "") {
			if link != w.app+"/" { // where there is no link that may be opened, the app is
				t.Errorf("opened %s", link)
			}
		}
	}
	if all := page.shown(t); len(all) != 0 {
		t.Errorf("still shown: %+v", all)
	}
}

func (w *world) device(t *testing.T) api.Device {
	t.Helper()
	list, err := w.peal.Devices(t.Context(), w.user)
	if err != nil || len(list.Devices) != 1 {
		t.Fatalf("%+v, %v; want one device", list, err)
	}
	return list.Devices[0]
}

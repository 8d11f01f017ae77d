package e2e_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"peal/api"
	"peal/client"
	"peal/emulator/wasender"
	"peal/emulator/whatsappcloud"
	"peal/internal/config"
	"peal/internal/peal"
)

// status is a webhook of Meta's with statuses of messages, each "wamid status".
func (c *cloud) statuses(told ...string) string {
	var all []string
	for _, s := range told {
		id, status, _ := strings.Cut(s, " ")
		failed := ""
		if status == "failed" {
			failed = `,"errors":[{"code":131026,"title":"Message undeliverable"}]`
		}
		all = append(all, fmt.Sprintf(`{"id":%q,"status":%q,"timestamp":"%d","recipient_id":"919812345678"%s}`, id, status, time.Now().Unix(), failed))
	}
	return `{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp","statuses":[` +
		strings.Join(all, ",") + `]}}]}]}`
}

// post posts a signed body to the account's address, as the documentation writes it.
func (w *world) post(t *testing.T, c *cloud, body string) {
	t.Helper()
	_, token, _ := strings.Cut(c.integration.WebhookURL, "/hooks/whatsapp_cloud/")
	a := w.do(t, "POST", "/hooks/whatsapp-cloud/"+token, "", body, "X-Hub-Signature-256", whatsappcloud.Sign(whatsappcloud.DefaultAppSecret, []byte(body)))
	if a.status != http.StatusOK {
		t.Errorf("a webhook is answered %d %s", a.status, a.body)
	}
}

// sentOver sends n messages and gives what Meta calls them, by delivery.
func (w *world) sentOver(t *testing.T, c *cloud, n int) map[string]string {
	t.Helper()
	wamids := map[string]string{}
	for i := range n {
		_, id := w.send(t, c.text(phone(), fmt.Sprint("message ", i)))
		wamids[id] = ""
	}
	for id := range wamids {
		wamids[id] = w.reaches(t, id, "sent").MessageID
	}
	return wamids
}

// TestBurstOfWebhooks: a burst while the database is away is taken to the last one, moves every row, and is kept: to be looked
// at, to be run through again, and through a restart.
func TestBurstOfWebhooks(t *testing.T) {
	t.Parallel()
	var db *wire
	w := setupWith(t, wasender.Options{Script: &wasender.Script{}}, func(c *config.Config) {
		if c.DatabaseURL != "" {
			db = wireTo(t, c)
		}
	})
	c := w.cloud(t, whatsappcloud.Options{WindowsOpen: true, Script: &whatsappcloud.Script{}})
	wamids := w.sentOver(t, c, 20)
	start := time.Now()
	db.cut(true)
	var posting sync.WaitGroup
	posted := 0
	for _, wamid := range wamids {
		posted += 4
		posting.Go(func() {
			for _, status := range []string{"read", "delivered", "sent", "delivered"} {
				w.post(t, c, c.statuses(wamid+" "+status))
			}
		})
	}
	posting.Go(func() { w.post(t, c, "not JSON") })
	posting.Wait()
	db.cut(false)
	for id := range wamids {
		eventually(t, id+" is read", func() error { // connections that were cut show it when they are used
			d, err := w.peal.Delivery(t.Context(), id)
			if err != nil {
				return err
			}
			return want("status and whether it was delivered", fmt.Sprint(d.Status, d.DeliveredAt != nil), "readtrue")
		})
	}
	eventually(t, "the one that is no webhook is set aside", func() error {
		return want("unreadable", w.metric(t, "peal_callbacks_unreadable_total"), 1)
	})
	w.kept(t, c, posted+1)
	w.restart(t) // and nothing is folded in again
	w.kept(t, c, posted+1)
	w.replayed(t, api.ReplayRequest{Integration: "cloud", Since: new(start.Add(-time.Minute))}, posted+1)
	w.replayed(t, api.ReplayRequest{Integration: "cloud", State: api.CallbackUnreadable}, 1)
	_, err := w.peal.ReplayCallbacks(t.Context(), api.ReplayRequest{Integration: "cloud", IDs: []string{"1.2", "U3", "webhook-1"}})
	if p := problemOf(err); p == nil || len(p.Errors) != 1 || p.Errors[0].Path != "ids[2]" {
		t.Errorf("a replay of what is no id: %v", err)
	}
	if n := w.metric(t, "peal_callbacks_unreadable_total"); n != 0 {
		t.Errorf("after the restart %v were set aside again", n)
	}
}

// kept checks what the archive shows.
func (w *world) kept(t *testing.T, c *cloud, n int) {
	t.Helper()
	seen, broken := 0, ""
	for b, err := range w.peal.Callbacks(t.Context(), client.CallbackQuery{Limit: 7}) {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; b.Unreadable != "" {
			broken = b.ID
		}
		if b.IntegrationID != c.integration.ID || b.ReceivedAt.IsZero() {
			t.Errorf("%+v", b)
		}
	}
	if seen != n {
		t.Errorf("%d are kept, want %d", seen, n)
	}
	page, err := w.peal.CallbackPage(t.Context(), client.CallbackQuery{State: api.CallbackUnreadable, Integration: "cloud"})
	if err != nil || len(page.Callbacks) != 1 {
		t.Fatalf("%+v, %v; want the broken one", page, err)
	}
	for _, id := range []string{broken, page.Callbacks[0].ID} {
		if b, err := w.peal.Callback(t.Context(), id); err != nil || b.Body != "not JSON" || b.Unreadable == "" || b.Error == "" || len(b.Facts) > 0 {
			t.Errorf("%+v, %v", b, err)
		}
	}
}

func (w *world) replayed(t *testing.T, req api.ReplayRequest, read int) {
	t.Helper()
	r, err := w.peal.ReplayCallbacks(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the replay ends", func() error {
		if r, err = w.peal.Replay(t.Context(), r.ID); err != nil {
			return err
		}
		return want("status", r.Status, "done")
	})
	if r.Read != int64(read) || r.Facts != int64(read-1) || r.Changed != 0 || r.Unreadable != 1 || r.Mended != 0 {
		t.Errorf("%+v", r)
	}
}

// wire stands between Peal and its database. A nil one is none.
type wire struct {
	to string
	l  net.Listener

	mu   sync.Mutex
	down bool
	open map[net.Conn]bool
}

func wireTo(t *testing.T, c *config.Config) *wire {
	t.Helper()
	u, err := url.Parse(string(c.DatabaseURL))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{to: u.Host, l: l, open: map[net.Conn]bool{}}
	u.Host = l.Addr().String()
	c.DatabaseURL = config.Secret(u.String())
	var carrying sync.WaitGroup
	carrying.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			carrying.Go(func() { w.carry(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		w.cut(true)
		carrying.Wait()
	})
	return w
}

func (w *wire) carry(from net.Conn) {
	defer from.Close() //nolint:errcheck // a test's
	to, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	defer to.Close() //nolint:errcheck // a test's
	w.mu.Lock()
	w.open[from], w.open[to] = true, true
	down := w.down
	w.mu.Unlock()
	if down {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(from, to)
		_ = from.Close()
	}()
	_, _ = io.Copy(to, from)
	_ = to.Close()
	<-done
}

// cut takes the database away, or gives it back.
func (w *wire) cut(down bool) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down = down; down {
		for c := range w.open {
			_ = c.Close()
		}
		w.open = map[net.Conn]bool{}
	}
}

// TestReceiptsInAnyOrder: shuffled, doubled and dropped, alone and several in a body, over both kinds of WhatsApp: the rows end
// where what was left of the receipts says.
func TestReceiptsInAnyOrder(t *testing.T) {
	t.Parallel()
	w := silent(t)
	c := w.cloud(t, whatsappcloud.Options{WindowsOpen: true, Script: &whatsappcloud.Script{}})
	draw := rapid.SliceOfN(rapid.SampledFrom([]peal.Status{peal.Sent, peal.Delivered, peal.Read, peal.Failed}), 0, 8)
	const each = 15
	var fates [][]peal.Status // of the messages over Meta, then of those over WasenderApi
	for seed := range 2 * each {
		fates = append(fates, draw.Example(seed))
	}
	ends := map[string]string{} // by delivery
	end := func(id string, told []peal.Status) {
		s := peal.Sent
		for _, seen := range told {
			s, _ = s.After(seen)
		}
		ends[id] = string(s)
	}
	var told, bodies []string
	i := 0
	for id, wamid := range w.sentOver(t, c, each) {
		end(id, fates[i])
		for _, s := range fates[i] {
			told = append(told, wamid+" "+string(s))
		}
		i++
	}
	words := map[peal.Status]int{peal.Sent: wasender.StatusSent, peal.Delivered: wasender.StatusDelivered, peal.Read: wasender.StatusRead, peal.Failed: wasender.StatusError}
	for ; i < 2*each; i++ {
		_, id := w.sendText(t, fmt.Sprint("message ", i))
		key := w.keyed(t, id)
		end(id, fates[i])
		for _, s := range fates[i] {
			bodies = append(bodies, update(key, words[s]))
		}
	}
	told = rapid.Permutation(told).Example(1)
	bodies = rapid.Permutation(bodies).Example(2)
	var posting sync.WaitGroup
	posting.Go(func() {
		for n := 1; len(told) > 0; n = n%5 + 1 {
			n = min(n, len(told))
			w.post(t, c, c.statuses(told[:n]...))
			told = told[n:]
		}
	})
	posting.Go(func() {
		for _, body := range bodies {
			if a := w.do(t, "POST", w.hook(), "", body, "X-Webhook-Signature", wasender.DefaultWebhookSecret); a.status != http.StatusOK {
				t.Errorf("%d %s", a.status, a.body)
			}
		}
	})
	posting.Wait()
	for id, end := range ends {
		w.reaches(t, id, end)
	}
}

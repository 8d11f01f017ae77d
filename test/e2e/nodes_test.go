package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"peal/api"
	"peal/client"
	"peal/emulator/wasender"
	"peal/internal/config"
)

// only the large size has more than one node.
func onlyLarge(t *testing.T) {
	t.Helper()
	if cluster == nil {
		t.Skip("only the large size has several nodes")
	}
}

// another starts a further node on the world's records and broker, with all roles or with these.
func (w *world) another(t *testing.T, roles ...string) *world {
	t.Helper()
	cfg := w.cfg
	cfg.Data, cfg.Roles = t.TempDir(), roles
	n := *w
	n.server = newServerOn(t, cfg)
	n.tampered = true // the audit is of the records, and made once
	n.peal = n.as(t, w.key)
	return &n
}

// TestOneKeyOverThreeNodes is a client that repeats itself to whoever answers: it is told, and sent, one thing.
func TestOneKeyOverThreeNodes(t *testing.T) {
	t.Parallel()
	onlyLarge(t)
	w := silent(t)
	nodes := []*world{w, w.another(t), w.another(t)}
	to := phone()
	body := fmt.Sprintf(`{"recipient":{"phone":%q},"integration":"wa","content":{"text":"once"}}`, to)
	answers := make([]answer, 100)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			var err error
			answers[i], err = nodes[i%3].try(t.Context(), http.MethodPost, "/v1/notifications", w.key, body, "Idempotency-Key", "the-one")
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	first := 0
	for _, a := range answers {
		if a.status != http.StatusAccepted || string(a.body) != string(answers[0].body) {
			t.Errorf("%d %s, where another was told %s", a.status, a.body, answers[0].body)
		}
		if a.header.Get("Idempotent-Replayed") == "" {
			first++
		}
	}
	if first != 1 {
		t.Errorf("%d of the requests were the first", first)
	}
	var accepted api.Accepted
	answers[0].decode(t, &accepted)
	w.reaches(t, accepted.Deliveries[0].ID, "sent")
	if n := w.emu.CountByRecipient(to); n != 1 {
		t.Errorf("the provider took it %d times", n)
	}
}

// TestRolesApart has a process for each role: together they are a Peal.
func TestRolesApart(t *testing.T) {
	t.Parallel()
	onlyLarge(t)
	w := setupWith(t, wasender.Options{}, func(c *config.Config) { c.Roles = []string{"accept", "route"} })
	sender := w.another(t, "send")
	_, id := w.sendText(t, "by three")
	w.reaches(t, id, "sent")
	w.another(t, "track")
	w.reaches(t, id, "read")
	a := sender.do(t, http.MethodGet, "/v1/notifications", w.key, "")
	if a.status != http.StatusNotFound || !strings.Contains(string(a.body), "role accept") {
		t.Errorf("a node that does not accept answers %d %s", a.status, a.body)
	}
	if a := sender.do(t, http.MethodGet, "/readyz", "", ""); a.status != http.StatusOK {
		t.Errorf("its health is %d %s", a.status, a.body)
	}
}

// TestAChangeIsSeenByAllNodes: what one node was told holds on the next request, whichever node that meets.
func TestAChangeIsSeenByAllNodes(t *testing.T) {
	t.Parallel()
	onlyLarge(t)
	w := silent(t)
	other := w.another(t)
	w.connect(t, "second")
	req := text(phone(), "x")
	req.Integration = "second"
	eventually(t, "the other node knows the integration", func() error {
		_, err := other.peal.Send(t.Context(), req)
		return err
	})
}

// TestTheLimitHoldsOverNodes stops the node that sends, and starts another, again and again: the provider counts no more
// than the limit in any second, gets each once, and nothing is in doubt.
func TestTheLimitHoldsOverNodes(t *testing.T) {
	t.Parallel()
	onlyLarge(t)
	const rate, total = 45, 900
	w := silent(t, func(s *api.Settings) { s.Limit = &api.Limit{Rate: rate, Period: "1s", Burst: rate} })
	nodes := []*world{w.another(t), w.another(t), w.another(t)}
	w.stop(t) // the first of four leaves: any may
	for from := 0; from < total; from += 300 {
		reqs := make([]api.NotificationRequest, 300)
		for i := range reqs {
			reqs[i] = text(phone(), fmt.Sprint("limited ", from+i))
		}
		if res, err := nodes[0].peal.SendBatch(t.Context(), reqs); err != nil || res.Accepted != len(reqs) {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	for i, at := range []float64{150, 350, 550} { // each node once, the owner among them
		eventually(t, fmt.Sprintf("%v are taken", at), func() error { return atLeast("taken", float64(w.emu.Counts().Accepted), at) })
		nodes[i].restartNode(t)
	}
	eventually(t, "all are taken", func() error { return want("taken", w.emu.Counts().Accepted, int64(total)) })
	for s, n := range w.emu.TextCounts() {
		if n != 1 {
			t.Errorf("%s was taken %d times", s, n)
		}
	}
	if most := w.emu.MaxArrivedInWindow(session, time.Second); most > rate {
		t.Errorf("%d were sent within a second; %d may be", most, rate)
	}
	page, err := nodes[0].peal.DeliveryPage(t.Context(), client.DeliveryQuery{Status: "uncertain"})
	if err != nil || len(page.Deliveries) > 0 {
		t.Errorf("in doubt after orderly stops: %+v, %v", page, err)
	}
}

// restartNode stops and starts a node.
func (w *world) restartNode(t *testing.T) {
	t.Helper()
	w.stop(t)
	w.start(t)
}

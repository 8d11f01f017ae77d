package crash

import (
	"context"
	"flag"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/client"
	"peal/emulator/wasender"
)

var (
	rounds = flag.Int("rounds", 6, "how often to kill Peal")
	seed   = flag.Uint64("seed", 0, "of the moments; 0 for another one each time")
)

const (
	tenant  = "acme"
	settle  = 45 * time.Second // how long what is in flight may take to end after the last start
	phases  = 3                // every third kill takes the broker's folder along
	soonest = 200 * time.Millisecond
	latest  = 1200 * time.Millisecond
)

func TestKilledUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED by -short: nobody has looked whether Peal survives being killed")
	}
	t.Parallel()
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("seed %d", *seed)
	moments := rand.New(rand.NewPCG(*seed, 1))

	emu := newEmulator(t)
	p := build(t)
	p.start(t)
	g := newGate(t, p)
	setUp(t, p, emu, g)
	l := newLoad(t, p, tenant)
	told := follow(t, l.peal)
	l.start()
	for round := range *rounds {
		wait := soonest + time.Duration(moments.Int64N(int64(latest-soonest)))
		select {
		case <-time.After(wait):
		case err := <-p.exited:
			t.Fatalf("peal ended by itself: %v\n%s", err, p.tail(20))
		}
		p.kill(t)
		if round%phases == phases/2 {
			p.wipe(t)
			g.forget()
		}
		p.start(t)
	}
	l.finish()
	rows := quiet(t, p, l)
	account(t, p, l, emu, rows)
	g.receipts(t, l, emu)
	told.whole(t, l)
}

// emulator is the provider, which the kills do not touch.
type emulator struct {
	*wasender.Server
	url string
}

// newEmulator takes a moment for each message, before it has taken it or before it says so: a kill meets calls on both
// sides. Some it refuses for the moment, so a kill meets retries that wait, too.
func newEmulator(t *testing.T) *emulator {
	t.Helper()
	script := wasender.StatusScript(50*time.Millisecond, wasender.StatusDelivered, wasender.StatusRead)
	emu := &emulator{Server: wasender.New(wasender.Options{Script: &script})}
	t.Cleanup(emu.Close)
	for i, f := range []wasender.Fault{
		{Kind: wasender.FaultStatus, Status: 503, Probability: 0.1},
		{Kind: wasender.FaultDelay, Delay: 15 * time.Millisecond, TakeFirst: true, Probability: 0.5},
		{Kind: wasender.FaultDelay, Delay: 15 * time.Millisecond, Every: true},
	} {
		f.Seed = *seed + uint64(i)
		if _, err := emu.AddFault(f); err != nil {
			t.Fatal(err)
		}
	}
	srv := httptest.NewServer(emu.Server)
	t.Cleanup(srv.Close)
	emu.url = srv.URL
	return emu
}

// setUp makes a tenant and its integration, and tells the emulator where webhooks go: through the gate.
func setUp(t *testing.T, p *process, emu *emulator, g *gate) {
	t.Helper()
	operator, err := client.New("http://"+p.addr, p.operator)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := operator.CreateTenant(t.Context(), api.TenantRequest{ID: tenant, Name: "Acme"}); err != nil {
		t.Fatal(err)
	}
	in, err := newLoad(t, p, tenant).peal.CreateIntegration(t.Context(), api.IntegrationRequest{
		Name: "wa", Kind: "wasender", Settings: api.Settings{
			BaseURL: emu.url + "/api", Limit: &api.Limit{}, LookupLimit: &api.Limit{}, RetryBase: "100ms", RetryCap: "1s", MaxAttempts: 20,
		},
		Credentials: map[string]string{"api_key": wasender.DefaultAPIKey, "webhook_secret": wasender.DefaultWebhookSecret},
	})
	if err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(in.WebhookURL, "http://"+p.addr)
	if _, err := emu.UpdateSession(1, func(s *wasender.Session) { s.WebhookURL = g.url + path }); err != nil {
		t.Fatal(err)
	}
}

// quiet waits until nothing is queued or being sent, and gives all rows.
func quiet(t *testing.T, p *process, l *load) []api.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), settle)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		var waiting []api.Delivery
		for _, status := range []string{"queued", "sending"} {
			page, err := l.peal.DeliveryPage(ctx, client.DeliveryQuery{Status: status, Limit: 10})
			if err != nil {
				t.Fatalf("read the log: %v", err)
			}
			waiting = append(waiting, page.Deliveries...)
		}
		if len(waiting) == 0 {
			break
		}
		select {
		case <-ctx.Done():
			for _, d := range waiting {
				t.Errorf("%s is still %s %s after the last start:\n%s", d.ID, d.Status, settle, strings.Join(p.lines(d.ID), "\n"))
			}
			t.FailNow()
		case <-again.C:
		}
	}
	var rows []api.Delivery
	for d, err := range l.peal.Deliveries(t.Context(), client.DeliveryQuery{Limit: 500}) {
		if err != nil {
			t.Fatalf("read the log: %v", err)
		}
		rows = append(rows, d)
	}
	return rows
}

// account holds what was promised against the log, and the log against what the provider took.
func account(t *testing.T, p *process, l *load, emu *emulator, rows []api.Delivery) {
	t.Helper()
	taken := emu.TextCounts()
	byText := map[string]int{}
	byNotification := map[string][]api.Delivery{}
	statuses := map[string]int{}
	complain := func(d *api.Delivery, format string, args ...any) {
		t.Helper()
		t.Errorf("%s, %s: "+format+"\n%s", append([]any{d.ID, d.Status}, append(args, strings.Join(p.lines(d.ID), "\n"))...)...)
	}
	for i := range rows {
		d := &rows[i]
		text := *d.Content.Text
		byText[text]++
		byNotification[d.NotificationID] = append(byNotification[d.NotificationID], *d)
		statuses[d.Status]++
		switch times := taken[text]; {
		case times > 1:
			complain(d, "the provider took it %d times", times)
		case slices.Contains([]string{"sent", "delivered", "read"}, d.Status) && times != 1:
			complain(d, "the provider never took it")
		case !slices.Contains([]string{"sent", "delivered", "read", "uncertain"}, d.Status):
			complain(d, "it did not end as it should: %s", d.ErrorReason)
		}
		if l.accepted[d.NotificationID] == "" && !l.maybe[text] {
			complain(d, "nobody asked for it, or another notification has its text %s", text)
		}
	}
	for id, text := range l.accepted {
		switch ds := byNotification[id]; {
		case len(ds) != 1:
			t.Errorf("notification %s was accepted and has %d rows", id, len(ds))
		case *ds[0].Content.Text != text:
			t.Errorf("notification %s says %q; %q was accepted", id, *ds[0].Content.Text, text)
		}
	}
	for text, n := range byText {
		if n != 1 {
			t.Errorf("%s has %d rows", text, n)
		}
	}
	for text := range taken {
		if byText[text] == 0 {
			t.Errorf("%s was sent, and there is no row of it", text)
		}
	}
	for _, sign := range []string{"DATA RACE", "panic", `"level":"ERROR"`} { // the first, where it was built with -race
		if found := p.lines(sign); len(found) > 0 {
			t.Errorf("the log has %d lines with %s, such as\n%s", len(found), sign, found[0])
		}
	}
	t.Logf("%d kills; %d accepted (%d repeats, %d of them replays), %d answers lost, %d rows %v", *rounds, len(l.accepted),
		l.repeated, l.replayed, len(l.maybe), len(rows), statuses)
	if len(l.accepted) < 50**rounds {
		t.Errorf("only %d notifications were accepted: that was no load", len(l.accepted))
	}
}

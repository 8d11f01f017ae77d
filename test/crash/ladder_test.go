package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"peal/api"
	"peal/client"
	"peal/emulator/fcm"
	"peal/emulator/wasender"
)

const (
	ladders     = 120 // users, each with a phone and one ladder
	ladderKills = 3
	ladderEvery = 175 * time.Millisecond // of each of so many workers:
	ladderHands = 6
	ladderLives = 800 * time.Millisecond // at least and, as long again, at most: a start takes a moment to send
	rungAfter   = 2 * time.Second
)

// climber is a user to whom a ladder is sent: a push to their phone, then WhatsApp.
type climber struct {
	user, token string
	answers     bool // their phone reports that the push has arrived
	dead        bool // their phone has no app any more

	sent     *client.Sent
	reported time.Time // when Peal said that it has the report; zero for never
}

// TestKilledOnLadders: however often the process is killed, no rung goes out twice, none before its turn and none after a
// receipt that had come before that; and where nothing came, or the first rung failed, the second one goes.
func TestKilledOnLadders(t *testing.T) { //nolint:paralleltest // as TestKilledWhileExpanding
	if testing.Short() {
		t.Skip("SKIPPED by -short: nobody has looked whether ladders survive being killed")
	}
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("seed %d", *seed)
	moments := rand.New(rand.NewPCG(*seed, 3))
	p := build(t)
	p.start(t)
	push, emu, l := ladderWorld(t, p)
	all := climbers(t, push, l.peal)
	var climbing sync.WaitGroup
	for i := range ladderHands {
		climbing.Go(func() {
			next := time.NewTicker(ladderEvery)
			defer next.Stop()
			for n := i; n < len(all); n += ladderHands {
				<-next.C
				climbing.Go(func() { all[n].climb(t, l.peal) })
			}
		})
	}
	for round := range ladderKills {
		select {
		case <-time.After(ladderLives + time.Duration(moments.Int64N(int64(ladderLives)))):
		case err := <-p.exited:
			t.Fatalf("peal ended by itself: %v\n%s", err, p.tail(20))
		}
		p.kill(t)
		if round == ladderKills/2 {
			p.wipe(t)
		}
		p.start(t)
	}
	climbing.Wait()
	rows := map[string][]api.Delivery{}
	for _, d := range quiet(t, p, l) {
		rows[d.NotificationID] = append(rows[d.NotificationID], d)
	}
	said := map[string][]wasender.Message{}
	for _, m := range emu.Messages(wasender.Query{}) {
		said[m.Text] = append(said[m.Text], m)
	}
	spared, states := 0, map[string]int{}
	for _, c := range all {
		ds := rows[c.sent.ID]
		if len(ds) != 2 {
			t.Errorf("%s has %d rows", c.user, len(ds))
			continue
		}
		slices.SortFunc(ds, func(a, b api.Delivery) int { return *a.Rung - *b.Rung })
		states[ds[0].Status+", then "+ds[1].Status]++
		if c.holds(t, ds, push.Taken(c.token), said[c.user]) {
			spared++
		}
		if t.Failed() {
			var told []string
			for _, d := range ds {
				if full, err := l.peal.Delivery(t.Context(), d.ID); err == nil {
					told = append(told, fmt.Sprintf("%s %s %+v", d.ID, d.Status, full.Timeline))
				}
			}
			t.Fatalf("%s, reported %v:\n%s\n%s", c.user, c.reported, strings.Join(told, "\n"),
				strings.Join(append(p.lines(ds[0].ID), p.lines(ds[1].ID)...), "\n"))
		}
	}
	operator, err := client.New("http://"+p.addr, p.operator)
	if err != nil {
		t.Fatal(err)
	}
	report, err := operator.Audit(t.Context(), api.AuditRequest{})
	if err != nil || report.DifferenceCount > 0 {
		t.Errorf("the audit finds %+v, %v", report, err)
	}
	for _, sign := range []string{"DATA RACE", "panic", `"level":"ERROR"`} {
		if found := p.lines(sign); len(found) > 0 {
			t.Errorf("the log has %d lines with %s, such as\n%s", len(found), sign, found[0])
		}
	}
	t.Logf("%d kills, %d ladders: %v; %d second rungs were needless in time", ladderKills, len(all), states, spared)
	if spared == 0 {
		t.Error("no receipt came in time: that shows nothing")
	}
}

// holds holds a ladder's end to what is promised, and tells whether a receipt came in time.
func (c *climber) holds(t *testing.T, ds []api.Delivery, pushed int64, said []wasender.Message) (inTime bool) {
	t.Helper()
	first, second := &ds[0], &ds[1]
	turn := first.CreatedAt.Add(rungAfter)
	inTime = !c.reported.IsZero() && c.reported.Before(turn)
	if pushed > 1 || len(said) > 1 {
		t.Errorf("%s was told %d and %d times", c.user, pushed, len(said))
	}
	switch {
	case inTime && (len(said) > 0 || second.Status != "canceled" || second.ErrorCode != "ladder_satisfied"):
		t.Errorf("%s was told twice, though the first receipt came before the turn of the second rung, which is %s", c.user, second.Status)
	case !c.dead && len(said) > 0 && said[0].TakenAt.Before(turn):
		t.Errorf("%s was told %v before the turn of the second rung", c.user, turn.Sub(said[0].TakenAt))
	case c.reported.IsZero() && !slices.Contains([]string{"sent", "uncertain"}, second.Status):
		t.Errorf("%s: no receipt came, and the second rung is %s", c.user, second.Status)
	case second.Status == "sent" && len(said) != 1:
		t.Errorf("%s: the second rung is sent, and was taken %d times", c.user, len(said))
	case c.dead && !slices.Contains([]string{"failed", "skipped", "uncertain"}, first.Status):
		t.Errorf("%s has no app any more, and the first rung is %s", c.user, first.Status)
	}
	return inTime
}

// ladderWorld is a tenant with an emulated FCM and WasenderApi. What is in doubt stays so: it is not sent again.
func ladderWorld(t *testing.T, p *process) (*fcm.Server, *wasender.Server, *load) {
	t.Helper()
	push := fcm.New(fcm.Options{})
	t.Cleanup(push.Close)
	srv := httptest.NewServer(push)
	t.Cleanup(srv.Close)
	push.SetURL(srv.URL)
	file, err := push.NewServiceAccount(project)
	if err != nil {
		t.Fatal(err)
	}
	emu := wasender.New(wasender.Options{Script: &wasender.Script{}})
	t.Cleanup(emu.Close)
	wa := httptest.NewServer(emu)
	t.Cleanup(wa.Close)
	// A call takes a moment, before it is taken or after: a kill meets both.
	if _, err := push.AddFault(fcm.Fault{Kind: fcm.FaultDelay, Delay: 20 * time.Millisecond, TakeFirst: true, Every: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := emu.AddFault(wasender.Fault{Kind: wasender.FaultDelay, Delay: 20 * time.Millisecond, Every: true}); err != nil {
		t.Fatal(err)
	}
	operator, err := client.New("http://"+p.addr, p.operator)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := operator.CreateTenant(t.Context(), api.TenantRequest{ID: tenant, Name: "Acme"}); err != nil {
		t.Fatal(err)
	}
	l := newLoad(t, p, tenant)
	settings := api.Settings{BaseURL: srv.URL, Limit: &api.Limit{}, LookupLimit: &api.Limit{}, RetryBase: "100ms", OnUnknown: "hold"}
	_, err = l.peal.CreateIntegration(t.Context(), api.IntegrationRequest{
		Name: "android", Kind: "fcm", Settings: api.Settings{BaseURL: srv.URL, Limit: &api.Limit{}, RetryBase: "100ms", OnUnknown: "hold"},
		Credentials: map[string]string{"service_account": string(file)},
	})
	if err == nil {
		settings.BaseURL = wa.URL + "/api"
		_, err = l.peal.CreateIntegration(t.Context(), api.IntegrationRequest{
			Name: "wa", Kind: "wasender", Settings: settings,
			Credentials: map[string]string{"api_key": wasender.DefaultAPIKey, "webhook_secret": wasender.DefaultWebhookSecret},
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return push, emu, l
}

// climbers are the users: of three one reports, one is silent, and one has no app any more.
func climbers(t *testing.T, push *fcm.Server, peal *client.Client) []*climber {
	t.Helper()
	all := make([]*climber, ladders)
	for i := range all {
		d, err := push.Register(fcm.Device{Project: project})
		if err != nil {
			t.Fatal(err)
		}
		c := &climber{user: fmt.Sprint("climber-", i), token: d.Token, answers: i%3 == 0, dead: i%3 == 1}
		if _, err = peal.PutDevice(t.Context(), c.user, "phone-of-"+c.user, api.DeviceRequest{Kind: "fcm_token", Token: c.token}); err != nil {
			t.Fatal(err)
		}
		if c.dead {
			if err := push.Unregister(c.token); err != nil {
				t.Fatal(err)
			}
		}
		all[i] = c
	}
	return all
}

// climb sends a ladder, however often that takes, and reports for the phone once the push was sent.
func (c *climber) climb(t *testing.T, peal *client.Client) {
	ctx, cancel := context.WithTimeout(t.Context(), settle)
	defer cancel()
	again := time.NewTicker(30 * time.Millisecond)
	defer again.Stop()
	until := func(f func() bool) {
		for ctx.Err() == nil && !f() {
			select {
			case <-again.C:
			case <-ctx.Done():
				t.Errorf("%s: %v", c.user, ctx.Err())
			}
		}
	}
	until(func() (ok bool) {
		sent, err := peal.Send(ctx, api.NotificationRequest{
			Recipient: api.Recipient{UserID: c.user, Phone: fmt.Sprintf("+9198%08d", len(c.user)+ladders)}, Content: api.Content{Text: &c.user},
			Ladder:         []api.Rung{{Channel: "push"}, {Integration: "wa", After: rungAfter.String()}},
			IdempotencyKey: c.user,
		})
		c.sent = sent
		return err == nil
	})
	if !c.answers || c.sent == nil {
		return
	}
	id := c.sent.Deliveries[0].ID
	until(func() bool {
		d, err := peal.Delivery(ctx, id)
		if err != nil || d.Status == "queued" || d.Status == "sending" {
			return false
		}
		res, err := peal.ReportReceipts(ctx, api.ClientReceipt{DeliveryID: id, Type: "delivered"})
		if err != nil || res.Results[0].Error != nil {
			return false
		}
		c.reported = time.Now()
		return true
	})
}

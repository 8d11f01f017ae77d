package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"peal/api"
	"peal/client"
	"peal/emulator/fcm"
)

const (
	crowd   = 5000 // devices
	sales   = 3    // notifications to all of them, each cut off in the middle
	project = "shop-17"
	moment  = 80 * time.Millisecond // within which the middle is
)

// TestKilledWhileExpanding: a notification to an audience is expanded to its end, each device planned for once, however
// often the process is killed on the way.
func TestKilledWhileExpanding(t *testing.T) { //nolint:paralleltest // see below
	if testing.Short() {
		t.Skip("SKIPPED by -short: nobody has looked whether audiences survive being killed")
	}
	// Not in parallel: a port that looks free may be that of another test's process, which was just killed.
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("seed %d", *seed)
	moments := rand.New(rand.NewPCG(*seed, 2))
	p := build(t)
	p.start(t)
	emu, peal := expandingWorld(t, p)
	var ids []string
	cut := 0
	for i := range sales {
		sent, err := peal.Send(t.Context(), api.NotificationRequest{
			Recipient: api.Recipient{Audience: &api.Audience{All: true}}, Priority: "bulk",
			Content: api.Content{Push: &api.Push{Title: "Shop", Body: fmt.Sprint("sale ", i)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, sent.ID)
		select {
		case <-time.After(time.Duration(moments.Int64N(int64(moment)))):
		case err := <-p.exited:
			t.Fatalf("peal ended by itself: %v\n%s", err, p.tail(20))
		}
		p.kill(t)
		if i == sales/2 {
			p.wipe(t)
		}
		p.start(t)
		n, err := peal.Notification(t.Context(), sent.ID)
		if err != nil {
			t.Fatal(err)
		}
		if n.Expansion.End == "" {
			cut++
		}
	}
	for _, id := range ids {
		expanded(t, p, peal, id)
	}
	operator, err := client.New("http://"+p.addr, p.operator)
	if err != nil {
		t.Fatal(err)
	}
	report, err := operator.Audit(t.Context(), api.AuditRequest{})
	if err != nil || report.DifferenceCount > 0 {
		t.Errorf("the audit finds %+v, %v", report, err)
	}
	if taken := emu.Counts().Accepted; taken < sales*crowd { // a call that was cut off is made again
		t.Errorf("%d were taken, want at least %d", taken, sales*crowd)
	}
	for _, sign := range []string{"DATA RACE", "panic", `"level":"ERROR"`} {
		if found := p.lines(sign); len(found) > 0 {
			t.Errorf("the log has %d lines with %s, such as\n%s", len(found), sign, found[0])
		}
	}
	t.Logf("%d of %d expansions had not ended when the process came back; %d were taken", cut, sales, emu.Counts().Accepted)
}

// expandingWorld is a tenant with an emulated FCM, and a crowd that has the app.
func expandingWorld(t *testing.T, p *process) (*fcm.Server, *client.Client) {
	t.Helper()
	emu := fcm.New(fcm.Options{AnyDevice: true})
	t.Cleanup(emu.Close)
	srv := httptest.NewServer(emu)
	t.Cleanup(srv.Close)
	emu.SetURL(srv.URL)
	file, err := emu.NewServiceAccount(project)
	if err != nil {
		t.Fatal(err)
	}
	operator, err := client.New("http://"+p.addr, p.operator)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := operator.CreateTenant(t.Context(), api.TenantRequest{ID: tenant, Name: "Acme"}); err != nil {
		t.Fatal(err)
	}
	peal := newLoad(t, p, tenant).peal
	_, err = peal.CreateIntegration(t.Context(), api.IntegrationRequest{
		Name: "android", Kind: "fcm", Settings: api.Settings{BaseURL: srv.URL, Limit: &api.Limit{}, RetryBase: "100ms", RetryCap: "1s", MaxAttempts: 20},
		Credentials: map[string]string{"service_account": string(file)},
	})
	if err != nil {
		t.Fatal(err)
	}
	next := make(chan int)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for i := range next {
				d, err := emu.Register(fcm.Device{Project: project})
				if err == nil {
					_, err = peal.PutDevice(context.WithoutCancel(t.Context()), fmt.Sprint("user-", i), fmt.Sprint("phone-", i), api.DeviceRequest{Kind: "fcm_token", Token: d.Token})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range crowd {
		next <- i
	}
	close(next)
	all.Wait()
	return emu, peal
}

// expanded waits until an audience has become deliveries and these were sent, and holds each device to one.
func expanded(t *testing.T, p *process, peal *client.Client, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), settle)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		n, err := peal.Notification(ctx, id)
		if err == nil && n.Expansion.End == "done" && n.Expansion.Planned == crowd && n.Counts["sent"] == crowd {
			break
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s after the last start: %+v, %v\n%s", settle, n, err, p.tail(20))
		case <-again.C:
		}
	}
	seen := map[string]bool{}
	for d, err := range peal.Deliveries(t.Context(), client.DeliveryQuery{NotificationID: id, Limit: 500}) {
		if err != nil {
			t.Fatal(err)
		}
		if seen[d.Recipient] {
			t.Errorf("%s has two deliveries", d.Recipient)
		}
		seen[d.Recipient] = true
	}
	if len(seen) != crowd {
		t.Errorf("%d devices have one, want %d", len(seen), crowd)
	}
}

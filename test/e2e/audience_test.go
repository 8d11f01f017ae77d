package e2e_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"peal/api"
	"peal/client"
	"peal/emulator/fcm"
	"peal/internal/peal"
	"peal/internal/store"
)

// crowd gives so many users a phone each, past the API, for it is many; every tenth of them does not want to be
// told anything. It gives the tokens of the others.
func (w *world) crowd(t *testing.T, f *firebase, n int) (tokens []string) {
	t.Helper()
	cfg := store.Config{URL: string(w.cfg.DatabaseURL), NodeID: "tests"}
	if cfg.URL == "" {
		cfg.Path = filepath.Join(w.cfg.Data, "peal.db")
	}
	s, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	next := make(chan peal.Device)
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for d := range next {
				if _, err := s.PutDevice(context.WithoutCancel(t.Context()), d); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range n {
		one, err := f.Register(fcm.Device{Project: project})
		if err != nil {
			t.Fatal(err)
		}
		d := peal.Device{
			TenantID: w.tenant, ID: fmt.Sprintf("phone-%05d", i), UserID: fmt.Sprint("user-", i), Kind: peal.DeviceFCMToken, Address: one.Token,
			Platform: "android", AppID: "shop", Permission: peal.Granted,
		}
		if i%10 == 3 {
			d.Permission = peal.Denied
		} else {
			tokens = append(tokens, one.Token)
		}
		next <- d
	}
	close(next)
	all.Wait()
	return tokens
}

func pushToAll(body string) api.NotificationRequest {
	return api.NotificationRequest{
		Recipient: api.Recipient{Audience: &api.Audience{AppID: "shop"}}, Content: api.Content{Push: &api.Push{Title: "Shop", Body: body}},
		Priority: "bulk",
	}
}

// expanded waits until an audience has become deliveries, and these have ended.
func (w *world) expanded(t *testing.T, id string) (n *api.Notification) {
	t.Helper()
	eventually(t, "the audience is expanded and sent to", func() (err error) {
		if n, err = w.peal.Notification(t.Context(), id); err != nil {
			return err
		}
		if n.Expansion == nil || n.Expansion.EndedAt == nil || n.Counts["queued"]+n.Counts["sending"] > 0 {
			return fmt.Errorf("it is %+v, %v", n.Expansion, n.Counts)
		}
		return nil
	})
	return n
}

// rows gives all deliveries of a notification, and fails the test if a device has two.
func (w *world) rows(t *testing.T, id string) map[string]api.Delivery {
	t.Helper()
	rows := map[string]api.Delivery{}
	for d, err := range w.peal.Deliveries(t.Context(), client.DeliveryQuery{NotificationID: id, Limit: 500}) {
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := rows[d.Recipient]; twice {
			t.Errorf("%s has two deliveries", d.Recipient)
		}
		rows[d.Recipient] = d
	}
	return rows
}

// TestAudience: one notification to everybody who has the app, through a stop in the middle, and beside another node where
// there is one. Each is sent it once.
func TestAudience(t *testing.T) {
	t.Parallel()
	w := silent(t)
	f := w.firebase(t)
	const total = 5000
	tokens := w.crowd(t, f, total)

	dry, err := w.peal.DryRun(t.Context(), pushToAll("dry"))
	if err != nil || len(dry.Deliveries) != 10 || dry.Audience == nil || dry.Audience.Queued != int64(len(tokens)) ||
		dry.Audience.Skipped["permission_denied"] != total-int64(len(tokens)) || f.Counts().Arrived != 0 {
		t.Fatalf("%+v, %v", dry, err)
	}
	nodes := []*world{w}
	if cluster != nil {
		nodes = append(nodes, w.another(t))
	}
	req := pushToAll("sale")
	req.IdempotencyKey = "the-sale"
	sent, err := w.peal.Send(t.Context(), req)
	if err != nil || !sent.Expanding || len(sent.Deliveries) != 0 {
		t.Fatalf("%+v, %v", sent, err)
	}
	eventually(t, "it has begun", func() error {
		n, err := w.peal.Notification(t.Context(), sent.ID)
		if err == nil && n.Expansion.Planned == 0 {
			err = fmt.Errorf("nothing is planned: %+v", n)
		}
		return err
	})
	for _, node := range nodes {
		node.restartNode(t)
	}
	n := w.expanded(t, sent.ID)
	if n.Status != "sent" || n.Expansion.Planned != total || n.Expansion.End != "done" || n.Counts["sent"] != int64(len(tokens)) ||
		n.Counts["skipped"] != total-int64(len(tokens)) || len(n.Deliveries) != 100 || n.Recipient.Audience == nil || n.Recipient.Audience.AppID != "shop" {
		t.Errorf("%+v %v, %d deliveries, to %+v", n.Expansion, n.Counts, len(n.Deliveries), n.Recipient)
	}
	for _, token := range tokens {
		if times := f.Taken(token); times != 1 {
			t.Errorf("%s… was sent it %d times", token[:8], times)
		}
	}
	if rows := w.rows(t, sent.ID); len(rows) != total || rows["phone-00003"].ErrorCode != "permission_denied" || rows["phone-00004"].UserID != "user-4" {
		t.Errorf("%d rows", len(rows))
	}
	again, err := w.peal.Send(t.Context(), req)
	if err != nil || !again.Replayed || again.ID != sent.ID {
		t.Errorf("a repeat: %+v, %v", again, err)
	}
}

// TestAudienceIsCanceled in the middle: what was not sent is not, and no more comes.
func TestAudienceIsCanceled(t *testing.T) {
	t.Parallel()
	w := silent(t)
	f := w.firebase(t, func(s *api.Settings) { s.Limit = &api.Limit{Rate: 50, Period: "1s"} })
	const total, quota = 1000, 400
	w.crowd(t, f, total)
	limit := quota
	if _, err := w.operator(t).UpdateTenant(t.Context(), w.tenant, api.TenantPatch{Limits: &api.Limits{Queued: &limit}}); err != nil {
		t.Fatal(err)
	}
	sent, err := w.peal.Send(t.Context(), pushToAll("sale"))
	if err != nil {
		t.Fatal(err)
	}
	var n *api.Notification
	eventually(t, "half of the quota waits", func() error {
		if n, err = w.peal.Notification(t.Context(), sent.ID); err != nil {
			return err
		}
		return atLeast("planned", float64(n.Expansion.Planned), quota/2)
	})
	if n.Status != "queued" || n.Expansion.EndedAt != nil || n.Counts["queued"] > quota/2 {
		t.Errorf("%+v %v", n.Expansion, n.Counts)
	}
	if _, err := w.peal.CancelNotification(t.Context(), sent.ID); err != nil {
		t.Fatal(err)
	}
	n = w.expanded(t, sent.ID)
	if n.Expansion.End != "canceled" || n.Expansion.Planned >= total || n.Counts["canceled"] == 0 ||
		n.Counts["canceled"]+n.Counts["sent"]+n.Counts["skipped"] != n.Expansion.Planned || f.Counts().Accepted >= quota/2 {
		t.Errorf("%+v %v, %d were taken", n.Expansion, n.Counts, f.Counts().Accepted)
	}
	if rows := w.rows(t, sent.ID); int64(len(rows)) != n.Expansion.Planned {
		t.Errorf("%d rows", len(rows))
	}
}

// TestAudienceRefused: what can never work is told at once.
func TestAudienceRefused(t *testing.T) {
	t.Parallel()
	w := silent(t)
	f := w.firebase(t, func(s *api.Settings) { s.Apps = []string{"shop"} })
	other := pushToAll("x")
	other.Recipient.Audience.AppID = "bank"
	for _, dry := range []bool{true, false} {
		var err error
		if dry {
			_, err = w.peal.DryRun(t.Context(), other)
		} else {
			_, err = w.peal.Send(t.Context(), other)
		}
		if p := problemOf(err); p == nil || p.Status != 422 || len(p.Errors) != 1 || p.Errors[0].Path != "recipient.audience.app_id" {
			t.Errorf("an app that nobody serves: %v", err)
		}
	}
	wa := pushToAll("x")
	wa.Integration = "wa"
	if p := problemOf(func() error { _, err := w.peal.Send(t.Context(), wa); return err }()); p == nil || p.Status != 422 {
		t.Errorf("over WhatsApp: %+v", p)
	}
	nobody, err := w.peal.Send(t.Context(), pushToAll("x"))
	if err != nil {
		t.Fatal(err)
	}
	if n := w.expanded(t, nobody.ID); n.Status != "skipped" || n.Expansion.Planned != 0 || f.Counts().Arrived != 0 {
		t.Errorf("an audience of nobody: %+v", n)
	}
}

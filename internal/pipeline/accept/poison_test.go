package accept_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"peal/api"
	"peal/internal/metrics"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/pipeline/accept"
	"peal/internal/store"
	"peal/internal/store/sqlitetest"
)

// planner plans one delivery each, and fails on some.
type planner struct{}

func (planner) Look(context.Context, string, []*api.NotificationRequest) (*pipeline.Looked, error) {
	return nil, nil
}

func (planner) PlanAudience(n *peal.Notification, _ *api.NotificationRequest) (*pipeline.Expansion, error) {
	return &pipeline.Expansion{TenantID: n.TenantID, NotificationID: n.ID, Request: []byte(`{}`), CreatedAt: n.CreatedAt}, nil
}

func (planner) DryRun(context.Context, *peal.Notification, *api.NotificationRequest) (*api.DryRun, error) {
	return &api.DryRun{}, nil
}

func (planner) Plan(_ context.Context, n *peal.Notification, req *api.NotificationRequest, _ *pipeline.Looked) ([]peal.Delivery, error) {
	if *req.Content.Text == "poison" {
		panic("a bug in a provider's check")
	}
	id, err := peal.DeliveryID(n.ID, "in", n.Phone)
	return []peal.Delivery{{
		TenantID: n.TenantID, ID: id, NotificationID: n.ID, IntegrationID: "in", Channel: peal.ChannelWhatsApp, Recipient: n.Phone,
		Payload: []byte(`{}`), Status: peal.Queued, CreatedAt: n.CreatedAt, UpdatedAt: n.CreatedAt,
	}}, err
}

// jobs counts what was published.
type jobs struct{ n int }

func (j *jobs) Publish(list []pipeline.Job) { j.n += len(list) }

// TestOnePoisonedItemDoesNotSinkTheOthers: an item whose check panics has an error of its own.
func TestOnePoisonedItemDoesNotSinkTheOthers(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.Context(), store.Config{Path: sqlitetest.Seed(t, filepath.Join(t.TempDir(), "peal.db"))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	published := &jobs{}
	stage := accept.New(accept.Config{Planner: planner{}, Records: s, Jobs: published, Metrics: metrics.New(), Now: time.Now})
	item := func(text string) accept.Item {
		return accept.Item{Request: &api.NotificationRequest{
			Recipient: api.Recipient{Phone: "+919812345678"}, Content: api.Content{Text: &text},
		}}
	}
	res, err := stage.Accept(t.Context(), "a", []accept.Item{item("one"), item("poison"), item("two")})
	if err != nil || len(res) != 3 {
		t.Fatalf("%+v, %v", res, err)
	}
	if res[0].Err != nil || res[2].Err != nil || peal.KindOf(res[1].Err) != peal.Internal || res[1].Err == nil {
		t.Errorf("%+v", res)
	}
	if published.n != 2 {
		t.Errorf("%d jobs, want 2", published.n)
	}
}

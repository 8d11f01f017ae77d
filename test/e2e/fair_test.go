package e2e_test

import (
	"fmt"
	"testing"

	"peal/api"
)

// TestACampaignDelaysNobody: a tenant queues far more than its integration may send. Another tenant's one notification goes
// out at once, and so does the first tenant's own one-time password.
func TestACampaignDelaysNobody(t *testing.T) {
	t.Parallel()
	w := silent(t, func(s *api.Settings) { s.Limit = &api.Limit{Rate: 20, Period: "1s", Burst: 1} })
	neighbour := w.newTenant(t, "neighbour")
	const campaign = 3000
	for from := 0; from < campaign; from += 1000 {
		reqs := make([]api.NotificationRequest, 1000)
		for i := range reqs {
			reqs[i] = text("+919812345678", fmt.Sprint("campaign ", from+i))
			reqs[i].Priority = "bulk"
		}
		if res, err := w.peal.SendBatch(t.Context(), reqs); err != nil || res.Accepted != len(reqs) {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	urgent := text(phone(), "your code is 123456")
	urgent.Priority = "critical"
	accepted, err := w.peal.Send(t.Context(), urgent)
	if err != nil {
		t.Fatal(err)
	}
	one, err := neighbour.peal.Send(t.Context(), text(phone(), "hello"))
	if err != nil {
		t.Fatal(err)
	}
	w.reaches(t, accepted.Deliveries[0].ID, "sent")
	eventually(t, "the neighbour's is sent", func() error {
		d, err := neighbour.peal.Delivery(t.Context(), one.Deliveries[0].ID)
		if err != nil {
			return err
		}
		return want("status", d.Status, "sent")
	})
	if n := w.emu.Counts().Accepted; n > campaign/2 {
		t.Errorf("the provider had %d by then: the campaign went first", n)
	}
}

package route_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"peal/api"
	"peal/internal/peal"
)

// words are what people said; asked are the look-ups.
type words struct {
	said  map[string][]peal.Consent
	asked *[][]string
}

func (w words) Consents(_ context.Context, _, _ string, ids []string) (map[string][]peal.Consent, error) {
	*w.asked = append(*w.asked, ids)
	return w.said, nil
}

// TestUnwanted: what recipients want is looked up once for a call, and those that are users one by one; who has not opted in
// is skipped where that is required, also while nobody has said anything.
func TestUnwanted(t *testing.T) {
	t.Parallel()
	out := peal.Consent{Category: peal.CategoryAll, State: peal.OptedOut, At: time.Now()}
	in := peal.Consent{Category: peal.CategoryMarketing, State: peal.OptedIn, At: time.Now()}
	plan := func(strict bool, said map[string][]peal.Consent, reqs ...*api.NotificationRequest) (reasons []string, asked [][]string) {
		t.Helper()
		p := planner()
		p.People = words{said, &asked}
		looked, err := p.Look(t.Context(), "one", reqs)
		if err != nil {
			t.Fatal(err)
		}
		for _, req := range reqs {
			n := peal.Notification{TenantID: "one", ID: peal.NewID(), Phone: req.Recipient.Phone, UserID: req.Recipient.UserID, CreatedAt: time.Now()}
			if strict {
				p.Integrations.(accounts)["one"][0].RequireOptIn = []string{peal.CategoryMarketing} //nolint:forcetypeassert // it is planner's
			}
			ds, err := p.Plan(t.Context(), &n, req, looked)
			if err != nil {
				t.Fatal(err)
			}
			reasons = append(reasons, ds[0].ErrorCode)
		}
		return reasons, asked
	}
	to := func(phone, category string) *api.NotificationRequest {
		r := request("x")
		r.Recipient, r.Category = api.Recipient{Phone: phone}, category
		return r
	}
	user := request("x")
	user.Recipient = api.Recipient{UserID: "u"} // +14155550100
	said := map[string][]peal.Consent{"+14155550100": {out}, "+14155550101": {in}}
	for name, c := range map[string]struct {
		strict bool
		said   map[string][]peal.Consent
		reqs   []*api.NotificationRequest
		want   []string
		asked  int
	}{
		"nobody said anything": {false, nil, []*api.NotificationRequest{to("+14155550100", ""), to("+14155550101", peal.CategoryMarketing)}, []string{"", ""}, 1},
		"one has opted out":    {false, said, []*api.NotificationRequest{to("+14155550100", ""), to("+14155550101", ""), to("+14155550102", "")}, []string{"opted_out", "", ""}, 1},
		"as a user":            {false, said, []*api.NotificationRequest{user, to("+14155550101", "")}, []string{"opted_out", ""}, 2},
		"strict": {true, said, []*api.NotificationRequest{to("+14155550101", peal.CategoryMarketing), to("+14155550102", peal.CategoryMarketing), to("+14155550102", peal.CategoryUtility), to("+14155550100", peal.CategoryMarketing)},
			[]string{"", "no_opt_in", "", "opted_out"}, 1},
		"strict while nobody said anything": {true, nil, []*api.NotificationRequest{to("+14155550102", peal.CategoryMarketing)}, []string{"no_opt_in"}, 1},
	} {
		got, asked := plan(c.strict, c.said, c.reqs...)
		if !slices.Equal(got, c.want) || len(asked) != c.asked {
			t.Errorf("%s: %q, asked %v; want %q", name, got, asked, c.want)
		}
	}
}

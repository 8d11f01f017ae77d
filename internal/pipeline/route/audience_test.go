package route_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/pipeline/route"
)

func toAll(r *api.NotificationRequest) {
	r.Recipient = api.Recipient{Audience: &api.Audience{All: true}}
}

func toApp(app string) func(*api.NotificationRequest) {
	return func(r *api.NotificationRequest) { r.Recipient = api.Recipient{Audience: &api.Audience{AppID: app}} }
}

// wrong tells the fields that an error names, and their codes.
func wrong(err error) string {
	var all []string
	if pe, ok := errors.AsType[*peal.Error](err); ok {
		for _, f := range pe.Fields {
			all = append(all, f.Path+" "+f.Code)
		}
	}
	return strings.Join(all, ", ")
}

func TestPlanAudience(t *testing.T) {
	t.Parallel()
	both := []*peal.Integration{pushAccount("apns", "apns"), pushAccount("fcm", "fcm"), pushAccount("shop", "fcm", "shop"), account("main")}
	text := func(r *api.NotificationRequest) {
		s := "hi"
		r.Content = api.Content{Text: &s}
	}
	for name, c := range map[string]struct {
		accounts []*peal.Integration
		req      *api.NotificationRequest
		want     string // the request that is kept, or the field that is wrong and its code
	}{
		"all":                        {both, push("x", toAll), `{"content":{"push":{"body":"x"}},"audience":{}}`},
		"text":                       {both, push("", toAll, text, channel("push")), `{"content":{"push":{"body":"hi"}},"audience":{}}`},
		"an app":                     {both, push("x", toApp("shop")), `{"content":{"push":{"body":"x"}},"audience":{"app_id":"shop"}}`},
		"over one integration":       {both, push("x", toApp("shop"), named("shop")), `{"content":{"push":{"body":"x"}},"audience":{"app_id":"shop"},"integration_id":"id-shop"}`},
		"an app that nobody serves":  {both[2:], push("x", toApp("other")), "recipient.audience.app_id not_found"},
		"not served by that one":     {both, push("x", toApp("other"), named("shop")), "recipient.audience.app_id not_found"},
		"too large for all kinds":    {both, push("01234567890", toAll), "content.push.body too_large, content.push.body too_large"},
		"too large for that one":     {both, push("01234567890", toAll, named("apns")), "content.push.body too_large"},
		"no push integration":        {both[3:], push("x", toAll), "integration not_found"},
		"over another channel":       {both, request("x", named("main"), toAll), "recipient.audience unsupported"},
		"what devices do not take":   {both, push("x", toAll, channel("push"), func(r *api.NotificationRequest) { r.Content = api.Content{Image: &api.Media{}} }), "content unsupported"},
		"text over several channels": {both, push("", toAll, text), "integration ambiguous"},
	} {
		p := &route.Planner{Integrations: accounts{"t": c.accounts}, Devices: &devices{}}
		now := time.Now()
		n := peal.Notification{TenantID: "t", ID: peal.NewID(), Priority: peal.Bulk, CreatedAt: now, SendAt: now.Add(time.Hour), ExpiresAt: now.Add(2 * time.Hour)}
		x, err := p.PlanAudience(&n, c.req)
		got := wrong(err)
		if err == nil {
			got = string(x.Request)
			x.Request = nil
			want := &pipeline.Expansion{TenantID: "t", NotificationID: n.ID, Priority: peal.Bulk, DueAt: n.SendAt, ExpiresAt: n.ExpiresAt, CreatedAt: now}
			if diff := cmp.Diff(want, x); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		if got != c.want {
			t.Errorf("%s: %q (%v), want %q", name, got, err, c.want)
		}
	}
}

func TestDryRunOfAnAudience(t *testing.T) {
	t.Parallel()
	d := &devices{}
	for i := range 26 {
		one := device(string(rune('a' + i)))
		switch {
		case i == 1:
			one.Permission = peal.Denied
		case i%5 == 0:
			apple(&one)
		}
		d.all = append(d.all, one)
	}
	p := &route.Planner{Integrations: accounts{"t": {pushAccount("fcm", "fcm")}}, Devices: d}
	n := peal.Notification{TenantID: "t", ID: peal.NewID(), CreatedAt: time.Now()}
	out, err := p.DryRun(t.Context(), &n, push("hi", toAll))
	if err != nil || len(out.Deliveries) != 10 || out.Deliveries[2].Request == nil || out.Deliveries[2].UserID != "u" {
		t.Fatalf("%+v, %v", out, err)
	}
	want := &api.DryRunAudience{Queued: 19, Skipped: map[string]int64{"permission_denied": 1, "no_integration": 6}}
	if diff := cmp.Diff(want, out.Audience); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if all, err := json.Marshal(out); err != nil || strings.Contains(string(all), "the-very-long") {
		t.Errorf("it shows a device's address: %s, %v", all, err)
	}
	out, err = p.DryRun(t.Context(), &n, push("hi", toAll, named("fcm"))) // those that another would reach are not meant
	if err != nil || out.Audience.Queued != 19 || len(out.Audience.Skipped) != 1 || len(out.Deliveries) != 10 {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := p.DryRun(t.Context(), &n, push("01234567890", toAll)); wrong(err) != "content.push.body too_large" {
		t.Errorf("what is refused: %v", err)
	}
}

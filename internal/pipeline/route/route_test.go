package route_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline/route"
	"peal/internal/provider"
)

// carrier is a kind that takes any text but "no".
type carrier struct{}

func (carrier) Name() string                                              { return "carrier" }
func (carrier) Channel() string                                           { return peal.ChannelWhatsApp }
func (carrier) Credentials() []provider.Credential                        { return nil }
func (carrier) Defaults() provider.Defaults                               { return provider.Defaults{} }
func (carrier) ParseWebhook(http.Header, []byte) ([]provider.Fact, error) { return nil, nil }
func (carrier) CheckWebhook(*peal.Integration, http.Header, []byte) bool  { return false }

func (carrier) Open(*peal.Integration, provider.Env) (provider.Client, error) {
	return nil, errors.New("not for calls")
}

func (carrier) CheckContent(c *api.Content) []peal.Field {
	switch {
	case c.Text == nil:
		return []peal.Field{{Code: "unsupported", Message: "only texts"}}
	case *c.Text == "no":
		return []peal.Field{{Path: "text", Code: "invalid", Message: "not that"}}
	}
	return nil
}

// accounts are the integrations by tenant.
type accounts map[string][]*peal.Integration

func (a accounts) OfTenant(tenantID string) []*peal.Integration { return a[tenantID] }

func (a accounts) Find(tenantID, ref string) *peal.Integration {
	for _, in := range a[tenantID] {
		if in.ID == ref || in.Name == ref {
			return in
		}
	}
	return nil
}

func (a accounts) Kind(name string) (provider.Kind, bool) {
	switch name {
	case "carrier":
		return carrier{}, true
	case "fcm":
		return pushCarrier{kind: name, devices: []peal.DeviceKind{peal.DeviceFCMToken, peal.DeviceFCMFID}}, true
	case "apns":
		return pushCarrier{kind: name, devices: []peal.DeviceKind{peal.DeviceAPNs}}, true
	}
	return nil, false
}

// people are phone numbers by tenant and user.
type people map[string]string

var errAway = errors.New("away")

func (p people) UserPhone(_ context.Context, tenantID, userID string) (phone, whatsappUserID string, err error) {
	if userID == "away" {
		return "", "", errAway
	}
	return p[tenantID+"/"+userID], "", nil
}

func account(name string) *peal.Integration {
	return &peal.Integration{ID: "id-" + name, Name: name, Kind: "carrier", Channel: peal.ChannelWhatsApp}
}

func planner() *route.Planner {
	odd := account("odd")
	odd.Kind = "unknown"
	return &route.Planner{
		Integrations: accounts{"one": {account("main")}, "two": {account("main"), account("second")}, "odd": {odd}},
		Users:        people{"one/u": "+14155550100"},
	}
}

func request(text string, change ...func(*api.NotificationRequest)) *api.NotificationRequest {
	req := &api.NotificationRequest{Content: api.Content{Text: &text}}
	for _, f := range change {
		f(req)
	}
	return req
}

func named(ref string) func(*api.NotificationRequest) {
	return func(r *api.NotificationRequest) { r.Integration = ref }
}

func channel(c string) func(*api.NotificationRequest) {
	return func(r *api.NotificationRequest) { r.Channel = c }
}

func TestPlan(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	n := peal.Notification{
		TenantID: "one", ID: peal.NewID(), Phone: "+14155552671", CreatedAt: now, SendAt: now.Add(time.Hour), ExpiresAt: now.Add(2 * time.Hour),
	}
	p := planner()
	ds, err := p.Plan(t.Context(), &n, request("hello"), nil)
	if err != nil || len(ds) != 1 {
		t.Fatalf("%+v, %v", ds, err)
	}
	d := ds[0]
	if d.TenantID != "one" || d.NotificationID != n.ID || d.IntegrationID != "id-main" || d.Recipient != n.Phone || d.Status != peal.Queued ||
		!d.DueAt.Equal(n.SendAt) || !d.ExpiresAt.Equal(n.ExpiresAt) || !d.CreatedAt.Equal(now) || d.Channel != peal.ChannelWhatsApp {
		t.Errorf("planned %+v", d)
	}
	var c api.Content
	if err := json.Unmarshal(d.Payload, &c); err != nil || c.Text == nil || *c.Text != "hello" {
		t.Errorf("the payload is %s, %v", d.Payload, err)
	}
	again, err := p.Plan(t.Context(), &n, request("hello"), nil)
	if err != nil || again[0].ID != d.ID || d.ID == "" {
		t.Errorf("the same plan has the ids %s and %s, %v", d.ID, again[0].ID, err)
	}
}

func TestWhichIntegration(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tenant string
		req    *api.NotificationRequest
		want   string // the integration, or the field that is wrong and its code
	}{
		"the only one":          {"one", request("x"), "id-main"},
		"of the channel":        {"one", request("x", channel("whatsapp")), "id-main"},
		"by name":               {"two", request("x", named("second")), "id-second"},
		"by id":                 {"two", request("x", named("id-second")), "id-second"},
		"one of two":            {"two", request("x"), "integration ambiguous"},
		"none":                  {"nobody", request("x"), "integration not_found"},
		"none of the channel":   {"one", request("x", channel("email")), "integration not_found"},
		"another tenant's":      {"one", request("x", named("second")), "integration not_found"},
		"of another channel":    {"one", request("x", named("main"), channel("email")), "channel conflict"},
		"of an unknown kind":    {"odd", request("x"), "integration not_found"},
		"refused content":       {"one", request("no"), "content.text invalid"},
		"content of other kind": {"one", &api.NotificationRequest{}, "content unsupported"},
	} {
		n := peal.Notification{TenantID: c.tenant, ID: peal.NewID(), Phone: "+14155552671"}
		ds, err := planner().Plan(t.Context(), &n, c.req, nil)
		got := ""
		var pe *peal.Error
		switch {
		case err == nil:
			got = ds[0].IntegrationID
		case errors.As(err, &pe) && pe.Kind == peal.Invalid && len(pe.Fields) == 1 && pe.Fields[0].Message != "":
			got = pe.Fields[0].Path + " " + pe.Fields[0].Code
		}
		if got != c.want {
			t.Errorf("%s: %q (%v), want %q", name, got, err, c.want)
		}
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	plan := func(user string) (peal.Delivery, error) {
		n := peal.Notification{TenantID: "one", ID: peal.NewID(), UserID: user, CreatedAt: time.Now(), SendAt: time.Now().Add(time.Hour)}
		ds, err := planner().Plan(t.Context(), &n, request("x"), nil)
		if err != nil {
			return peal.Delivery{}, err
		}
		return ds[0], nil
	}
	if d, err := plan("u"); err != nil || d.Recipient != "+14155550100" || d.Status != peal.Queued || d.UserID != "u" {
		t.Errorf("%+v, %v", d, err)
	}
	d, err := plan("unknown")
	if err != nil || d.Status != peal.Skipped || d.ErrorCode != route.ReasonNoPhone || d.ErrorReason == "" || d.EndedAt.IsZero() || !d.DueAt.IsZero() || d.ID == "" {
		t.Errorf("who cannot be reached is planned as %+v, %v", d, err)
	}
	if _, err := plan("away"); !errors.Is(err, errAway) {
		t.Errorf("when nobody can be asked: %v", err)
	}
}

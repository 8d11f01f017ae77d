package route_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/pipeline/route"
	"peal/internal/provider"
)

// pushCarrier is a kind that reaches devices, and takes bodies of up to ten bytes.
type pushCarrier struct {
	carrier

	kind    string
	devices []peal.DeviceKind
}

func (p pushCarrier) Name() string                        { return p.kind }
func (pushCarrier) Channel() string                       { return peal.ChannelPush }
func (p pushCarrier) Devices() []peal.DeviceKind          { return p.devices }
func (pushCarrier) CheckDevice(*peal.Device) []peal.Field { return nil }
func (p pushCarrier) CheckContent(c *api.Content) []peal.Field {
	if len(c.Push.Body) > 10 {
		return []peal.Field{{Path: "push.body", Code: "too_large", Message: p.kind + " takes 10 bytes"}}
	}
	return nil
}

func (p pushCarrier) Open(in *peal.Integration, env provider.Env) (provider.Client, error) {
	if in.Name == "dumb" {
		return dumbClient{}, nil
	}
	return previewer{}, nil
}

type dumbClient struct{ provider.Client }

func (dumbClient) Close() {}

type previewer struct{ dumbClient }

func (previewer) Preview(m *provider.Message) (provider.Preview, error) {
	body, err := json.Marshal(map[string]string{"token": m.Device.Address, "body": m.Content.Push.Body, "id": m.DeliveryID})
	return provider.Preview{URL: "https://push/" + m.Device.Address, Header: map[string]string{"X": m.Device.Auth}, Body: body}, err
}

// devices are those of all users; asked counts the look-ups.
type devices struct {
	all   []peal.Device
	asked [][]string
}

func (d *devices) DevicesOf(_ context.Context, tenantID string, users []string) (found []peal.Device, err error) {
	d.asked = append(d.asked, users)
	if slices.Contains(users, "away") {
		return nil, errAway
	}
	for _, one := range d.all {
		if one.TenantID == tenantID && slices.Contains(users, one.UserID) {
			found = append(found, one)
		}
	}
	return found, nil
}

func (d *devices) AudienceDevices(_ context.Context, tenantID string, a peal.Audience, after string, limit int) (found []peal.Device, next string, more bool, err error) {
	next = after
	for _, one := range d.of(tenantID, a) {
		if one.ID > after && len(found) < limit {
			found, next = append(found, one), one.ID
		}
	}
	return found, next, len(found) == limit, nil
}

func (d *devices) CountAudience(_ context.Context, tenantID string, a peal.Audience) (groups []peal.AudienceGroup, err error) {
	for _, one := range d.of(tenantID, a) {
		groups = append(groups, peal.AudienceGroup{Kind: one.Kind, AppID: one.AppID, Permission: one.Permission, Devices: 1})
	}
	return groups, nil
}

// of gives the devices of an audience.
func (d *devices) of(tenantID string, a peal.Audience) (found []peal.Device) {
	for _, one := range d.all {
		if one.TenantID == tenantID && (a.AppID == "" || a.AppID == one.AppID) && (a.Platform == "" || a.Platform == one.Platform) {
			found = append(found, one)
		}
	}
	return found
}

func pushAccount(name, kind string, apps ...string) *peal.Integration {
	return &peal.Integration{ID: "id-" + name, Name: name, Kind: kind, Channel: peal.ChannelPush, Apps: apps}
}

func device(id string, change ...func(*peal.Device)) peal.Device {
	d := peal.Device{
		TenantID: "t", UserID: "u", ID: id, Kind: peal.DeviceFCMToken, Address: "the-very-long-token-of-a-device-" + id, Platform: "android", Permission: peal.Granted,
		State: peal.DeviceActive,
	}
	for _, f := range change {
		f(&d)
	}
	return d
}

func apple(d *peal.Device) { d.Kind, d.Platform, d.AppID = peal.DeviceAPNs, "ios", "com.example" }

func retired(ago time.Duration) func(*peal.Device) {
	return func(d *peal.Device) {
		d.State, d.RetiredReason, d.RetiredAt = peal.DeviceRetired, "UNREGISTERED", time.Now().Add(-ago)
	}
}

func push(body string, change ...func(*api.NotificationRequest)) *api.NotificationRequest {
	req := &api.NotificationRequest{Recipient: api.Recipient{UserID: "u"}, Content: api.Content{Push: &api.Push{Body: body}}}
	for _, f := range change {
		f(req)
	}
	return req
}

// plan looks up and plans, as accept does. It tells the deliveries as "recipient integration status reason".
func plan(t *testing.T, p *route.Planner, req *api.NotificationRequest) ([]peal.Delivery, []string, error) {
	t.Helper()
	n := peal.Notification{TenantID: "t", ID: peal.NewID(), UserID: req.Recipient.UserID, Phone: req.Recipient.Phone, CreatedAt: time.Now()}
	found, err := p.Look(t.Context(), "t", []*api.NotificationRequest{req})
	if err != nil {
		return nil, nil, err
	}
	ds, err := p.Plan(t.Context(), &n, req, found)
	var told []string
	for _, d := range ds {
		told = append(told, strings.TrimRight(fmt.Sprintf("%s %s %s %s", d.Recipient, d.IntegrationID, d.Status, d.ErrorCode), " "))
		if d.ID == "" || d.Channel == "" || d.UserID != n.UserID || (d.Status == peal.Skipped) != (d.ErrorReason != "") || (d.Status == peal.Skipped) == d.EndedAt.IsZero() {
			t.Errorf("planned %+v", d)
		}
	}
	return ds, told, err
}

func TestPlanPush(t *testing.T) {
	t.Parallel()
	both := []*peal.Integration{pushAccount("apns", "apns"), pushAccount("fcm", "fcm"), pushAccount("shop", "fcm", "shop"), account("main")}
	for name, c := range map[string]struct {
		accounts []*peal.Integration
		devices  []peal.Device
		req      *api.NotificationRequest
		want     string // rows, or the field that is wrong and its code
	}{
		"each device over its kind":   {both, []peal.Device{device("a"), device("i", apple)}, push("x"), "a id-fcm queued; i id-apns queued"},
		"by app":                      {both, []peal.Device{device("a", func(d *peal.Device) { d.AppID = "shop" })}, push("x"), "a id-shop queued"},
		"a suspect one":               {both, []peal.Device{device("a", func(d *peal.Device) { d.State = peal.DeviceSuspect })}, push("x"), "a id-fcm queued"},
		"of a platform":               {both, []peal.Device{device("a"), device("i", apple)}, push("x", func(r *api.NotificationRequest) { r.Recipient.Platform = "ios" }), "i id-apns queued"},
		"none of the platform":        {both, []peal.Device{device("a")}, push("x", func(r *api.NotificationRequest) { r.Recipient.Platform = "ios" }), "  skipped no_device"},
		"no device":                   {both, nil, push("x"), "  skipped no_device"},
		"of another user and tenant":  {both, []peal.Device{device("a", func(d *peal.Device) { d.UserID = "v" }), device("b", func(d *peal.Device) { d.TenantID = "s" })}, push("x"), "  skipped no_device"},
		"permission denied":           {both, []peal.Device{device("a", func(d *peal.Device) { d.Permission = peal.Denied }), device("b")}, push("x"), "a id-fcm skipped permission_denied; b id-fcm queued"},
		"retired lately":              {both, []peal.Device{device("a", retired(time.Hour)), device("b")}, push("x"), "a id-fcm skipped device_retired; b id-fcm queued"},
		"retired long ago":            {both, []peal.Device{device("a", retired(30*24*time.Hour))}, push("x"), "  skipped no_device"},
		"no integration of the kind":  {both, []peal.Device{device("w", func(d *peal.Device) { d.Kind = peal.DeviceWebPush })}, push("x"), "w  skipped no_integration"},
		"no integration of the app":   {both[2:3], []peal.Device{device("a")}, push("x"), "a  skipped no_integration"},
		"over one integration":        {both, []peal.Device{device("a"), device("i", apple)}, push("x", named("apns")), "i id-apns queued"},
		"none over the integration":   {both, []peal.Device{device("a")}, push("x", named("apns")), " id-apns skipped no_device"},
		"text is a push":              {both, []peal.Device{device("a")}, push("x", channel("push"), func(r *api.NotificationRequest) { s := "hi"; r.Content = api.Content{Text: &s} }), "a id-fcm queued"},
		"text where there is only it": {both[:3], []peal.Device{device("a")}, push("x", func(r *api.NotificationRequest) { s := "hi"; r.Content = api.Content{Text: &s} }), "a id-fcm queued"},
		"text over several channels":  {both, []peal.Device{device("a")}, push("x", func(r *api.NotificationRequest) { s := "hi"; r.Content = api.Content{Text: &s} }), "integration ambiguous"},
		"text to a number": {both, nil, push("x", func(r *api.NotificationRequest) {
			s := "hi"
			r.Content, r.Recipient = api.Content{Text: &s}, api.Recipient{Phone: "+14155552671"}
		}), "+14155552671 id-main queued"},
		"empty text":           {both, nil, push("x", channel("push"), func(r *api.NotificationRequest) { s := " "; r.Content = api.Content{Text: &s} }), "content.text required"},
		"an image":             {both, nil, push("x", channel("push"), func(r *api.NotificationRequest) { r.Content = api.Content{Image: &api.Media{}} }), "content unsupported"},
		"too large for one":    {both, []peal.Device{device("a"), device("b")}, push("01234567890"), "content.push.body too_large"},
		"too large for both":   {both, []peal.Device{device("a"), device("i", apple)}, push("01234567890"), "content.push.body too_large, content.push.body too_large"},
		"too large for nobody": {both, []peal.Device{device("a", func(d *peal.Device) { d.Permission = peal.Denied })}, push("01234567890"), "a id-fcm skipped permission_denied"},
		"text too large":       {both, []peal.Device{device("a")}, push("x", channel("push"), func(r *api.NotificationRequest) { s := "01234567890"; r.Content = api.Content{Text: &s} }), "content.text too_large"},
		"mentions":             {both, nil, push("x", func(r *api.NotificationRequest) { r.Content.Mentions = []string{"+14155552671"} }), "content.mentions unsupported"},
		"reply":                {both, nil, push("x", func(r *api.NotificationRequest) { r.Content.ReplyTo = "1" }), "content.reply_to unsupported"},
		"nobody":               {both, nil, push("x", named("fcm"), func(r *api.NotificationRequest) { r.Recipient.UserID = "" }), "recipient.user_id required"},
		"no push integration":  {both[3:], nil, push("x"), "integration not_found"},
		"platform of no push":  {both, nil, request("x", named("main"), func(r *api.NotificationRequest) { r.Recipient = api.Recipient{Phone: "+14155552671", Platform: "ios"} }), "recipient.platform unsupported"},
	} {
		p := &route.Planner{Integrations: accounts{"t": c.accounts}, Users: people{}, Devices: &devices{all: c.devices}}
		_, rows, err := plan(t, p, c.req)
		got := strings.Join(rows, "; ")
		if pe, ok := errors.AsType[*peal.Error](err); ok {
			var wrong []string
			for _, f := range pe.Fields {
				wrong = append(wrong, f.Path+" "+f.Code)
			}
			got = strings.Join(wrong, ", ")
		}
		if got != c.want {
			t.Errorf("%s: %q (%v), want %q", name, got, err, c.want)
		}
	}
}

func TestAPushSaysTheSameEachTime(t *testing.T) {
	t.Parallel()
	d := &devices{all: []peal.Device{device("a"), device("b")}}
	p := &route.Planner{Integrations: accounts{"t": {pushAccount("fcm", "fcm")}}, Devices: d}
	n := peal.Notification{TenantID: "t", ID: peal.NewID(), UserID: "u", CreatedAt: time.Now()}
	text := "hi"
	req := &api.NotificationRequest{Recipient: api.Recipient{UserID: "u"}, Content: api.Content{Text: &text}}
	of := &pipeline.Looked{Devices: map[string][]peal.Device{"u": d.all}}
	first, err := p.Plan(t.Context(), &n, req, of)
	if err != nil {
		t.Fatal(err)
	}
	again, err := p.Plan(t.Context(), &n, req, of)
	if err != nil || len(first) != 2 || first[0].ID == first[1].ID || first[0].ID != again[0].ID || first[1].ID != again[1].ID {
		t.Errorf("%+v and then %+v, %v", first, again, err)
	}
	if got := string(first[0].Payload); got != `{"push":{"body":"hi"}}` {
		t.Errorf("the payload is %s", got)
	}
}

// TestDevicesAreLookedUpTogether: once for a whole call, each user once, and not at all where none is a push.
func TestDevicesAreLookedUpTogether(t *testing.T) {
	t.Parallel()
	d := &devices{}
	p := &route.Planner{Integrations: accounts{"t": {pushAccount("fcm", "fcm"), account("main")}, "whatsapp": {account("main")}}, Devices: d}
	var reqs []*api.NotificationRequest
	for i := range 1000 {
		reqs = append(reqs, push("x", func(r *api.NotificationRequest) { r.Recipient.UserID = fmt.Sprint("u", i%10) }))
		reqs = append(reqs, request("x", named("main"), func(r *api.NotificationRequest) { r.Recipient.UserID = "whatsapp" }))
	}
	for _, tenant := range []string{"whatsapp", "nobody"} {
		if found, err := p.Look(t.Context(), tenant, reqs); err != nil || found.Devices != nil || d.asked != nil {
			t.Errorf("%s: %v, %v, asked for %v", tenant, found, err, d.asked)
		}
	}
	if _, err := p.Look(t.Context(), "t", reqs); err != nil || len(d.asked) != 1 || len(d.asked[0]) != 10 {
		t.Errorf("asked for %v, %v", d.asked, err)
	}
	if _, err := p.Look(t.Context(), "t", []*api.NotificationRequest{push("x", func(r *api.NotificationRequest) { r.Recipient.UserID = "away" })}); !errors.Is(err, errAway) {
		t.Errorf("when nobody can be asked: %v", err)
	}
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	d := &devices{all: []peal.Device{
		device("a", func(d *peal.Device) { d.Auth = "shared-secret" }), device("b", func(d *peal.Device) { d.Permission = peal.Denied }), device("i", apple),
	}}
	p := &route.Planner{Integrations: accounts{"t": {pushAccount("fcm", "fcm"), pushAccount("dumb", "apns")}}, Devices: d}
	n := peal.Notification{TenantID: "t", ID: peal.NewID(), UserID: "u", CreatedAt: time.Now()}
	out, err := p.DryRun(t.Context(), &n, push("hi"))
	if err != nil || len(out.Deliveries) != 3 {
		t.Fatalf("%+v, %v", out, err)
	}
	a, b, i := out.Deliveries[0], out.Deliveries[1], out.Deliveries[2]
	if a.Status != "queued" || a.Request == nil || a.Recipient != "a" || a.IntegrationID != "id-fcm" || !strings.Contains(string(a.Request.Body), `"body":"hi"`) {
		t.Fatalf("of the first: %+v", a)
	}
	if all, err := json.Marshal(out); err != nil || strings.Contains(string(all), "the-very-long") || strings.Contains(string(all), "shared-secret") {
		t.Errorf("it shows a device's address: %s, %v", all, err)
	}
	if b.Status != "skipped" || b.Reason != "permission_denied" || b.Request != nil {
		t.Errorf("of the second: %+v", b)
	}
	if i.Status != "queued" || i.Request != nil {
		t.Errorf("of a provider that does not tell: %+v", i)
	}
	if _, err := p.DryRun(t.Context(), &n, push("01234567890")); peal.KindOf(err) != peal.Invalid {
		t.Errorf("what is refused: %v", err)
	}
}

package e2e_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"peal/api"
	"peal/client"
	"peal/emulator/wasender"
)

// victim is a tenant with one of everything, none of which moves by itself.
type victim struct {
	*world

	queued, queuedDelivery, delivered, uncertain, dead string // notification; deliveries
	user, keyID, device, userKey, replay, endpoint     string
	to, messageID, messageKey                          string
	contact, inbound                                   string // who wrote, and opted out; their message
}

// newVictim fills the world's tenant. Its integration ends paused.
func newVictim(t *testing.T) *victim {
	t.Helper()
	v := &victim{world: silent(t, oneAttempt, policy("hold")), user: "raju-of-acme"}
	v.to, v.delivered = v.sendText(t, "secret of acme: delivered")
	v.keyed(t, v.delivered)
	if err := v.emu.PlayStatus(v.emu.Messages(queryTo(v.to))[0].MsgID, wasender.StatusDelivered, wasender.Shape{}); err != nil {
		t.Fatal(err)
	}
	d := v.reaches(t, v.delivered, "delivered")
	v.messageID, v.messageKey = d.MessageID, d.MessageKey
	v.fault(t, wasender.Fault{Kind: wasender.FaultDropBefore})
	_, v.uncertain = v.sendText(t, "secret of acme: uncertain")
	v.reaches(t, v.uncertain, "uncertain")
	v.dead = values(v.world.dead(t, 1, 503))[0]
	v.pause(t)
	v.queued, v.queuedDelivery = v.send(t, text(phone(), "secret of acme: queued"))
	if _, err := v.peal.PutUser(t.Context(), v.user, api.UserRequest{Phone: phone()}); err != nil {
		t.Fatal(err)
	}
	v.keyID = v.adminKey(t, v.tenant, api.ScopeRead).ID
	v.device = "phone-of-raju-of-acme"
	if _, err := v.peal.PutDevice(t.Context(), v.user, v.device, api.DeviceRequest{Kind: "fcm_token", Token: "token-of-acme"}); err != nil {
		t.Fatal(err)
	}
	v.userKey = v.newUserKey(t).ID
	e, err := v.peal.CreateEndpoint(t.Context(), api.EndpointRequest{Name: "hook-of-acme", URL: "https://hook-of-acme.invalid/"})
	if err == nil {
		v.endpoint = e.ID
		_, err = v.peal.UpdateEndpoint(t.Context(), e.ID, api.EndpointPatch{Disabled: new(true)}) // so that it does not move
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := v.peal.ReplayCallbacks(t.Context(), api.ReplayRequest{Integration: v.integration.ID, State: api.CallbackUnreadable})
	if err != nil {
		t.Fatal(err)
	}
	v.replay = r.ID
	v.contact = phone()
	if _, err := v.emu.PlayInbound(wasender.Inbound{From: v.contact, Text: "secret of acme: written"}); err != nil {
		t.Fatal(err)
	}
	v.inbound = v.world.inbound(t, client.InboundQuery{From: v.contact}).ID
	if _, err := v.peal.ImportOptOuts(t.Context(), api.OptOut{Contact: v.contact}); err != nil {
		t.Fatal(err)
	}
	return v
}

// names are what nobody else may see of the victim.
func (v *victim) names() []string {
	return []string{
		"secret of acme", v.queued, v.queuedDelivery, v.delivered, v.uncertain, v.dead, v.user, v.keyID, v.device, v.userKey, v.replay, v.endpoint, v.to, v.messageID, v.messageKey,
		v.integration.ID, v.integration.WebhookURL, v.contact, v.inbound,
	}
}

// sight is all that the victim itself sees, to compare before and after.
func (v *victim) sight(t *testing.T) map[string]string {
	t.Helper()
	seen := map[string]string{}
	for _, path := range []string{
		"/v1/notifications/" + v.queued, "/v1/deliveries/" + v.queuedDelivery, "/v1/deliveries/" + v.delivered,
		"/v1/deliveries/" + v.uncertain, "/v1/deliveries/" + v.dead, "/v1/dead-letters/" + v.dead, "/v1/dead-letters/groups",
		"/v1/integrations", "/v1/keys", "/v1/users/" + v.user, "/v1/deliveries",
		"/v1/users/" + v.user + "/devices", "/v1/user-keys", "/v1/events?after=0&type=delivery.*", "/v1/callbacks", "/v1/endpoints/" + v.endpoint, "/v1/endpoints/" + v.endpoint + "/attempts",
		"/v1/inbound", "/v1/contacts/" + v.contact, "/v1/opt-outs",
	} {
		a := v.do(t, "GET", path, v.key, "")
		if a.status != http.StatusOK {
			t.Fatalf("the victim's GET %s: %d %s", path, a.status, a.body)
		}
		seen[path] = string(a.body)
	}
	return seen
}

// attack is a request that tenant B makes with things of the victim's, and what it is to be answered.
type attack struct {
	path, body string
	status     int
	code       string // of the problem, if it is one
	echoes     bool   // the answer says again what B has said
}

const (
	found    = http.StatusOK
	notFound = http.StatusNotFound
	nobody   = "00000000-0000-7000-8000-000000000000"
)

// attacks are at least one for every operation of the API, by its id in openapi.json: a new one needs its own here.
func (v *victim) attacks() map[string][]attack {
	lost := func(path string, body ...string) attack {
		return attack{path: path, body: strings.Join(body, ""), status: notFound, code: api.CodeNotFound}
	}
	operators := func(path, body string) []attack {
		return []attack{{path: path, body: body, status: http.StatusForbidden, code: api.CodeForbidden}}
	}
	text := `"content":{"text":"hi"}`
	n, d, dl, in, ep := "/v1/notifications/", "/v1/deliveries/", "/v1/dead-letters/", "/v1/integrations/", "/v1/endpoints/"+v.endpoint
	return map[string][]attack{
		"send": {
			{path: post, body: `{"recipient":{"phone":"+919812345678"},"integration":"` + v.integration.ID + `",` + text + `}`, status: 422, code: api.CodeInvalidRequest},
			{path: post, body: `{"recipient":{"user_id":"` + v.user + `"},"integration":"wa",` + text + `}`, status: 202}, // skipped: B has no such user
		},
		"send-batch": {
			{path: post + "/batch", body: `{"notifications":[{"recipient":{"phone":"+919812345678"},"integration":"` + v.integration.ID + `",` + text + `}]}`, status: 202},
		},
		"get-notification":    {lost(n + v.queued), lost(n + strings.ToUpper(v.queued))},
		"cancel-notification": {lost(n + v.queued + "/cancel")},
		"list-deliveries": {
			{path: "/v1/deliveries", status: found}, {path: "/v1/deliveries?status=delivered", status: found},
			{path: "/v1/deliveries?notification_id=" + v.queued, status: found}, {path: "/v1/deliveries?integration=" + v.integration.ID, status: found},
			{path: "/v1/deliveries?recipient=%2B" + v.to[1:], status: found}, {path: "/v1/deliveries?message_id=" + v.messageID, status: found},
			{path: "/v1/deliveries?message_id=" + v.messageKey, status: found},
		},
		"events": {
			{path: "/v1/events?after=0", status: found}, {path: "/v1/events?after=0&delivery_id=" + v.delivered, status: found},
			{path: "/v1/events?since=2020-01-01T00:00:00Z&notification_id=" + v.queued, status: found},
			{path: "/v1/events?after=0&integration=" + v.integration.ID, status: found},
		},
		"get-delivery":     {lost(d + v.delivered), lost(d + v.queuedDelivery), lost(d + v.dead), lost(d + v.uncertain)},
		"upload-media":     {lost(in+v.integration.ID+"/media", "x")},
		"mark-read":        {lost(in+v.integration.ID+"/read", `{"message_id":"wamid.x"}`)},
		"read-inbound":     {lost("/v1/inbound/"+nobody+"/read", `{}`)},
		"explain-delivery": {lost(d + v.delivered + "/explain"), lost(d + v.queuedDelivery + "/explain"), lost(d + v.dead + "/explain")},
		"resolve-delivery": {lost(d+v.uncertain+"/resolve", `{"as":"resend"}`), lost(d+v.uncertain+"/resolve", `{"as":"failed"}`)},
		"resolve-deliveries": {
			{path: d + "resolve", body: `{"filter":{"all":true},"as":"failed"}`, status: found}, {path: d + "resolve", body: `{"filter":{"ids":["` + v.uncertain + `"]},"as":"resend"}`, status: found},
			{path: d + "resolve", body: `{"filter":{"integration_id":"` + v.integration.ID + `"},"as":"sent"}`, status: found},
		},
		"list-dead-letters": {{path: "/v1/dead-letters", status: found}, {path: "/v1/dead-letters?integration=" + v.integration.ID, status: found}},
		"group-dead-letters": {
			{path: "/v1/dead-letters/groups", status: found},
		},
		"get-dead-letter":     {lost(dl + v.dead)},
		"redrive-dead-letter": {lost(dl + v.dead + "/redrive")},
		"discard-dead-letter": {lost(dl + v.dead + "/discard")},
		"redrive-dead-letters": {
			{path: dl + "redrive", body: `{"filter":{"all":true}}`, status: found}, {path: dl + "redrive", body: `{"filter":{"ids":["` + v.dead + `"]}}`, status: found},
			{path: dl + "redrive", body: `{"filter":{"integration_id":"` + v.integration.ID + `"}}`, status: found},
		},
		"discard-dead-letters": {
			{path: dl + "discard", body: `{"filter":{"all":true}}`, status: found}, {path: dl + "discard", body: `{"filter":{"ids":["` + v.dead + `"]}}`, status: found},
		},
		"list-integrations": {{path: "/v1/integrations", status: found}},
		"create-integration": { // a name is taken within its tenant only
			{path: "/v1/integrations", body: `{"name":"taken-by-acme","kind":"wasender","credentials":{"api_key":"k","webhook_secret":"12345678"}}`, status: 201},
		},
		"get-integration":    {lost(in + v.integration.ID), lost(in + "only-acme-has-it")},
		"update-integration": {lost(in+v.integration.ID, `{"name":"mine","credentials":{"api_key":"mine"}}`), lost(in+"only-acme-has-it", `{"name":"mine"}`)},
		"delete-integration": {lost(in + v.integration.ID), lost(in + "only-acme-has-it")},
		"pause-integration":  {lost(in + v.integration.ID + "/pause"), lost(in + "only-acme-has-it/pause")},
		"get-session":        {lost(in + v.integration.ID + "/session"), lost(in + "only-acme-has-it/session")},
		"connect-session":    {lost(in + v.integration.ID + "/session/connect"), lost(in + "only-acme-has-it/session/connect")},
		"get-session-qr":     {lost(in + v.integration.ID + "/session/qr"), lost(in + "only-acme-has-it/session/qr?format=png")},
		"resume-integration": {lost(in + v.integration.ID + "/resume")},
		"test-integration":   {lost(in+v.integration.ID+"/test", `{"to":"+919812345678"}`)},
		"list-templates":     {lost(in + v.integration.ID + "/templates"), lost(in + "only-acme-has-it/templates")},
		"get-template":       {lost(in + v.integration.ID + "/templates/paid")},
		"sync-templates":     {lost(in+v.integration.ID+"/templates/sync", "")},
		"list-endpoints":     {{path: "/v1/endpoints", status: found}},
		"create-endpoint": { // a name is taken within its tenant only
			{path: "/v1/endpoints", body: `{"name":"hook-of-acme","url":"https://peal.invalid/","types":["number.updated"]}`, status: 201},
		},
		"get-endpoint":           {lost(ep)},
		"update-endpoint":        {lost(ep, `{"name":"mine"}`), lost(ep, `{"disabled":false}`)},
		"delete-endpoint":        {lost(ep)},
		"rotate-endpoint":        {lost(ep+"/rotate", `{}`)},
		"test-endpoint":          {lost(ep + "/test")},
		"replay-endpoint":        {lost(ep+"/replay", `{"failed":true}`), lost(ep+"/replay", `{"since":"2020-01-01T00:00:00Z"}`)},
		"list-endpoint-attempts": {lost(ep + "/attempts")},
		"enable-endpoint":        {lost(ep+"/enable", `{"from":"now"}`)},

		"list-callbacks": {
			{path: "/v1/callbacks", status: found}, {path: "/v1/callbacks?integration=" + v.integration.ID, status: found},
			{path: "/v1/callbacks?state=unreadable", status: found}, {path: "/v1/callbacks?state=unreadable&integration=" + v.integration.ID, status: found},
		},
		"get-callback": {lost("/v1/callbacks/1"), lost("/v1/callbacks/2"), lost("/v1/callbacks/u1")},
		"replay-callbacks": {
			{path: "/v1/callbacks/replay", body: `{"integration":"` + v.integration.ID + `","since":"2020-01-01T00:00:00Z"}`, status: 422, code: api.CodeInvalidRequest},
			{path: "/v1/callbacks/replay", body: `{"integration":"wa","ids":["1","2","u1"]}`, status: 202},
		},
		"list-replays":      {{path: "/v1/callbacks/replays", status: found}},
		"get-replay":        {lost("/v1/callbacks/replays/" + v.replay)},
		"list-keys":         {{path: "/v1/keys", status: found}},
		"create-key":        {{path: "/v1/keys", body: `{"name":"k","scopes":["read"]}`, status: 201}},
		"revoke-key":        {lost("/v1/keys/" + v.keyID)},
		"get-user":          {lost("/v1/users/" + v.user)},
		"delete-user":       {lost("/v1/users/" + v.user)},
		"put-user":          {{path: "/v1/users/same-id", body: `{"phone":"+919800000000"}`, status: found}},
		"list-devices":      {{path: "/v1/users/someone/devices", status: found}},
		"put-device":        {{path: "/v1/users/mine/devices/mine", body: `{"kind":"fcm_token","token":"token-of-acme"}`, status: 201}}, // an address is taken within its tenant only
		"delete-device":     {lost("/v1/users/" + v.user + "/devices/" + v.device)},
		"get-client-config": {{path: "/v1/client", status: found}},
		"report-receipts":   {{path: "/v1/receipts", body: `{"delivery_id":"` + v.queuedDelivery + `","type":"opened"}`, status: 202, echoes: true}},
		"list-inbound": {
			{path: "/v1/inbound", status: found}, {path: "/v1/inbound?from=%2B" + v.contact[1:], status: found},
			{path: "/v1/inbound?integration=" + v.integration.ID, status: found}, {path: "/v1/inbound?delivery_id=" + v.delivered, status: found},
		},
		"get-inbound":       {lost("/v1/inbound/" + v.inbound)},
		"get-inbound-media": {lost("/v1/inbound/" + v.inbound + "/media")},
		"get-contact":       {{path: "/v1/contacts/" + v.contact, status: found, echoes: true}},
		"get-consents":      {{path: "/v1/contacts/" + v.contact + "/consents", status: found}},
		"list-opt-outs":     {{path: "/v1/opt-outs", status: found}},
		"import-opt-outs":   {{path: "/v1/opt-outs", body: `{"opt_outs":[{"contact":"+919800000001"}]}`, status: found}},
		"put-consents":      {{path: "/v1/contacts/" + v.contact + "/consents", body: `{"consents":[{"state":"in"}]}`, status: found, echoes: true}},
		"list-user-keys":    {{path: "/v1/user-keys", status: found}},
		"create-user-key":   {{path: "/v1/user-keys", body: `{"name":"k","algorithm":"HS256"}`, status: 201}},
		"revoke-user-key":   {lost("/v1/user-keys/" + v.userKey)},
		"backup":            operators("/v1/backup", ""),
		"list-tenants":      operators("/v1/tenants", ""),
		"create-tenant":     operators("/v1/tenants", `{"name":"Mine"}`),
		"get-tenant":        operators("/v1/tenants/"+v.tenant, ""),
		"update-tenant":     operators("/v1/tenants/"+v.tenant, `{"disabled":true}`),
		"audit":             operators("/v1/audit", `{"tenant":"`+v.tenant+`"}`),
	}
}

// operation is one of the API, as its document has it.
type operation struct{ id, method, path string }

// operations reads them from openapi.json.
func (s *server) operations(t *testing.T) []operation {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
		} `json:"paths"`
	}
	s.do(t, "GET", "/openapi.json", "", "").decode(t, &doc)
	var all []operation
	for path, methods := range doc.Paths {
		for method, o := range methods {
			all = append(all, operation{o.OperationID, strings.ToUpper(method), path})
		}
	}
	if len(all) == 0 {
		t.Fatal("openapi.json has no operations")
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.id, b.id) })
	return all
}

// estimate is of the queue, and moves with time; and so does the end of the event log, which tenants share, and when a webhook came last.
var estimate = regexp.MustCompile(`"queue":\{[^}]*\},|"next":"[^"]*"|,"last_(webhook|receipt)_at":"[^"]*"`)

// TestTenantIsolation: whatever tenant B asks for with the ids of tenant A, it is told that there is no such thing, sees
// nothing of A and changes nothing of A, over every route that there is.
func TestTenantIsolation(t *testing.T) {
	t.Parallel()
	v := newVictim(t)
	v.connect(t, "only-acme-has-it")
	v.connect(t, "taken-by-acme")
	if _, err := v.peal.PutUser(t.Context(), "same-id", api.UserRequest{Phone: "+919811111111"}); err != nil {
		t.Fatal(err)
	}
	b := v.newTenant(t, "evil")
	before := v.sight(t)
	attacks := v.attacks()
	for _, o := range v.operations(t) {
		of := attacks[o.id]
		delete(attacks, o.id)
		if len(of) == 0 {
			t.Errorf("%s %s has no isolation case: add one to attacks", o.method, o.path)
		}
		for _, x := range of {
			v.attack(t, o, x, b.key)
		}
	}
	for id := range attacks {
		t.Errorf("there is no operation %s any more: take its case out", id)
	}
	after := v.sight(t)
	for path, was := range before {
		if is := after[path]; estimate.ReplaceAllString(is, "") != estimate.ReplaceAllString(was, "") {
			t.Errorf("A's GET %s has changed\nfrom %s\nto   %s", path, was, is)
		}
	}
	if u, err := v.peal.User(t.Context(), "same-id"); err != nil || u.Phone != "+919811111111" {
		t.Errorf("A's user of the same id: %+v, %v", u, err)
	}
	if ten, err := v.operator(t).Tenant(t.Context(), v.tenant); err != nil || ten.Disabled {
		t.Errorf("tenant A: %+v, %v", ten, err)
	}
	b.skipped(t)
}

func (v *victim) attack(t *testing.T, o operation, x attack, key string) {
	t.Helper()
	a := v.do(t, o.method, x.path, key, x.body)
	if a.status != x.status {
		t.Errorf("%s %s %s: %d %s, want %d", o.method, x.path, x.body, a.status, a.body, x.status)
	}
	if x.code != "" && a.problem(t).Code != x.code {
		t.Errorf("%s %s: %s, want code %s", o.method, x.path, a.body, x.code)
	}
	for _, name := range v.names() {
		if strings.Contains(string(a.body), name) && (!x.echoes || !strings.Contains(x.path+x.body, name)) {
			t.Errorf("%s %s shows B %q of A: %s", o.method, x.path, name, a.body)
		}
	}
	// With A named in the header B's key is no use at all.
	if a := v.do(t, o.method, x.path, key, x.body, api.TenantHeader, v.tenant); a.status < 400 || strings.HasPrefix(o.path, "/v1/tenants") && a.status != 403 {
		t.Errorf("%s %s in the name of A: %d %s", o.method, x.path, a.status, a.body)
	}
}

// skipped checks that B's notification to A's user reached nobody.
func (o *other) skipped(t *testing.T) {
	t.Helper()
	for d, err := range o.peal.Deliveries(t.Context(), client.DeliveryQuery{}) {
		if err != nil || d.Status != "skipped" || d.Recipient != "" {
			t.Errorf("B has sent: %+v, %v", d, err)
		}
	}
}

// TestForeignWebhook: B's webhook address and secret move nothing of A's, though it names A's message.
func TestForeignWebhook(t *testing.T) {
	t.Parallel()
	v := newVictim(t)
	b := v.newTenant(t, "evil")
	as := *v.world
	as.integration = b.integration
	parked := v.metric(t, "peal_receipts_parked_total")
	a := v.do(t, "POST", as.hook(), "", update(v.messageKey, wasender.StatusRead), "X-Webhook-Signature", wasender.DefaultWebhookSecret)
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	eventually(t, "it is parked", func() error { return want("parked", v.metric(t, "peal_receipts_parked_total"), parked+1) })
	if d := v.delivery(t, v.delivered); d.Status != "delivered" {
		t.Errorf("A's delivery is %s", d.Status)
	}
	// Nor does it let B say that A's session is gone.
	a = v.do(t, "POST", as.hook(), "", `{"event":"session.status","data":{"status":"logged_out"}}`, "X-Webhook-Signature", wasender.DefaultWebhookSecret)
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	eventually(t, "B's integration is paused", func() error {
		in, err := b.peal.Integration(t.Context(), "wa")
		if err != nil {
			return err
		}
		return want("paused", in.Paused != nil && in.Paused.Code == "session", true)
	})
	v.paused(t, "manual")
}

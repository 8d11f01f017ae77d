package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/client"
)

// operator is who may call what no tenant may.
const operator = "operator"

// need is the scope that an operation needs, and a body that is right.
type need struct{ scope, body string }

// needs are of every operation, by its id in openapi.json.
func needs() map[string]need {
	const text = `{"recipient":{"phone":"+919812345678"},"integration":"wa","content":{"text":"hi"}}`
	return map[string]need{
		"send": {api.ScopeSend, text}, "send-batch": {api.ScopeSend, `{"notifications":[` + text + `]}`}, "cancel-notification": {api.ScopeSend, ""},
		"put-user": {api.ScopeSend, `{}`}, "delete-user": {api.ScopeSend, ""},

		"get-notification": {api.ScopeRead, ""}, "list-deliveries": {api.ScopeRead, ""}, "get-delivery": {api.ScopeRead, ""}, "explain-delivery": {api.ScopeRead, ""}, "get-session": {api.ScopeRead, ""}, "connect-session": {api.ScopeAdmin, ""}, "get-session-qr": {api.ScopeAdmin, ""},
		"list-dead-letters": {api.ScopeRead, ""}, "group-dead-letters": {api.ScopeRead, ""}, "get-dead-letter": {api.ScopeRead, ""}, "events": {api.ScopeRead, ""},
		"list-integrations": {api.ScopeRead, ""}, "get-integration": {api.ScopeRead, ""}, "get-user": {api.ScopeRead, ""},

		"list-inbound": {api.ScopeRead, ""}, "get-inbound": {api.ScopeRead, ""}, "get-inbound-media": {api.ScopeRead, ""},
		"upload-media": {api.ScopeSend, "x"}, "mark-read": {api.ScopeSend, `{"message_id":"wamid.x"}`}, "read-inbound": {api.ScopeSend, `{}`},
		"get-contact": {api.ScopeRead, ""}, "get-consents": {api.ScopeRead, ""}, "list-opt-outs": {api.ScopeRead, ""},
		"put-consents":    {api.ScopeSend, `{"consents":[{"state":"in"}]}`},
		"import-opt-outs": {api.ScopeSend, `{"opt_outs":[{"contact":"+919812345678"}]}`},

		"list-devices": {api.ScopeRead, ""}, "put-device": {api.ScopeDevices, `{"kind":"fcm_token","token":"t"}`},
		"delete-device": {api.ScopeDevices, ""}, "get-client-config": {api.ScopeDevices, ""},
		"report-receipts": {api.ScopeDevices, `{"delivery_id":"` + nobody + `","type":"opened"}`},

		"list-user-keys": {api.ScopeAdmin, ""}, "create-user-key": {api.ScopeAdmin, `{"name":"k","algorithm":"HS256"}`}, "revoke-user-key": {api.ScopeAdmin, ""},

		"resolve-delivery": {api.ScopeAdmin, `{"as":"sent"}`}, "resolve-deliveries": {api.ScopeAdmin, `{"filter":{"all":true},"as":"sent"}`}, "redrive-dead-letter": {api.ScopeAdmin, ""}, "discard-dead-letter": {api.ScopeAdmin, ""},
		"redrive-dead-letters": {api.ScopeAdmin, `{"filter":{"all":true}}`}, "discard-dead-letters": {api.ScopeAdmin, `{"filter":{"all":true}}`},
		"create-integration": {api.ScopeAdmin, `{"name":"x","kind":"wasender","credentials":{"api_key":"k","webhook_secret":"12345678"}}`},
		"update-integration": {api.ScopeAdmin, `{"name":"x"}`}, "delete-integration": {api.ScopeAdmin, ""}, "pause-integration": {api.ScopeAdmin, ""},
		"resume-integration": {api.ScopeAdmin, ""}, "test-integration": {api.ScopeAdmin, `{"to":"+919812345678"}`},
		"list-templates": {api.ScopeRead, ""}, "get-template": {api.ScopeRead, ""}, "sync-templates": {api.ScopeAdmin, ""},
		"list-endpoints": {api.ScopeRead, ""}, "get-endpoint": {api.ScopeRead, ""}, "list-endpoint-attempts": {api.ScopeRead, ""},
		"create-endpoint": {api.ScopeAdmin, `{"name":"x","url":"https://peal.invalid/","types":["number.updated"]}`},
		"update-endpoint": {api.ScopeAdmin, `{"name":"y"}`}, "delete-endpoint": {api.ScopeAdmin, ""}, "rotate-endpoint": {api.ScopeAdmin, `{}`},
		"test-endpoint": {api.ScopeAdmin, ""}, "replay-endpoint": {api.ScopeAdmin, `{"failed":true}`}, "enable-endpoint": {api.ScopeAdmin, `{}`},

		"list-callbacks": {api.ScopeAdmin, ""}, "get-callback": {api.ScopeAdmin, ""}, "list-replays": {api.ScopeAdmin, ""}, "get-replay": {api.ScopeAdmin, ""},
		"replay-callbacks": {api.ScopeAdmin, `{"integration":"wa","state":"unreadable"}`},
		"list-keys":        {api.ScopeAdmin, ""}, "create-key": {api.ScopeAdmin, `{"name":"k","scopes":["admin"]}`}, "revoke-key": {api.ScopeAdmin, ""},

		"list-tenants": {operator, ""}, "create-tenant": {operator, `{"name":"T"}`}, "get-tenant": {operator, ""}, "update-tenant": {operator, `{"name":"T"}`},
		"audit":  {operator, `{}`},
		"backup": {operator, ""},
	}
}

// TestScopes: over every route, a key does what its scope says and nothing else; without a good key nothing is done.
func TestScopes(t *testing.T) {
	t.Parallel()
	w := silent(t)
	w.pause(t)
	keys := map[string]string{
		api.ScopeSend: w.adminKey(t, w.tenant, api.ScopeSend).Secret, api.ScopeRead: w.adminKey(t, w.tenant, api.ScopeRead).Secret,
		api.ScopeDevices: w.adminKey(t, w.tenant, api.ScopeDevices).Secret, api.ScopeAdmin: w.key, operator: operatorKey,
	}
	table := needs()
	for _, o := range w.operations(t) {
		n, ok := table[o.id]
		delete(table, o.id)
		if !ok {
			t.Errorf("%s %s has no scope here: add it to needs", o.method, o.path)
			continue
		}
		path := strings.NewReplacer("{id}", nobody, "{installation_id}", nobody, "{contact}", "+919812345678").Replace(o.path)
		for who, key := range keys {
			a := w.do(t, o.method, path, key, n.body)
			allowed := who == n.scope || who == api.ScopeAdmin && n.scope != operator
			if refused := a.status == http.StatusForbidden; refused == allowed {
				t.Errorf("%s %s with scope %s: %d %s", o.method, path, who, a.status, a.body)
			}
			if !allowed && a.problem(t).Code != api.CodeForbidden {
				t.Errorf("%s %s with scope %s: %s", o.method, path, who, a.body)
			}
		}
		for _, key := range []string{"", "x", "peal_", keys[api.ScopeAdmin][:len(keys[api.ScopeAdmin])-1], operatorKey + "x", operatorKey[:24]} {
			if a := w.do(t, o.method, path, key, n.body); a.status != http.StatusUnauthorized || a.problem(t).Code != api.CodeUnauthorized {
				t.Errorf("%s %s with the key %.10q: %d %s", o.method, path, key, a.status, a.body)
			}
		}
		if n.scope == operator {
			continue
		}
		// The operator acts for a tenant that it names; one that is not there is told so.
		if a := w.do(t, o.method, path, operatorKey, n.body, api.TenantHeader, w.tenant); a.status == 401 || a.status == 403 {
			t.Errorf("%s %s by the operator for the tenant: %d %s", o.method, path, a.status, a.body)
		}
		if a := w.do(t, o.method, path, operatorKey, n.body, api.TenantHeader, "nobody"); a.status != http.StatusNotFound {
			t.Errorf("%s %s by the operator for no tenant: %d %s", o.method, path, a.status, a.body)
		}
	}
	for id := range table {
		t.Errorf("there is no operation %s any more", id)
	}
}

// TestWebhookURLIsForAdmins: the address that lets webhooks in is a secret; who may only read does not get it.
func TestWebhookURLIsForAdmins(t *testing.T) {
	t.Parallel()
	w := silent(t)
	token := w.integration.WebhookURL[strings.LastIndex(w.integration.WebhookURL, "/")+1:]
	if len(token) < 40 {
		t.Errorf("token %q can be guessed", token)
	}
	read := w.adminKey(t, w.tenant, api.ScopeRead).Secret
	for _, path := range []string{"/v1/integrations", "/v1/integrations/wa"} {
		if a := w.do(t, "GET", path, read, ""); a.status != 200 || strings.Contains(string(a.body), token) {
			t.Errorf("GET %s with scope read: %d %s", path, a.status, a.body)
		}
		if a := w.do(t, "GET", path, w.key, ""); !strings.Contains(string(a.body), token) {
			t.Errorf("GET %s with scope admin: %d %s", path, a.status, a.body)
		}
	}
}

// TestKeyLife: a key works until it is revoked or has expired, and from then on at once no more.
func TestKeyLife(t *testing.T) {
	t.Parallel()
	w := silent(t)
	get := func(key string) int { return w.do(t, "GET", "/v1/deliveries", key, "").status }
	k := w.adminKey(t, w.tenant, api.ScopeRead)
	if !strings.HasPrefix(k.Secret, "peal_") || get(k.Secret) != 200 {
		t.Fatalf("a new key does not work: %+v", k)
	}
	if err := w.peal.RevokeKey(t.Context(), k.ID); err != nil {
		t.Fatal(err)
	}
	if got := get(k.Secret); got != 401 {
		t.Errorf("a revoked key: %d", got)
	}
	expires := time.Now().Add(1500 * time.Millisecond).UTC().Truncate(time.Microsecond)
	short, err := w.peal.CreateKey(t.Context(), api.KeyRequest{Name: "short", Scopes: []string{"read"}, ExpiresAt: &expires})
	if err != nil {
		t.Fatal(err)
	}
	for asked := time.Now(); asked.Before(expires); asked = time.Now() {
		if got := get(short.Secret); got != 200 && time.Now().Before(expires) {
			t.Fatalf("%v before it expires: %d", time.Until(expires), got)
		}
	}
	if got := get(short.Secret); got != 401 {
		t.Errorf("an expired key: %d", got)
	}
	list, err := w.peal.Keys(t.Context())
	if err != nil || len(list.Keys) != 3 {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, k := range list.Keys {
		if k.Secret != "" {
			t.Error("the list shows a secret")
		}
		if (k.ID == list.Keys[1].ID) != (k.RevokedAt != nil) {
			t.Errorf("revoked: %+v", k)
		}
	}
}

// TestDisabledTenant: a tenant that is disabled is refused at once and can be let in again; what it was promised goes out.
func TestDisabledTenant(t *testing.T) {
	t.Parallel()
	w := setup(t)
	yes, no := true, false
	req, due := later(phone(), time.Second)
	_, id := w.send(t, req)
	if _, err := w.operator(t).UpdateTenant(t.Context(), w.tenant, api.TenantPatch{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v1/deliveries", "/v1/keys", "/v1/integrations/wa"} {
		if a := w.do(t, "GET", path, w.key, ""); a.status != http.StatusForbidden || a.problem(t).Code != api.CodeTenantDisabled {
			t.Errorf("GET %s: %d %s", path, a.status, a.body)
		}
	}
	if a := w.do(t, "POST", post, w.key, body(phone(), "hi")); a.status != http.StatusForbidden || a.problem(t).Code != api.CodeTenantDisabled {
		t.Errorf("POST: %d %s", a.status, a.body)
	}
	operator := w.operator(t, client.WithTenant(w.tenant))
	eventually(t, "what was accepted goes out", func() error {
		d, err := operator.Delivery(t.Context(), id)
		if err != nil {
			return err
		}
		return want("read", d.Status == "read" && !d.SentAt.Before(due), true)
	})
	if _, err := w.operator(t).UpdateTenant(t.Context(), w.tenant, api.TenantPatch{Disabled: &no}); err != nil {
		t.Fatal(err)
	}
	if _, id := w.sendText(t, "back"); id == "" {
		t.Error("no delivery")
	}
}

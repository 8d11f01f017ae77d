package e2e_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"peal/api"
	"peal/client"
	"peal/internal/usertoken"
)

// newUserKey makes a key of the tenant's that signs user tokens.
func (w *world) newUserKey(t *testing.T) *api.UserKey {
	t.Helper()
	k, err := w.peal.CreateUserKey(t.Context(), api.UserKeyRequest{Name: "tests", Algorithm: usertoken.HS256})
	if err != nil {
		t.Fatalf("make user key: %v", err)
	}
	w.watched.watch(k.Secret)
	return k
}

// userToken is what the tenant's backend gives to an app of the user's.
func userToken(t *testing.T, k *api.UserKey, user string) string {
	t.Helper()
	token, err := usertoken.Sign(k.ID, k.Secret, user, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// app is an app of the user's.
func (w *world) app(t *testing.T, k *api.UserKey, user string) *client.Client {
	t.Helper()
	c, err := client.NewUser(base, func(context.Context) (string, error) { return userToken(t, k, user), nil }, client.WithHTTPClient(w.http))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// code is that of the problem that a call failed with; empty when it did not.
func code(err error) string {
	if p := problemOf(err); p != nil {
		return p.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// TestUsers: what is said of a user is given back, all of it, until it is said anew.
func TestUsers(t *testing.T) {
	t.Parallel()
	w := silent(t)
	req := api.UserRequest{
		Phone: "+919812345678", Email: "raju@example.com", Locale: "en-IN", TimeZone: "Asia/Kolkata",
		Attributes: json.RawMessage(`{"plan":"gold","tags":["a"]}`),
	}
	put, err := w.peal.PutUser(t.Context(), "raju", req)
	if err != nil {
		t.Fatal(err)
	}
	want := &api.User{
		ID: "raju", Phone: req.Phone, Email: req.Email, Locale: req.Locale, TimeZone: req.TimeZone, Attributes: req.Attributes, UpdatedAt: put.UpdatedAt,
	}
	got, err := w.peal.User(t.Context(), "raju")
	if err != nil || cmp.Diff(got, want) != "" || cmp.Diff(put, want) != "" {
		t.Errorf("%v, %s, %s", err, cmp.Diff(got, want), cmp.Diff(put, want))
	}
	if _, err := w.peal.PutUser(t.Context(), "raju", api.UserRequest{Email: "r@example.com"}); err != nil {
		t.Fatal(err)
	}
	if got, err = w.peal.User(t.Context(), "raju"); err != nil || got.Phone != "" || got.Attributes != nil || got.Email != "r@example.com" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := w.peal.PutDevice(t.Context(), "raju", "phone", api.DeviceRequest{Kind: "fcm_token", Token: "t"}); err != nil {
		t.Fatal(err)
	}
	if err := w.peal.DeleteUser(t.Context(), "raju"); err != nil {
		t.Fatal(err)
	}
	if list, err := w.peal.Devices(t.Context(), "raju"); err != nil || len(list.Devices) != 0 {
		t.Errorf("devices of who was forgotten: %+v, %v", list, err)
	}
}

func TestUserRefusals(t *testing.T) {
	t.Parallel()
	w := silent(t)
	for body, path := range map[string]string{
		`{"phone":"9812345678"}`: "phone", `{"email":"raju"}`: "email", `{"email":"Raju <raju@example.com>"}`: "email",
		`{"locale":"en_IN"}`: "locale", `{"time_zone":"Mars/Olympus"}`: "time_zone", `{"time_zone":"../../etc/passwd"}`: "time_zone",
		`{"time_zone":"Local"}`: "time_zone", `{"attributes":[1]}`: "attributes", `{"attributes":"x"}`: "attributes", `{"colour":"red"}`: "colour",
		`{"attributes":{"a":"` + strings.Repeat("x", 8<<10) + `"}}`: "attributes",
	} {
		a := w.do(t, "PUT", "/v1/users/u", w.key, body)
		if a.status != http.StatusUnprocessableEntity || len(a.problem(t).Errors) != 1 || a.problem(t).Errors[0].Path != path {
			t.Errorf("%.60s: %d %s, want a word on %s", body, a.status, a.body, path)
		}
	}
	for _, ok := range []string{`{}`, `{"attributes":null}`, `{"attributes":{}}`, `{"attributes":{"a":"` + strings.Repeat("x", 8<<10-8) + `"}}`} {
		if a := w.do(t, "PUT", "/v1/users/u", w.key, ok); a.status != http.StatusOK {
			t.Errorf("%.60s: %d %s", ok, a.status, a.body)
		}
	}
}

// TestUserTokenScope: over every route, a user token does what an app needs for its own user and nothing else.
func TestUserTokenScope(t *testing.T) {
	t.Parallel()
	w := silent(t)
	w.pause(t)
	token := userToken(t, w.newUserKey(t), "raju")
	mine := map[string]int{"put-device": 201, "list-devices": 200, "delete-device": 204, "get-client-config": 200, "report-receipts": 202}
	table := needs()
	order := w.operations(t)
	for i, o := range order { // a device can be deleted when it is there
		if o.id == "put-device" {
			order[0], order[i] = order[i], order[0]
		}
	}
	for _, o := range order {
		body := table[o.id].body
		for _, user := range []string{"raju", "other"} {
			path := strings.NewReplacer("{id}", user, "{installation_id}", "phone").Replace(o.path)
			allowed := mine[o.id] != 0 && (user == "raju" || !strings.Contains(o.path, "{id}"))
			a := w.do(t, o.method, path, token, body)
			if allowed && a.status != mine[o.id] || !allowed && (a.status != http.StatusForbidden || a.problem(t).Code != api.CodeForbidden) {
				t.Errorf("%s %s: %d %s", o.method, path, a.status, a.body)
			}
			if a := w.do(t, o.method, path, token, body, api.TenantHeader, "another"); a.status != http.StatusForbidden {
				t.Errorf("%s %s in the name of another tenant: %d %s", o.method, path, a.status, a.body)
			}
		}
	}
	if a := w.do(t, "GET", "/metrics", token, ""); a.status != http.StatusForbidden {
		t.Errorf("/metrics: %d", a.status)
	}
}

// TestUserTokenLife: a token is good until it ends, until its key is revoked, and while its tenant is not disabled.
func TestUserTokenLife(t *testing.T) {
	t.Parallel()
	w := silent(t)
	k := w.newUserKey(t)
	app := w.app(t, k, "raju")
	config, err := app.ClientConfig(t.Context())
	if err != nil || config.UserID != "raju" {
		t.Fatalf("%+v, %v", config, err)
	}
	expired, err := usertoken.Sign(k.ID, k.Secret, "raju", time.Now().Add(-2*time.Hour), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if a := w.do(t, "GET", "/v1/client", expired, ""); a.status != 401 || !strings.Contains(a.problem(t).Detail, "expired") {
		t.Errorf("expired: %d %s", a.status, a.body)
	}
	if a := w.do(t, "GET", "/v1/client", userToken(t, &api.UserKey{ID: k.ID, Secret: "x"}, "raju"), ""); a.status != 401 {
		t.Errorf("signed by somebody else: %d %s", a.status, a.body)
	}
	yes, no := true, false
	disable := func(off *bool, want string) {
		t.Helper()
		if _, err := w.operator(t).UpdateTenant(t.Context(), w.tenant, api.TenantPatch{Disabled: off}); err != nil {
			t.Fatal(err)
		}
		if _, err := app.ClientConfig(t.Context()); code(err) != want {
			t.Errorf("disabled %v: %v", *off, err)
		}
	}
	disable(&yes, api.CodeTenantDisabled)
	disable(&no, "")
	if err := w.peal.RevokeUserKey(t.Context(), k.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := app.ClientConfig(t.Context()); code(err) != api.CodeUnauthorized {
		t.Errorf("revoked: %v", err)
	}
	list, err := w.peal.UserKeys(t.Context())
	if err != nil || len(list.Keys) != 1 || list.Keys[0].RevokedAt == nil || list.Keys[0].Secret != "" {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestUserKeyOfTheTenants: with EdDSA the tenant's backend keeps what it signs with to itself.
func TestUserKeyOfTheTenants(t *testing.T) {
	t.Parallel()
	w := silent(t)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	k, err := w.peal.CreateUserKey(t.Context(), api.UserKeyRequest{
		Name: "backend", Algorithm: usertoken.EdDSA, PublicKey: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
	})
	if err != nil || k.Secret != "" {
		t.Fatalf("%+v, %v", k, err)
	}
	signed := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"sub": "raju", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()})
	signed.Header["kid"] = k.ID
	token, err := signed.SignedString(private)
	if err != nil {
		t.Fatal(err)
	}
	if a := w.do(t, "GET", "/v1/client", token, ""); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	for body, path := range map[string]string{
		`{"name":"k","algorithm":"EdDSA"}`:                      "public_key",
		`{"name":"k","algorithm":"EdDSA","public_key":"AAAA"}`:  "public_key",
		`{"name":"k","algorithm":"HS256","public_key":"AAAA"}`:  "public_key",
		`{"name":"k","algorithm":"none"}`:                       "algorithm",
		fmt.Sprintf(`{"name":"k","algorithm":%q}`, "RS256"):     "algorithm",
		`{"name":"","algorithm":"HS256"}`:                       "name",
		`{"name":"k","algorithm":"HS256","secret":"of my own"}`: "secret",
	} {
		a := w.do(t, "POST", "/v1/user-keys", w.key, body)
		if a.status != http.StatusUnprocessableEntity || len(a.problem(t).Errors) == 0 || a.problem(t).Errors[0].Path != path {
			t.Errorf("%s: %d %s, want a word on %s", body, a.status, a.body, path)
		}
	}
}

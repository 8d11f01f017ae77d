package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"peal/api"
	"peal/emulator/wasender"
)

// TestIntegrationRefusals: a tenant that mistypes a setting is told which, and never its credentials back.
func TestIntegrationRefusals(t *testing.T) {
	t.Parallel()
	w := silent(t)
	const typed = "what-the-tenant-typed"
	w.watched.watch(typed)
	with := func(settings string) string {
		return `{"name":"x","kind":"wasender","credentials":{"api_key":"` + typed + `","webhook_secret":"` + typed + `"},"settings":{` + settings + `}}`
	}
	creds := func(c string) string { return `{"name":"x","kind":"wasender","credentials":{` + c + `}}` }
	for _, tt := range []struct{ body, path string }{
		{`{"kind":"wasender","credentials":{"api_key":"` + typed + `","webhook_secret":"` + typed + `"}}`, "name"},
		{strings.Replace(with(""), `"x"`, `"X y"`, 1), "name"},
		{strings.Replace(with(""), `"x"`, `""`, 1), "name"},
		{strings.Replace(with(""), "wasender", "pigeon", 1), "kind"},
		{creds(``), "credentials.api_key"},
		{creds(`"api_key":"` + typed + `"`), "credentials.webhook_secret"},
		{creds(`"api_key":"` + typed + `","webhook_secret":"short"`), "credentials.webhook_secret"},
		{creds(`"api_key":"` + typed + `","webhook_secret":"` + typed + `","password":"` + typed + `"`), "credentials.password"},
		{creds(`"api_key":"` + typed + `","webhook_secret":["` + typed + `"]`), "credentials.webhook_secret"},
		{with(`"base_url":"wasender"`), "settings.base_url"},
		{with(`"base_url":"ftp://f.example.com"`), "settings.base_url"},
		{with(`"base_url":"https://u:` + typed + `@f.example.com"`), "settings.base_url"},
		{with(`"base_url":"https://f.example.com/?key=` + typed + `"`), "settings.base_url"},
		{with(`"limit":{"rate":-1}`), "settings.limit.rate"},
		{with(`"limit":{"rate":1,"period":"1"}`), "settings.limit.period"},
		{with(`"limit":{"rate":1,"period":"25h"}`), "settings.limit.period"},
		{with(`"limit":{"rate":1,"burst":2}`), "settings.limit.burst"},
		{with(`"lookup_limit":{"rate":1,"period":"1ms"}`), "settings.lookup_limit.period"},
		{with(`"concurrency":1025`), "settings.concurrency"},
		{with(`"timeout":"61s"`), "settings.timeout"},
		{with(`"timeout":"soon"`), "settings.timeout"},
		{with(`"max_attempts":21`), "settings.max_attempts"},
		{with(`"retry_base":"1ms"`), "settings.retry_base"},
		{with(`"retry_base":"10s","retry_cap":"5s"`), "settings.retry_cap"},
		{with(`"on_unknown":"pray"`), "settings.on_unknown"},
		{with(`"apps":["com.example"]`), "settings.apps"},
		{with(`"ca":"no certificate"`), "settings.ca"},
		{with(`"colour":"red"`), "settings.colour"},
	} {
		a := w.do(t, http.MethodPost, "/v1/integrations", w.key, tt.body)
		p := a.problem(t)
		if a.status != 422 || p.Code != api.CodeInvalidRequest || len(p.Errors) == 0 || p.Errors[0].Path != tt.path || p.Errors[0].Message == "" {
			t.Errorf("%s: %d %s, want %s", tt.body, a.status, a.body, tt.path)
		}
	}
	if a := w.do(t, http.MethodPost, "/v1/integrations", w.key, strings.Replace(with(""), `"x"`, `"wa"`, 1)); a.status != 409 || a.problem(t).Code != api.CodeConflict {
		t.Errorf("a name that is taken: %d %s", a.status, a.body)
	}
	list, err := w.peal.Integrations(t.Context())
	if err != nil || len(list.Integrations) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestIntegrationPatch: a change replaces what it names and leaves the rest, and lifts a pause.
func TestIntegrationPatch(t *testing.T) {
	t.Parallel()
	w := silent(t)
	w.pause(t)
	name := "renamed"
	got, err := w.peal.UpdateIntegration(t.Context(), "wa", api.IntegrationPatch{
		Name: &name, Credentials: map[string]string{"api_key": rotatedKey},
		Settings: &api.Settings{MaxAttempts: 7, Limit: &api.Limit{Rate: 10, Period: "2s"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := *w.integration
	want.Name, want.UpdatedAt, want.Credentials = name, got.UpdatedAt, []string{"api_key", "webhook_secret"}
	want.Settings.MaxAttempts, want.Settings.Limit = 7, &api.Limit{Rate: 10, Period: "2s", Burst: 1}
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Errorf("after the change (-want +got):\n%s", diff)
	}
	if !got.UpdatedAt.After(w.integration.UpdatedAt) {
		t.Errorf("updated at %v, before %v", got.UpdatedAt, w.integration.UpdatedAt)
	}
	if _, err = w.peal.UpdateIntegration(t.Context(), name, api.IntegrationPatch{Credentials: map[string]string{"api_key": ""}}); problemOf(err) == nil {
		t.Error("a credential that is needed was taken out")
	}
}

// TestDefaults: who sets nothing gets 45 sends a second, 5 attempts from 5 seconds on, and no blind repeats.
func TestDefaults(t *testing.T) {
	t.Parallel()
	w := silent(t)
	got, err := w.peal.CreateIntegration(t.Context(), api.IntegrationRequest{
		Name: "plain", Kind: "wasender", Credentials: map[string]string{"api_key": rotatedKey, "webhook_secret": wasender.DefaultWebhookSecret},
	})
	if err != nil {
		t.Fatal(err)
	}
	limit := &api.Limit{Rate: 45, Period: "1s", Burst: 5}
	want := api.Settings{
		BaseURL: "https://www.wasenderapi.com/api", Limit: limit, LookupLimit: limit, ReceiptTimeout: "15m0s", Concurrency: 32, Timeout: "15s",
		MaxAttempts: 5, RetryBase: "5s", RetryCap: "1h0m0s", OnUnknown: "reconcile",
	}
	if diff := cmp.Diff(want, got.Settings); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

// TestTestCall: the test of an integration is a real message, and says that it is a test.
func TestTestCall(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, said := range []string{"", "hello from the test"} {
		to := phone()
		res, err := w.peal.TestIntegration(t.Context(), "wa", api.TestRequest{To: to, Text: said})
		if err != nil {
			t.Fatal(err)
		}
		w.reaches(t, res.Deliveries[0].ID, "read")
		if m := w.emu.Messages(queryTo(to)); len(m) != 1 || said == "" && !strings.Contains(m[0].Text, "test") || said != "" && m[0].Text != said {
			t.Errorf("taken %+v", m)
		}
	}
	if a := w.do(t, http.MethodPost, "/v1/integrations/wa/test", w.key, `{"to":"12345"}`); a.status != 422 {
		t.Errorf("to no number: %d %s", a.status, a.body)
	}
}

// TestRotatedSecret: after the webhook secret is rotated, the old one lets nothing in any more.
func TestRotatedSecret(t *testing.T) {
	t.Parallel()
	w := silent(t)
	const secret = "the-new-webhook-secret"
	w.watched.watch(secret)
	if _, err := w.peal.UpdateIntegration(t.Context(), "wa", api.IntegrationPatch{Credentials: map[string]string{"webhook_secret": secret}}); err != nil {
		t.Fatal(err)
	}
	_, id := w.sendText(t, "hi")
	key := w.keyed(t, id)
	for secret, status := range map[string]int{wasender.DefaultWebhookSecret: 401, secret: 200} {
		if a := w.do(t, "POST", w.hook(), "", update(key, wasender.StatusRead), "X-Webhook-Signature", secret); a.status != status {
			t.Errorf("with %s: %d %s", secret, a.status, a.body)
		}
	}
	w.reaches(t, id, "read")
}

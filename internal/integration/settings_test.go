package integration_test

import (
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/internal/peal"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i, c := range []struct {
		set   api.Settings
		wrong string // path and code, in order
		want  func(*peal.Integration)
	}{
		{set: api.Settings{}},
		{set: api.Settings{BaseURL: "https://example.org/api/"}, want: func(in *peal.Integration) { in.BaseURL = "https://example.org/api" }},
		{set: api.Settings{BaseURL: "http://127.0.0.1:8080"}, want: func(in *peal.Integration) { in.BaseURL = "http://127.0.0.1:8080" }},
		{set: api.Settings{BaseURL: "ftp://example.org"}, wrong: "settings.base_url invalid"},
		{set: api.Settings{BaseURL: "example.org/api"}, wrong: "settings.base_url invalid"},
		{set: api.Settings{BaseURL: "https://user:pw@example.org"}, wrong: "settings.base_url invalid"},
		{set: api.Settings{BaseURL: "https://example.org/?a=b"}, wrong: "settings.base_url invalid"},
		{set: api.Settings{BaseURL: "https://example.org/#a"}, wrong: "settings.base_url invalid"},
		{set: api.Settings{BaseURL: "https://"}, wrong: "settings.base_url invalid"},
		{set: api.Settings{BaseURL: "http://exa mple.org"}, wrong: "settings.base_url invalid"},
		{set: api.Settings{Limit: &api.Limit{Rate: 256, Period: "1m"}}, want: func(in *peal.Integration) {
			in.Limit = peal.Limit{Rate: 256, Period: time.Minute, Burst: 25}
		}},
		{set: api.Settings{Limit: &api.Limit{Rate: 5}}, want: func(in *peal.Integration) {
			in.Limit = peal.Limit{Rate: 5, Period: time.Second, Burst: 1}
		}},
		{set: api.Settings{Limit: &api.Limit{Rate: 5, Burst: 5}, LookupLimit: &api.Limit{Rate: 1, Period: "5s"}}, want: func(in *peal.Integration) {
			in.Limit, in.LookupLimit = peal.Limit{Rate: 5, Period: time.Second, Burst: 5}, peal.Limit{Rate: 1, Period: 5 * time.Second, Burst: 1}
		}},
		{set: api.Settings{Limit: &api.Limit{}}, want: func(in *peal.Integration) { // rate 0: no limit
			in.Limit = peal.Limit{Period: time.Second, Burst: 1}
		}},
		{set: api.Settings{Limit: &api.Limit{Rate: 5, Burst: 6}}, wrong: "settings.limit.burst invalid"},
		{set: api.Settings{Limit: &api.Limit{Rate: 5, Period: "1ms"}}, wrong: "settings.limit.period out_of_range"},
		{set: api.Settings{Limit: &api.Limit{Rate: 5, Period: "25h"}}, wrong: "settings.limit.period out_of_range"},
		{set: api.Settings{LookupLimit: &api.Limit{Rate: 5, Period: "often"}}, wrong: "settings.lookup_limit.period invalid"},
		{set: api.Settings{Concurrency: 7, MaxAttempts: 1}, want: func(in *peal.Integration) { in.Concurrency, in.MaxAttempts = 7, 1 }},
		{set: api.Settings{Timeout: "500ms"}, want: func(in *peal.Integration) { in.Timeout = 500 * time.Millisecond }},
		{set: api.Settings{Timeout: "99ms"}, wrong: "settings.timeout out_of_range"},
		{set: api.Settings{Timeout: "61s"}, wrong: "settings.timeout out_of_range"},
		{set: api.Settings{Timeout: "-1s"}, wrong: "settings.timeout out_of_range"},
		{set: api.Settings{Timeout: "15"}, wrong: "settings.timeout invalid"},
		{set: api.Settings{RetryBase: "100ms", RetryCap: "100ms"}, want: func(in *peal.Integration) {
			in.RetryBase, in.RetryCap = 100*time.Millisecond, 100*time.Millisecond
		}},
		{set: api.Settings{RetryBase: "1m", RetryCap: "30s"}, wrong: "settings.retry_cap out_of_range"},
		{set: api.Settings{RetryBase: "2h"}, wrong: "settings.retry_base out_of_range"},
		{set: api.Settings{RetryCap: "25h"}, wrong: "settings.retry_cap out_of_range"},
		{set: api.Settings{OnUnknown: "hold"}, want: func(in *peal.Integration) { in.OnUnknown = peal.Hold }},
		{
			set:   api.Settings{BaseURL: "x", Timeout: "x", RetryBase: "x", Limit: &api.Limit{Rate: 1, Burst: 2}},
			wrong: "settings.base_url invalid, settings.limit.burst invalid, settings.timeout invalid, settings.retry_base invalid",
		},
	} {
		name := "n" + strings.Repeat("x", i)
		got, err := b.Create(t.Context(), "a", request(name, func(r *api.IntegrationRequest) { r.Settings = c.set }))
		if w := wrong(t, err); w != c.wrong {
			t.Errorf("%+v: wrong is %q, want %q", c.set, w, c.wrong)
		}
		if err != nil {
			if b.Find("a", name) != nil {
				t.Errorf("%+v: it was made all the same", c.set)
			}
			continue
		}
		want := *got
		limit := peal.Limit{Rate: 45, Period: time.Second, Burst: 5}
		want.BaseURL, want.Limit, want.LookupLimit = "https://www.wasenderapi.com/api", limit, limit
		want.Concurrency, want.Timeout, want.MaxAttempts = 32, 15*time.Second, 5
		want.RetryBase, want.RetryCap, want.OnUnknown = 5*time.Second, time.Hour, peal.Reconcile
		if c.want != nil {
			c.want(&want)
		}
		if got.BaseURL != want.BaseURL || got.Limit != want.Limit || got.LookupLimit != want.LookupLimit ||
			got.Concurrency != want.Concurrency || got.Timeout != want.Timeout || got.MaxAttempts != want.MaxAttempts ||
			got.RetryBase != want.RetryBase || got.RetryCap != want.RetryCap || got.OnUnknown != want.OnUnknown {
			t.Errorf("%+v became\n%+v, want\n%+v", c.set, got, want)
		}
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct {
		set   map[string]string
		wrong string
	}{
		{map[string]string{"api_key": apiKey, "webhook_secret": secret}, ""},
		{nil, "credentials.api_key required, credentials.webhook_secret required"},
		{map[string]string{"api_key": apiKey}, "credentials.webhook_secret required"},
		{map[string]string{"api_key": apiKey, "webhook_secret": "short"}, "credentials.webhook_secret too_short"},
		{map[string]string{"api_key": strings.Repeat("k", 4097), "webhook_secret": secret}, "credentials.api_key too_long"},
		{map[string]string{"api_key": apiKey, "webhook_secret": secret, "apikey": "x"}, "credentials.apikey unknown"},
		{map[string]string{"api_key": apiKey + "\n", "webhook_secret": secret}, "credentials.api_key invalid"}, // no client can send it
	} {
		in, err := b.Create(t.Context(), "a", request("main", func(r *api.IntegrationRequest) { r.Credentials = c.set }))
		if w := wrong(t, err); w != c.wrong {
			t.Errorf("%v: wrong is %q, want %q", c.set, w, c.wrong)
		}
		if err != nil && strings.Contains(err.Error(), apiKey) {
			t.Errorf("the error tells a secret: %v", err)
		}
		if err == nil {
			if err := b.Delete(t.Context(), "a", in.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, err := b.Create(t.Context(), "a", request("main", func(r *api.IntegrationRequest) { r.Kind = "pigeon" }))
	if w := wrong(t, err); w != "kind invalid" || !strings.Contains(err.Error(), "wasender") {
		t.Errorf("an unknown kind: %v", err)
	}
}

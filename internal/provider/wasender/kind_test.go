package wasender

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"peal/internal/peal"
	"peal/internal/provider"
)

func TestOpenRefusesBadSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ base, key, path string }{
		"no base URL":     {"", testKey, "settings.base_url"},
		"no scheme":       {"www.wasenderapi.com/api", testKey, "settings.base_url"},
		"another scheme":  {"ftp://example.com", testKey, "settings.base_url"},
		"no host":         {"https:///api", testKey, "settings.base_url"},
		"user":            {"https://u@example.com", testKey, "settings.base_url"},
		"query":           {"https://example.com/api?x=1", testKey, "settings.base_url"},
		"empty query":     {"https://example.com/api?", testKey, "settings.base_url"},
		"fragment":        {"https://example.com/api#x", testKey, "settings.base_url"},
		"no key":          {"https://example.com/api", "", "credentials.api_key"},
		"key with break":  {"https://example.com/api", "a\r\nX: y", "credentials.api_key"},
		"key of no ASCII": {"https://example.com/api", "schlüssel", "credentials.api_key"},
	} {
		in := testIntegration(c.base)
		in.Credentials[apiKey] = c.key
		_, err := Kind{}.Open(in, provider.Env{Transport: http.DefaultTransport})
		var e *peal.Error
		if !errors.As(err, &e) || e.Kind != peal.Invalid || len(e.Fields) != 1 || e.Fields[0].Path != c.path {
			t.Errorf("%s: got %v", name, err)
		} else if c.key != "" && strings.Contains(err.Error(), c.key) {
			t.Errorf("%s: the error names the key", name)
		}
	}
	if _, err := (Kind{}).Open(testIntegration("https://example.com"), provider.Env{}); err == nil {
		t.Error("a client without a transport is opened")
	}
}

package whatsappcloud

import (
	"strings"
	"testing"
	"time"

	"peal/internal/peal"
)

func TestVersionWarning(t *testing.T) {
	t.Parallel()
	day := func(s string) time.Time {
		at, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, c := range []struct{ version, now, want string }{
		{"v26.0", "2026-11-21", ""},
		{"v22.0", "2026-11-21", ""},
		{"v23.0", "2026-11-21", ""},
		{"v23.0", "2027-08-01", "Meta ends v23.0 of its API on 2027-10-08"},
		{"v23.0", "2027-10-08", "Meta has ended v23.0"},
		{"v20.0", "2026-11-21", "Meta has ended v20.0"},
	} {
		got := versionWarning(c.version, day(c.now))
		if (got == "") != (c.want == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s on %s: got %q", c.version, c.now, got)
		}
	}
	if !isVersion(defaultVersion) {
		t.Error("the default is no version")
	}
}

func TestWarning(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 9, 1, 0, 0, 0, 0, time.UTC)
	for settings, warned := range map[string]bool{
		`{"whatsapp_cloud":{"phone_number_id":"1","graph_version":"v23.0"}}`:       true,
		`{"whatsapp_cloud":{"phone_number_id":"1"}}`:                               false,
		`{"whatsapp_cloud":{"messages_path":"/messages","graph_version":"v23.0"}}`: false,
		`{`: false,
	} {
		if got := (Kind{}).Warning(&peal.Integration{Settings: []byte(settings)}, now); (got != "") != warned {
			t.Errorf("%s: got %q", settings, got)
		}
	}
}

package e2e_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"peal/api"
	"peal/emulator/whatsappcloud"
)

// TestCloudNumber: what Meta says of the number is asked for, heard by webhook, and shown.
func TestCloudNumber(t *testing.T) {
	t.Parallel()
	w := silent(t)
	opt := receipts("sent")
	opt.Accounts = []whatsappcloud.Account{{Tier: whatsappcloud.Tier2K, Templates: []whatsappcloud.Template{{Name: "hello", Language: "en"}}}}
	c := w.cloud(t, opt, func(s *api.Settings) { s.Limit = &api.Limit{Rate: 500} })
	shows := func(what string, check func(*api.Integration) bool) {
		t.Helper()
		eventually(t, what, func() error {
			in, err := w.peal.Integration(t.Context(), "cloud")
			if err == nil && (in.Number == nil || !check(in)) {
				err = fmt.Errorf("it shows %+v, warning %q", in.Number, in.Warning)
			}
			return err
		})
	}
	shows("the number as it is", func(in *api.Integration) bool {
		n := in.Number
		return n.Quality == "GREEN" && n.Tier == "TIER_2K" && n.Limit == 2000 && n.Throughput == 80 && n.ID == whatsappcloud.DefaultNumber &&
			n.Used != nil && strings.Contains(in.Warning, "80 messages a second")
	})
	if err := c.PlayQuality("", "DOWNGRADE", "YELLOW", whatsappcloud.Tier250); err != nil {
		t.Fatal(err)
	}
	shows("the tier that the webhook told", func(in *api.Integration) bool { return in.Number.Tier == "TIER_250" && in.Number.Limit == 250 })
	if err := c.PlayChange("", "account_alerts", map[string]any{"alert_info": map[string]any{"alert_type": "INCREASED_CAPABILITIES_ELIGIBILITY_DEFERRED"}}); err != nil {
		t.Fatal(err)
	}
	shows("the alert", func(in *api.Integration) bool {
		return in.Number.Alert == "INCREASED_CAPABILITIES_ELIGIBILITY_DEFERRED" && in.Number.AlertAt != nil
	})
	if _, err := w.peal.UpdateIntegration(t.Context(), "cloud", api.IntegrationPatch{Settings: &api.Settings{Limit: &api.Limit{Rate: 80}}}); err != nil {
		t.Fatal(err)
	}
	shows("no warning", func(in *api.Integration) bool { return in.Warning == "" })
	if in, err := w.peal.Integration(t.Context(), "wa"); err != nil || in.Number != nil {
		t.Error(errors.Join(err, fmt.Errorf("of a provider that tells nothing: %+v", in.Number)))
	}
}

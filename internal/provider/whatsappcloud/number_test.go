package whatsappcloud_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	emulator "peal/emulator/whatsappcloud"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/whatsappcloud"
)

// TestNumber asks Meta for the number; a gateway is not asked.
func TestNumber(t *testing.T) {
	t.Parallel()
	emu, c := open(t, emulator.Options{Accounts: []emulator.Account{{Tier: emulator.Tier2K, Numbers: []emulator.Number{{Quality: "YELLOW", Throughput: 1000}}}}})
	n, err := c.(provider.Numbered).Number(t.Context())
	want := peal.NumberState{
		ID: emulator.DefaultNumber, Phone: emulator.DefaultPhone, Status: "CONNECTED", Quality: "YELLOW", NameStatus: "APPROVED",
		Tier: "TIER_2K", Limit: 2000, Level: "HIGH", Throughput: 1000, At: n.At,
	}
	if err != nil || n != want || time.Since(n.At) > time.Hour {
		t.Errorf("got %+v, %v; want %+v", n, err, want)
	}
	if err := emu.UpdateAccount("", func(a *emulator.Account) { a.Tier, a.Expired = emulator.TierUnlimited, true }); err != nil {
		t.Fatal(err)
	}
	var e *provider.Error
	if _, err := c.(provider.Numbered).Number(t.Context()); !errors.As(err, &e) || e.Class != peal.ClassIntegration {
		t.Errorf("with an expired token: %v", err)
	}
	_, gateway := open(t, emulator.Options{}, func(in *peal.Integration) {
		in.Settings = []byte(`{"whatsapp_cloud":{"messages_path":"/messages"}}`)
	})
	if _, err := gateway.(provider.Numbered).Number(t.Context()); !errors.As(err, &e) || e.Class != peal.ClassPermanent {
		t.Errorf("of a gateway: %v", err)
	}
}

// TestNumberNews: what webhooks say of a number.
func TestNumberNews(t *testing.T) {
	t.Parallel()
	at := time.Unix(1750857384, 0).UTC()
	for body, want := range map[string]peal.NumberState{
		`"field":"phone_number_quality_update","value":{"display_phone_number":"15550783881","event":"DOWNGRADE","current_limit":"TIER_250","old_limit":"TIER_2K"}`:           {Phone: "15550783881", Tier: "TIER_250", Limit: 250},
		`"field":"phone_number_quality_update","value":{"display_phone_number":"+1 555-078-3881","event":"FLAGGED","current_limit":"TIER_UNLIMITED"}`:                         {Phone: "15550783881", Tier: "TIER_UNLIMITED", Limit: peal.NoLimit, Quality: "RED", Alert: "the number is flagged: its quality is low", AlertAt: at},
		`"field":"phone_number_quality_update","value":{"display_phone_number":"15550783881","event":"THROUGHPUT_UPGRADE","max_daily_conversations_per_business":"TIER_10K"}`: {Phone: "15550783881", Tier: "TIER_10K", Limit: 10_000, Level: "HIGH", Throughput: 1000},
		`"field":"business_capability_update","value":{"max_daily_conversation_per_phone":100000,"max_phone_numbers_per_business":25}`:                                        {Tier: "TIER_100000", Limit: 100_000},
		`"field":"business_capability_update","value":{"max_daily_conversations_per_business":-1}`:                                                                            {Tier: "TIER_UNLIMITED", Limit: peal.NoLimit},
		`"field":"account_alerts","value":{"entity_type":"BUSINESS","alert_info":{"alert_severity":"WARNING","alert_type":"OBA_APPROVED","alert_description":"Sample"}}`:      {Alert: "OBA_APPROVED: Sample", AlertAt: at},
		`"field":"account_update","value":{"event":"ACCOUNT_RESTRICTION","restriction_info":[{"restriction_type":"RESTRICTED_BIZ_INITIATED_MESSAGING","expiration":"1"}]}`:    {Alert: "ACCOUNT_RESTRICTION RESTRICTED_BIZ_INITIATED_MESSAGING", AlertAt: at},
		`"field":"account_update","value":{"event":"ACCOUNT_VIOLATION","violation_info":{"violation_type":"ALCOHOL"}}`:                                                        {Alert: "ACCOUNT_VIOLATION ALCOHOL", AlertAt: at},
		`"field":"phone_number_quality_update","value":{"display_phone_number":5,"event":[],"current_limit":{}}`:                                                              {},
		`"field":"business_capability_update","value":{}`: {},
	} {
		want.At = at
		facts, err := whatsappcloud.Kind{}.ParseWebhook(http.Header{}, []byte(`{"entry":[{"time":1750857384,"changes":[{`+body+`}]}]}`))
		switch {
		case err != nil:
			t.Errorf("%s: %v", body, err)
		case want == peal.NumberState{At: at} && len(facts) == 0:
		case len(facts) != 1 || facts[0].Number == nil || *facts[0].Number != want:
			t.Errorf("%s: got %+v, want %+v", body, facts, want)
		}
	}
}

// TestNumberWarning: an integration that sends faster than Meta takes it is warned of.
func TestNumberWarning(t *testing.T) {
	t.Parallel()
	for _, k := range []struct {
		limit peal.Limit
		takes int
		warns bool
	}{
		{peal.Limit{Rate: 80, Period: time.Second}, 80, false}, {peal.Limit{Rate: 200, Period: time.Second}, 80, true},
		{peal.Limit{Rate: 4800, Period: time.Minute}, 80, false}, {peal.Limit{Rate: 80, Period: time.Second}, 1000, false},
		{peal.Limit{Period: time.Second}, 80, true}, {peal.Limit{Rate: 200, Period: time.Second}, 0, false},
	} {
		w := whatsappcloud.Kind{}.NumberWarning(&peal.Integration{Limit: k.limit}, &peal.NumberState{Throughput: k.takes})
		if (w != "") != k.warns {
			t.Errorf("%+v: %q", k, w)
		}
	}
}

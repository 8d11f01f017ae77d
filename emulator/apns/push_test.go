package apns_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"peal/emulator/apns"
)

func TestAPushIsTakenAndShown(t *testing.T) {
	t.Parallel()
	var told []apns.Shown
	b := setup(t, apns.Options{Show: func(n apns.Shown) { told = append(told, n) }})
	const id = "0199b0c6-8a77-7c44-9d1c-5f4f3c1d2e3a"
	a := b.send("200", with("apns-id", id), with("apns-collapse-id", "c"))
	if a.header.Get("apns-id") != id || a.body != "" || a.header.Get("apns-unique-id") != "" {
		t.Errorf("answered %v %q", a.header, a.body)
	}
	if a := b.send("200"); len(a.header.Get("apns-id")) != 36 {
		t.Errorf("no apns-id was made: %v", a.header)
	}
	shown := b.emu.Shown(token)
	if len(shown) != 2 || len(told) != 2 {
		t.Fatalf("%d shown, %d told", len(shown), len(told))
	}
	n := shown[0]
	if n.Title != "Hello" || n.Body != "World" || n.Sound != "default" || n.Badge == nil || *n.Badge != 3 || n.ID != id ||
		n.Phone != token || n.CollapseKey != "c" || n.Silent || len(n.Problems) > 0 {
		t.Errorf("shown %+v", n)
	}
	if c := b.emu.Counts(); c.Requests != 2 || c.Accepted != 2 || c.Shown != 2 || c.Connections != 1 {
		t.Errorf("counts %+v", c)
	}
}

// TestWhatTheVendorRefuses has a row for each rule of a request.
func TestWhatTheVendorRefuses(t *testing.T) {
	t.Parallel()
	other, voip := strings.Repeat("cd", 32), strings.Repeat("ef", 32)
	b := setup(t, apns.Options{
		Apps: []apns.App{{Bundle: bundle, Team: team}, {Bundle: "org.foreign", Team: "TEAM000009"}},
		Devices: []apns.Device{
			{Token: token, Bundle: bundle},
			{Token: other, Bundle: bundle, Environment: apns.Sandbox},
			{Token: voip, Bundle: "org.foreign"},
		},
	})
	const background = `{"aps":{"content-available":1}}`
	for name, c := range map[string]struct {
		want    string
		changes []change
	}{
		"path":                    {"BadPath", []change{func(r *http.Request) { r.URL.Path = "/3/devices/" + token }}},
		"method":                  {"MethodNotAllowed", []change{func(r *http.Request) { r.Method = http.MethodPut }}},
		"no token":                {"MissingDeviceToken", []change{to("")}},
		"no hex":                  {"BadDeviceToken", []change{to("xyz")}},
		"unknown token":           {"BadDeviceToken", []change{to(strings.Repeat("00", 32))}},
		"other environment":       {"BadDeviceToken", []change{to(other)}},
		"other app":               {"DeviceTokenNotForTopic", []change{with("apns-topic", "org.example.other")}},
		"other team's app":        {"TopicDisallowed", []change{to(voip), with("apns-topic", "org.foreign")}},
		"no topic":                {"MissingTopic", []change{with("apns-topic", "")}},
		"suffix without type":     {"BadTopic", []change{with("apns-topic", bundle+".voip")}},
		"type without suffix":     {"BadTopic", []change{with("apns-push-type", "voip")}},
		"no type":                 {"InvalidPushType", []change{with("apns-push-type", "")}},
		"unknown type":            {"InvalidPushType", []change{with("apns-push-type", "shout")}},
		"alert without one":       {"InvalidPushType", []change{saying(background)}},
		"alert that is null":      {"InvalidPushType", []change{saying(`{"aps":{"alert":null}}`)}},
		"background":              {"200", []change{saying(background), with("apns-push-type", "background"), with("apns-priority", "5")}},
		"background at 10":        {"BadPriority", []change{saying(background), with("apns-push-type", "background"), with("apns-priority", "10")}},
		"background, no priority": {"BadPriority", []change{saying(background), with("apns-push-type", "background")}},
		"background with alert":   {"InvalidPushType", []change{with("apns-push-type", "background"), with("apns-priority", "5")}},
		"priority":                {"BadPriority", []change{with("apns-priority", "7")}},
		"expiration":              {"BadExpirationDate", []change{with("apns-expiration", "tomorrow")}},
		"negative expiration":     {"BadExpirationDate", []change{with("apns-expiration", "-1")}},
		"collapse id of 64":       {"200", []change{with("apns-collapse-id", strings.Repeat("c", 64))}},
		"collapse id of 65":       {"BadCollapseId", []change{with("apns-collapse-id", strings.Repeat("c", 65))}},
		"id in upper case":        {"BadMessageId", []change{with("apns-id", "0199B0C6-8A77-7C44-9D1C-5F4F3C1D2E3A")}},
		"id":                      {"BadMessageId", []change{with("apns-id", "1")}},
		"header twice":            {"DuplicateHeaders", []change{func(r *http.Request) { r.Header.Add("apns-topic", bundle) }}},
		"empty":                   {"PayloadEmpty", []change{saying("")}},
		"no object":               {"PayloadEmpty", []change{saying(`"hello"`)}},
		"4096 bytes":              {"200", []change{saying(sized(4096))}},
		"4097 bytes":              {"PayloadTooLarge", []change{saying(sized(4097))}},
		"20 kB":                   {"PayloadTooLarge", []change{saying(sized(20_000))}},
		"200 kB":                  {"PayloadTooLarge", []change{saying(sized(200_000))}},
		"voip of 5120": {"200", []change{
			saying(sized(5120)), with("apns-push-type", "voip"), with("apns-topic", bundle+".voip"),
		}},
		"voip of 5121": {"PayloadTooLarge", []change{
			saying(sized(5121)), with("apns-push-type", "voip"), with("apns-topic", bundle+".voip"),
		}},
		"token in upper case": {"200", []change{to(strings.ToUpper(token))}},
	} {
		t.Run(name, func(t *testing.T) {
			(&bundled{TB: t, emu: b.emu, url: b.url, jwt: b.jwt, http: b.http}).send(c.want, c.changes...)
		})
	}
}

// sized is a payload of so many bytes.
func sized(n int) string {
	const head, tail = `{"aps":{"alert":"`, `"}}`
	return head + strings.Repeat("x", n-len(head)-len(tail)) + tail
}

func TestEachTypeHasItsTopic(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{})
	for kind, c := range map[string][2]string{
		"alert":        {"", hello},
		"location":     {".location-query", `{"aps":{}}`},
		"voip":         {".voip", `{"aps":{}}`},
		"complication": {".complication", `{"aps":{}}`},
		"fileprovider": {".pushkit.fileprovider", `{"aps":{}}`},
		"mdm":          {"", `{"mdm":"x"}`},
		"liveactivity": {".push-type.liveactivity", `{"aps":{"timestamp":1,"event":"update","content-state":{}}}`},
		"pushtotalk":   {".voip-ptt", `{"aps":{}}`},
		"widgets":      {".push-type.widgets", `{"aps":{"content-changed":true}}`},
	} {
		b.send("200", with("apns-push-type", kind), with("apns-topic", bundle+c[0]), saying(c[1]))
	}
}

func TestADeviceThatIsGone(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{})
	at := b.clock.Now().Add(-time.Hour)
	if err := b.emu.Unregister(token, at); err != nil {
		t.Fatal(err)
	}
	if a := b.send("Unregistered"); a.Timestamp != at.UnixMilli() {
		t.Errorf("timestamp %d, want %d", a.Timestamp, at.UnixMilli())
	}
	if err := b.emu.Expire(token, at); err != nil {
		t.Fatal(err)
	}
	b.send("ExpiredToken")
	if err := b.emu.Register(apns.Device{Token: token, Bundle: bundle}); err != nil {
		t.Fatal(err)
	}
	b.send("200")
}

func TestADeviceThatIsOffKeepsTheLatest(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{})
	later := with("apns-expiration", "1800000060")
	off := func(offline bool) {
		t.Helper()
		if err := b.emu.SetOffline(token, offline); err != nil {
			t.Fatal(err)
		}
	}
	off(true)
	b.send("200", later, saying(`{"aps":{"alert":"one"}}`))
	b.send("200", later, saying(`{"aps":{"alert":"two"}}`))
	b.send("200", with("apns-expiration", "0"), saying(`{"aps":{"alert":"now or never"}}`))
	off(false)
	shown := b.emu.Shown(token)
	if len(shown) != 1 || shown[0].Body != "two" {
		t.Fatalf("shown %+v", shown)
	}
	off(true)
	b.send("200", later, saying(`{"aps":{"alert":"too late"}}`))
	b.clock.Advance(time.Minute)
	off(false)
	d, _ := b.emu.Device(token)
	if d.Shows != 1 || d.Replaced != 1 || d.Lost != 2 || d.Pushes != 4 || d.Stored {
		t.Errorf("device %+v", d)
	}
}

func TestADeviceThatGetsTooMuch(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{Limits: apns.Limits{PerDevice: 2}})
	b.send("200")
	b.send("200")
	b.send("TooManyRequests")
	b.clock.Advance(time.Minute)
	b.send("200")
}

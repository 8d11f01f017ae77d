package whatsappcloud_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"peal/api"
	emulator "peal/emulator/whatsappcloud"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/whatsappcloud"
)

// open makes a client of an emulator whose windows are open and which has no limits of its own.
func open(t *testing.T, opt emulator.Options, change ...func(*peal.Integration)) (*emulator.Server, provider.Client) {
	t.Helper()
	opt.WindowsOpen, opt.Limits.PairBurst = true, -1
	if opt.Script == nil {
		opt.Script = &emulator.Script{}
	}
	emu := emulator.New(opt)
	t.Cleanup(emu.Close)
	srv := httptest.NewServer(emu)
	t.Cleanup(srv.Close)
	in := integration(srv.URL)
	for _, f := range change {
		f(in)
	}
	rt := &http.Transport{}
	t.Cleanup(rt.CloseIdleConnections)
	c, err := whatsappcloud.Kind{}.Open(in, provider.Env{Transport: rt})
	if err != nil {
		t.Fatal(err)
	}
	return emu, c
}

const deliveryID = "01a1fd60-4167-747f-8263-50f02ed73395"

func saying(to string, c api.Content) *provider.Message {
	return &provider.Message{DeliveryID: deliveryID, To: to, Content: c}
}

func hello(to string) *provider.Message {
	text := "hello"
	return saying(to, api.Content{Text: &text})
}

// row is what a code comes to.
type row struct {
	class peal.Class
	pause peal.PauseCode
	quiet string
	wait  time.Duration
	grow  peal.Growth
	tries int
	ease  time.Duration
}

// table is the one of the facts, written down a second time.
func table() map[int]row {
	t := map[int]row{}
	add := func(r row, codes ...int) {
		for _, c := range codes {
			t[c] = r
		}
	}
	add(row{class: peal.ClassIntegration, pause: peal.PauseCredentials}, 0, 102, 104, 190, 3, 10, 131005, 200, 250, 299)
	add(row{class: peal.ClassThrottled, pause: peal.PauseThrottled, ease: time.Minute}, 4, 130429)
	add(row{class: peal.ClassThrottled, pause: peal.PauseThrottled, wait: time.Minute, ease: time.Minute}, 80007)
	add(row{class: peal.ClassThrottled, pause: peal.PauseThrottled, wait: time.Minute}, 131057)
	add(row{
		class: peal.ClassThrottled, pause: peal.PauseThrottled, quiet: peal.QuietRecipient,
		grow: peal.Growth{Base: 6 * time.Second, Most: time.Hour, Factor: 4},
	}, 131056)
	add(row{class: peal.ClassIntegration, pause: peal.PausePayment}, 131042)
	add(row{class: peal.ClassIntegration, pause: peal.PauseBlocked},
		33, 368, 2500, 2635, 131031, 131037, 131045, 131048, 131063, 133000, 133005, 133006, 133008, 133009, 133010, 133015, 133016)
	add(row{class: peal.ClassTemporary}, 1, 2, 131000, 131016, 133004)
	add(row{class: peal.ClassTemporary, tries: 3}, 131052, 131053)
	add(row{class: peal.ClassTemporary, wait: 3 * time.Minute}, 134101)
	add(row{class: peal.ClassPermanent}, 100, 470, 130472, 130497, 131008, 131009, 131021, 131026, 131047, 131049, 131050, 131051, 131062,
		132000, 132001, 132005, 132007, 132012, 132015, 132016, 132068, 132069)
	return t
}

// TestErrorTable: every row that the emulator knows is told to us, and comes to what it should.
func TestErrorTable(t *testing.T) {
	t.Parallel()
	_, c := open(t, emulator.Options{})
	want := table()
	for _, e := range emulator.Errors() {
		if _, known := want[e.Code]; !known {
			t.Errorf("%d %s: the test's table does not have it", e.Code, e.Title)
		}
	}
	for code, w := range want {
		out := c.Send(t.Context(), hello("+"+emulator.MagicNumber(code, emulator.ViaAnswer)))
		got := row{out.Class, out.Pause, out.Quiet, out.RetryAfter, out.Growth, out.MaxTries, out.Ease}
		if got != w || out.Code != strconv.Itoa(code) || out.Reason == "" || out.MessageID != "" {
			t.Errorf("%d: got %+v, want %+v", code, out, w)
		}
	}
}

// TestSpam: a number that was reported stops marketing alone, where that is what it was about.
func TestSpam(t *testing.T) {
	t.Parallel()
	_, c := open(t, emulator.Options{})
	for category, want := range map[string]row{
		"marketing": {class: peal.ClassThrottled, pause: peal.PauseThrottled, quiet: "marketing", wait: 24 * time.Hour},
		"utility":   {class: peal.ClassIntegration, pause: peal.PauseBlocked}, "": {class: peal.ClassIntegration, pause: peal.PauseBlocked},
	} {
		m := hello("+" + emulator.MagicNumber(131048, emulator.ViaAnswer))
		m.Category = category
		out := c.Send(t.Context(), m)
		if got := (row{class: out.Class, pause: out.Pause, quiet: out.Quiet, wait: out.RetryAfter}); got != want || out.Code != "131048" {
			t.Errorf("%q: got %+v, want %+v", category, out, want)
		}
		if groups := c.(provider.Grouper).Groups(m); (len(groups) == 1) != (category == "marketing") {
			t.Errorf("%q: groups %v", category, groups)
		}
	}
}

// TestErrorsByCodeOnly: the HTTP status and the text of a known code mean nothing.
func TestErrorsByCodeOnly(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 400, 401, 403, 404, 429, 500, 502, 503} {
		emu, c := open(t, emulator.Options{})
		for code, w := range map[int]peal.Class{131056: peal.ClassThrottled, 131047: peal.ClassPermanent, 190: peal.ClassIntegration, 131016: peal.ClassTemporary} {
			emu.ClearFaults()
			body := fmt.Sprintf(`{"error":{"message":"(#190) token expired, rate limit hit","code":%d}}`, code)
			if _, err := emu.AddFault(emulator.Fault{Kind: emulator.FaultStatus, Status: status, Body: body}); err != nil {
				t.Fatal(err)
			}
			if out := c.Send(t.Context(), hello(phone)); out.Class != w || out.Code != strconv.Itoa(code) {
				t.Errorf("%d with HTTP %d: got %+v, want %s", code, status, out, w)
			}
		}
	}
}

// TestUnknownCodes are judged by what Meta says of them, and by the HTTP status.
func TestUnknownCodes(t *testing.T) {
	t.Parallel()
	emu, c := open(t, emulator.Options{})
	for _, k := range []struct {
		status int
		body   string
		class  peal.Class
		code   string
	}{
		{400, `{"error":{"code":999999,"message":"new"}}`, peal.ClassPermanent, "999999"},
		{400, `{"error":{"code":999999,"is_transient":true}}`, peal.ClassTemporary, "999999"},
		{500, `{"error":{"code":"999999"}}`, peal.ClassTemporary, "999999"},
		{429, `{"error":{"code":999999}}`, peal.ClassThrottled, "999999"},
		{403, `{"error":{"code":999999}}`, peal.ClassIntegration, "999999"},
		{400, `{"error":{"code":100,"error_subcode":33}}`, peal.ClassIntegration, "100"},
		{400, `{"error":{"message":"no code"}}`, peal.ClassIntegration, "base_url"},
		{404, `<html>`, peal.ClassIntegration, "base_url"},
		{408, `{}`, peal.ClassTemporary, "http_408"},
		{200, `{"messages":[]}`, peal.ClassUnknown, "bad_answer"},
		{200, `{"messages":[{"id":7}]}`, peal.ClassUnknown, "bad_answer"},
		{200, `{"contacts":5,"messages":[{"id":"wamid.A"}]}`, peal.ClassAccepted, ""},
		{200, `{"messages":[{"id":"wamid.A","message_status":"held_for_quality_assessment"}]}`, peal.ClassAccepted, ""},
	} {
		emu.ClearFaults()
		if _, err := emu.AddFault(emulator.Fault{Kind: emulator.FaultStatus, Status: k.status, Body: k.body}); err != nil {
			t.Fatal(err)
		}
		if out := c.Send(t.Context(), hello(phone)); out.Class != k.class || out.Code != k.code {
			t.Errorf("%d %s: got %+v, want %s %s", k.status, k.body, out, k.class, k.code)
		}
	}
}

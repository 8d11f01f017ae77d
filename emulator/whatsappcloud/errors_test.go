package whatsappcloud_test

import (
	"fmt"
	"testing"

	"peal/emulator/whatsappcloud"
)

// codes are those of the error table in facts/whatsapp.md, part B, ranges by
// their ends.
func codes() []int {
	return []int{
		0, 190, 3, 10, 200, 250, 299, 4, 80007, 130429, 131056, 131048, 131049, 131050, 131047, 131026, 130472, 131021, 100, 33, 131008, 131009,
		131051, 131052, 131053, 132000, 132005, 132007, 132012, 132068, 132069, 132001, 132015, 132016, 134101, 368, 131031, 130497, 131063, 131042,
		133000, 133004, 133005, 133006, 133008, 133009, 133010, 133015, 133016, 131037, 131045, 131057, 1, 2, 131000, 131016, 131062, 131005,
	}
}

// TestEveryRow has every row by magic number: at once, by webhook, and both.
func TestEveryRow(t *testing.T) {
	b := setup(t, whatsappcloud.Options{})
	b.ok(b.emu.SetScript(whatsappcloud.StatusScript(0, "sent", "delivered")))
	rows := map[int]whatsappcloud.ErrorRow{}
	for _, row := range whatsappcloud.Errors() {
		rows[row.Code] = row
	}
	for _, code := range codes() {
		row, ok := rows[code]
		if !ok && code != 250 {
			t.Errorf("%d has no row", code)
		}
		if code == 250 {
			row = rows[200]
		}
		post := func(via whatsappcloud.Via) (answer, []map[string]any) {
			before := len(b.recv.items("statuses"))
			body := fmt.Sprintf(`{"messaging_product":"whatsapp","to":%q,%s,"biz_opaque_callback_data":"c%d"}`, whatsappcloud.MagicNumber(code, via), hello, code)
			a, err := b.call("POST", messages, body)
			b.ok(err)
			b.idle()
			return a, b.recv.items("statuses")[before:]
		}
		if a, st := post(whatsappcloud.ViaAnswer); a.code() != code || a.status != row.HTTP || len(st) != 0 ||
			at(a.json, "error", "type") != "OAuthException" || at(a.json, "error", "fbtrace_id") == nil || (at(a.json, "error", "is_transient") == true) != row.Transient {
			t.Errorf("%d at once: %d %s, %v", code, a.status, a.body, st)
		}
		a, st := post(whatsappcloud.ViaWebhook)
		if a.status != 200 || len(st) != 1 || st[0]["status"] != "failed" || at(st[0], "errors", 0, "code") != float64(code) || st[0]["id"] != a.id() ||
			at(st[0], "errors", 0, "error_data", "details") == nil || st[0]["pricing"] != nil {
			t.Errorf("%d by webhook: %d %s, %v", code, a.status, a.body, st)
		}
		a, st = post(whatsappcloud.ViaBoth)
		if a.code() != code || len(st) != 1 || at(st[0], "errors", 0, "code") != float64(code) || st[0]["biz_opaque_callback_data"] != fmt.Sprintf("c%d", code) {
			t.Errorf("%d both: %s, %v", code, a.body, st)
		}
		if a, st := post(whatsappcloud.ViaDefault); (a.status == 200) != (row.Via == whatsappcloud.ViaWebhook) || (len(st) == 1) != (row.Via == whatsappcloud.ViaWebhook) {
			t.Errorf("%d by default: %d %v", code, a.status, st)
		}
	}
	b.sendTo(`"recipient":"DE.9991131016"`, hello, 500)
	b.sendTo(`"to":"+999 4 131016"`, hello, 200) // no magic: 131047 by webhook
}

func TestErrorFaults(t *testing.T) {
	b := setup(t, whatsappcloud.Options{WindowsOpen: true, Via: map[int]whatsappcloud.Via{131026: whatsappcloud.ViaAnswer}, HTTPStatus: map[int]int{131056: 429}})
	for _, code := range codes() {
		b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultError, Code: code, Via: whatsappcloud.ViaAnswer, Times: 2})
		b.refused(hello, code)
		b.refused(hello, code)
		b.send(hello, 200)
		b.control("POST", "reset", "", 200) // limits
	}
	b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultError, Code: 131026, To: "+49 151 12345678"})
	b.sendTo(`"to":"4915199999999"`, hello, 200)
	b.refused(hello, 131026)
	b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultError, Code: 131056, RetryAfter: "7", Details: "slow down"})
	if a := b.refused(hello, 131056); a.status != 429 || a.header.Get("Retry-After") != "7" || at(a.json, "error", "error_data", "details") != "slow down" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultError, Code: 131049})
	id := b.send(hello, 200).id()
	b.idle()
	if m, _ := b.emu.Message(id); m.Status != "failed" || m.Code != 131049 {
		t.Errorf("%+v", m)
	}
	b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultError, Code: 80007})
	if a := b.refused(hello, 80007); a.header.Get("X-Business-Use-Case-Usage") == "" || a.header.Get("Retry-After") != "" {
		t.Errorf("%v", a.header)
	}
	b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultError, Code: 4})
	if a := b.refused(hello, 4); a.header.Get("X-App-Usage") == "" {
		t.Errorf("%v", a.header)
	}
	b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultError, Code: 190, Route: "templates"})
	b.do("GET", "/v23.0/"+account+"/message_templates", "", 401)
	if c := b.emu.Counts(); c.ByCode[131056] != 1 || c.ByStatus[429] != 1 {
		t.Errorf("%+v", c)
	}
}

package whatsappcloud_test

import (
	"bytes"
	"mime/multipart"
	"net/textproto"
	"net/url"
	"strings"
	"testing"
	"time"

	"peal/emulator/whatsappcloud"
)

// form is a multipart upload.
func form(t *testing.T, product, kind string, data []byte) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if product != "" {
		_ = w.WriteField("messaging_product", product)
	}
	if data != nil {
		h := textproto.MIMEHeader{}
		h.Set("Content-Disposition", `form-data; name="file"; filename="a"`)
		h.Set("Content-Type", kind)
		part, err := w.CreatePart(h)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = part.Write(data)
	}
	_ = w.Close()
	return b.String(), w.FormDataContentType()
}

func TestMedia(t *testing.T) {
	now := newClock()
	b := setup(t, whatsappcloud.Options{Clock: now.Now, WindowsOpen: true, Accounts: []whatsappcloud.Account{{}, {
		ID: "2", Token: "token-2", Numbers: []whatsappcloud.Number{{ID: "22", Phone: "15550000022"}},
	}}})
	upload := func(product, kind string, data []byte, want int) string {
		t.Helper()
		body, contentType := form(t, product, kind, data)
		a := b.do("POST", "/v23.0/"+number+"/media", body, want, "Content-Type", contentType)
		id, _ := a.json["id"].(string)
		return id
	}
	upload("", "image/png", []byte("x"), 400)
	upload("whatsapp", "image/png", nil, 400)
	upload("whatsapp", "image/gif", []byte("x"), 400)
	upload("whatsapp", "image/png", []byte{}, 400)
	upload("whatsapp", "image/png", make([]byte, 5<<20+1), 400)
	b.do("POST", "/v23.0/"+number+"/media", "{}", 400)
	id := upload("whatsapp", "image/png", []byte("pixels"), 200)

	info := b.do("GET", "/v23.0/"+id, "", 200)
	if info.json["mime_type"] != "image/png" || info.json["file_size"] != float64(6) || len(info.json["sha256"].(string)) != 64 || info.json["messaging_product"] != "whatsapp" {
		t.Error(info.body)
	}
	u, err := url.Parse(info.json["url"].(string))
	b.ok(err)
	if a := b.do("GET", u.RequestURI(), "", 200); a.body != "pixels" || a.header.Get("Content-Type") != "image/png" {
		t.Error(a.body)
	}
	b.do("GET", u.RequestURI(), "", 401, "Authorization", "")
	b.do("GET", u.RequestURI(), "", 404, "Authorization", "Bearer token-2")
	b.do("GET", "/v23.0/"+id, "", 400, "Authorization", "Bearer token-2")
	b.do("GET", "/v23.0/"+id+"?phone_number_id="+number, "", 200)
	b.do("GET", "/v23.0/"+id+"?phone_number_id=22", "", 400)
	now.Advance(5 * time.Minute)
	b.do("GET", u.RequestURI(), "", 404)

	b.send(`"type":"image","image":{"id":"`+id+`"}`, 200)
	b.send(`"type":"document","document":{"id":"`+id+`","filename":"a.png"}`, 200)
	failed := b.send(`"type":"video","video":{"id":"`+id+`"}`, 200).id()
	header := `"type":"interactive","interactive":{"type":"button","header":{"type":"image","image":{"id":"404"}},"body":{"text":"b"},"action":{"buttons":[{"type":"reply","reply":{"id":"1","title":"Yes"}}]}}`
	b.refused(header, 100)
	b.ok(b.emu.SetScript(whatsappcloud.StatusScript(0, "sent")))
	failed2 := b.send(`"type":"sticker","sticker":{"id":"`+id+`"}`, 200).id()
	b.idle()
	for _, f := range []string{failed, failed2} {
		if m, _ := b.emu.Message(f); m.Code != 131053 {
			t.Errorf("%+v", m)
		}
	}
	if a := b.do("DELETE", "/v23.0/"+id, "", 200); a.json["success"] != true {
		t.Error(a.body)
	}
	b.do("GET", "/v23.0/"+id, "", 400)
	b.refused(`"type":"image","image":{"id":"`+id+`"}`, 100)
	id = upload("whatsapp", "image/png", []byte("pixels"), 200)
	now.Advance(30 * 24 * time.Hour)
	b.do("GET", "/v23.0/"+id, "", 400)
}

func TestLinks(t *testing.T) {
	b := setup(t, whatsappcloud.Options{WindowsOpen: true, LinkStatus: func(link string) int {
		if strings.HasSuffix(link, "gone.png") {
			return 404
		}
		return 200
	}})
	b.ok(b.emu.SetScript(whatsappcloud.StatusScript(0, "sent")))
	good, bad := b.send(`"type":"image","image":{"link":"https://example.com/a.png"}`, 200).id(), b.send(`"type":"image","image":{"link":"https://example.com/gone.png"}`, 200).id()
	b.idle()
	if m, _ := b.emu.Message(good); m.Status != "sent" {
		t.Errorf("%+v", m)
	}
	if m, _ := b.emu.Message(bad); m.Code != 131053 {
		t.Errorf("%+v", m)
	}
}

func TestNumberInfo(t *testing.T) {
	b := setup(t, whatsappcloud.Options{})
	a := b.do("GET", "/v23.0/"+number, "", 200)
	if a.json["quality_rating"] != "GREEN" || at(a.json, "throughput", "level") != "STANDARD" || a.json["display_phone_number"] != whatsappcloud.DefaultPhone || a.json["messaging_limit_tier"] != nil {
		t.Error(a.body)
	}
	b.ok(b.emu.PlayQuality("", "THROUGHPUT_UPGRADE", "YELLOW", whatsappcloud.Tier2K))
	b.ok(b.emu.UpdateNumber("", func(n *whatsappcloud.Number) { n.Throughput = 1000 }))
	a = b.do("GET", "/v23.0/"+number+"?fields=quality_rating,throughput,whatsapp_business_manager_messaging_limit,status", "", 200)
	if a.json["quality_rating"] != "YELLOW" || at(a.json, "throughput", "level") != "HIGH" || a.json["whatsapp_business_manager_messaging_limit"] != "TIER_2K" || a.json["status"] != "CONNECTED" {
		t.Error(a.body)
	}
	b.idle()
	if v := at(b.recv.hooks()[0].event, "entry", 0, "changes", 0, "value"); at(v, "event") != "THROUGHPUT_UPGRADE" || at(v, "current_limit") != "TIER_2K" || at(v, "old_limit") != "TIER_UNLIMITED" {
		t.Errorf("%v", v)
	}
	b.do("GET", "/v23.0/"+number+"?fields=nope", "", 400)
	a = b.do("GET", "/v23.0/"+account+"/phone_numbers", "", 200)
	if at(a.json, "data", 0, "id") != number {
		t.Error(a.body)
	}
	b.ok(b.emu.PlayAccountUpdate("", "ACCOUNT_RESTRICTION", true, map[string]any{"restriction_info": []any{map[string]any{"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING"}}}))
	b.ok(b.emu.PlayChange("", "business_capability_update", map[string]any{"max_daily_conversation_per_phone": 2000}))
	b.idle()
	if len(b.recv.hooks()) != 3 {
		t.Errorf("%d hooks", len(b.recv.hooks()))
	}
	b.refused(hello, 131031)
}

func TestHistory(t *testing.T) {
	b := setup(t, whatsappcloud.Options{WindowsOpen: true, Webhooks: whatsappcloud.WebhookOptions{Tries: 1}})
	b.recv.answer = func(n int) int { return map[bool]int{true: 200, false: 500}[n == 1] }
	b.ok(b.emu.SetScript(whatsappcloud.Script{Steps: []whatsappcloud.Step{{Status: "sent"}, {Status: "delivered"}, {Status: "read", Drop: true}}}))
	id := b.send(hello, 200).id()
	b.send(hello, 200)
	b.idle()
	a := b.do("GET", "/v23.0/"+number+"/message_history?fields=id,message_id,events{delivery_status,webhook_update_state,error_description}&message_id="+url.QueryEscape(id), "", 200)
	if data, _ := a.json["data"].([]any); len(data) != 1 || at(data[0], "message_id") != id {
		t.Fatal(a.body)
	}
	var got []string
	for i := range 3 {
		e := at(a.json, "data", 0, "events", "data", i)
		got = append(got, at(e, "delivery_status").(string)+" "+at(e, "webhook_update_state").(string))
	}
	if s := strings.Join(got, ", "); !strings.HasPrefix(s, "SENT ") || !strings.Contains(s, ", DELIVERED ") || !strings.HasSuffix(s, ", READ FAILED") || !strings.Contains(a.body, "returned HTTP 500") {
		t.Errorf("%s: %s", s, a.body)
	}
	a = b.do("GET", "/v23.0/"+number+"/message_history?limit=1", "", 200)
	if at(a.json, "paging", "next") == nil {
		t.Error(a.body)
	}
}

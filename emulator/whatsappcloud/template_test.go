package whatsappcloud_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"peal/emulator/whatsappcloud"
)

func TestTemplateChecks(t *testing.T) {
	list := []whatsappcloud.Template{
		orderPaid(),
		{Name: "plain", Language: "en", Components: []whatsappcloud.Component{{Type: "HEADER", Format: "TEXT", Text: "For {{1}}"}, {Type: "BODY", Text: "Hi"}}},
		{Name: "named", Language: "en", Format: "NAMED", Components: []whatsappcloud.Component{{Type: "BODY", Text: "Hi {{who}}, {{what}}"}}},
		{Name: "code", Language: "en", Category: "AUTHENTICATION", Components: []whatsappcloud.Component{
			{Type: "BODY", Text: "*{{1}}* is your code."}, {Type: "BUTTONS", Buttons: []whatsappcloud.Button{{Type: "OTP", Text: "Copy", OTPType: "COPY_CODE"}}}}},
		{Name: "coupon", Language: "en", Components: []whatsappcloud.Component{
			{Type: "BODY", Text: "x"}, {Type: "BUTTONS", Buttons: []whatsappcloud.Button{{Type: "COPY_CODE", Text: "Copy"}, {Type: "PHONE_NUMBER", Text: "Call", PhoneNumber: "+1"}}}}},
		{Name: "paused", Language: "en", Status: "PAUSED"}, {Name: "disabled", Language: "en", Status: "DISABLED"},
		{Name: "pending", Language: "en", Status: "PENDING"}, {Name: "rejected", Language: "en", Status: "REJECTED"},
	}
	b := setup(t, withTemplates(list...))
	template := func(name, language, components string) string {
		return fmt.Sprintf(`"type":"template","template":{"name":%q,"language":{"code":%q},"components":[%s]}`, name, language, components)
	}
	text := func(kind string, values ...string) string {
		var params []string
		for _, v := range values {
			params = append(params, fmt.Sprintf(`{"type":"text","text":%q}`, v))
		}
		return `{"type":"` + kind + `","parameters":[` + strings.Join(params, ",") + `]}`
	}
	const image = `{"type":"header","parameters":[{"type":"image","image":{"link":"https://example.com/a.png"}}]}`
	button := func(sub, index, param string) string {
		return `{"type":"button","sub_type":"` + sub + `","index":"` + index + `","parameters":[` + param + `]}`
	}
	link := button("url", "1", `{"type":"text","text":"a"}`)
	three := text("body", "a", "b", "c")
	for _, c := range []struct {
		rest string
		code int
	}{
		{template("nope", "en", ""), 132001},
		{template("order_paid", "de", ""), 132001},
		{template("paused", "en", ""), 132015},
		{template("disabled", "en", ""), 132016},
		{template("pending", "en", ""), 132001},
		{template("rejected", "en", ""), 132001},
		{template("order_paid", "en_US", image+","+text("body", "a", "b")+","+link), 132000},
		{template("order_paid", "en_US", image+","+link), 132000},
		{template("order_paid", "en_US", three+","+link), 132012},
		{template("order_paid", "en_US", text("header", "x")+","+three+","+link), 132012},
		{template("order_paid", "en_US", image+","+three), 131008},
		{template("order_paid", "en_US", image+","+three+","+link+","+button("url", "0", `{"type":"text","text":"a"}`)), 132012},
		{template("order_paid", "en_US", image+","+three+","+link+","+button("url", "5", `{"type":"text","text":"a"}`)), 132012},
		{template("order_paid", "en_US", image+","+three+","+link+","+link), 131009},
		{template("order_paid", "en_US", image+","+text("body", "a\nb", "b", "c")+","+link), 100},
		{template("order_paid", "en_US", image+","+text("body", strings.Repeat("x", 1025), "b", "c")+","+link), 132005},
		{template("plain", "en", ""), 132000},
		{template("plain", "en", text("header", "x")+","+text("body", "x")), 132000},
		{template("named", "en", text("body", "a", "b")), 100},
		{template("code", "en", text("body", "1")), 131008},
		{template("coupon", "en", button("copy_code", "0", `{"type":"text","text":"a"}`)), 132012},
		{template("coupon", "en", button("copy_code", "0", `{"type":"coupon_code","coupon_code":"a"}`)+","+button("url", "1", `{"type":"text","text":"a"}`)), 132012},
	} {
		b.refused(c.rest, c.code)
	}
	for _, rest := range []string{
		template("order_paid", "en_US", image+","+three+","+link),
		template("plain", "en", text("header", "x")),
		template("named", "en", `{"type":"body","parameters":[{"type":"text","parameter_name":"what","text":"a"},{"type":"text","parameter_name":"who","text":"b"}]}`),
		template("code", "en", text("body", "1")+","+button("url", "0", `{"type":"text","text":"1"}`)),
		template("coupon", "en", button("copy_code", "0", `{"type":"coupon_code","coupon_code":"a"}`)),
	} {
		b.send(rest, 200)
	}
}

func TestCatalogue(t *testing.T) {
	var list []whatsappcloud.Template
	for i := range 30 {
		list = append(list, whatsappcloud.Template{Name: fmt.Sprintf("t%02d", i), Language: "en"})
	}
	b := setup(t, withTemplates(list...))
	get := func(query string) answer {
		return b.do("GET", "/v23.0/"+account+"/message_templates"+query, "", 200)
	}
	var names []string
	next := b.srv.URL + "/v23.0/" + account + "/message_templates?limit=12"
	for next != "" {
		u, err := url.Parse(next)
		b.ok(err)
		a := b.do("GET", u.RequestURI(), "", 200)
		data, _ := at(a.json, "data").([]any)
		for _, d := range data {
			names = append(names, at(d, "name").(string))
		}
		next, _ = at(a.json, "paging", "next").(string)
	}
	if len(names) != 30 || names[0] != "t00" || names[29] != "t29" {
		t.Errorf("%v", names)
	}
	a := get("")
	if data := a.json["data"].([]any); len(data) != 25 || at(data[0], "components", 0, "type") != "BODY" || at(data[0], "status") != "APPROVED" {
		t.Error(a.body)
	}
	a = get("?name=t07&fields=name,quality_score")
	if data := a.json["data"].([]any); len(data) != 1 || at(data[0], "quality_score", "score") != "UNKNOWN" || at(data[0], "status") != nil {
		t.Error(a.body)
	}
	b.do("GET", "/v23.0/"+account+"/message_templates?fields=nope", "", 400)
	b.do("GET", "/v23.0/"+account+"/message_templates?limit=x", "", 400)
	b.do("GET", "/v23.0/"+account+"/message_templates?after=x", "", 400)

	// New ones wait for approval, and news of them come by webhook.
	body := `{"name":"fresh","language":"en","category":"UTILITY","components":[{"type":"BODY","text":"x"}]}`
	if a := b.do("POST", "/v23.0/"+account+"/message_templates", body, 200); a.json["status"] != "PENDING" {
		t.Error(a.body)
	}
	b.do("POST", "/v23.0/"+account+"/message_templates", body, 400)
	b.control("PUT", "templates", `{"name":"fresh","language":"en","status":"REJECTED","rejected_reason":"INVALID_FORMAT"}`, 200)
	b.idle()
	b.ok(b.emu.PutTemplate("", whatsappcloud.Template{Name: "t00", Language: "en", Status: "PAUSED", Quality: "RED"}))
	b.idle()
	var fields []string
	for _, h := range b.recv.hooks() {
		c := at(h.event, "entry", 0, "changes", 0)
		event, _ := at(c, "value", "event").(string)
		fields = append(fields, at(c, "field").(string)+" "+event)
		if at(h.event, "entry", 0, "time") == nil {
			t.Errorf("no time: %s", h.body)
		}
	}
	got := strings.Join(fields, ", ")
	for _, want := range []string{"message_template_status_update REJECTED", "message_template_status_update PAUSED", "message_template_quality_update"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s misses %s", got, want)
		}
	}
	b.ok(b.emu.RemoveTemplate("", "t01", "en"))
	if ts := b.emu.Templates(""); len(ts) != 30 || ts[0].Status != "PAUSED" || len(ts[0].Components) != 1 {
		t.Errorf("%d %+v", len(ts), ts[0])
	}
}

package whatsappcloud_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"peal/api"
	emulator "peal/emulator/whatsappcloud"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/whatsappcloud"
)

const (
	file  = "https://example.com/a.png"
	wamid = "wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI="
)

// contents are those that Meta takes, with the bodies that its documents print for them.
func contents() map[string]struct {
	content api.Content
	body    string
} {
	type c = struct {
		content api.Content
		body    string
	}
	texts := func(all ...string) (list []api.TemplateParameter) {
		for _, s := range all {
			list = append(list, api.TemplateParameter{Text: new(s)})
		}
		return list
	}
	return map[string]c{
		"text":     {api.Content{Text: new("hi \"you\"\n☺")}, `"type":"text","text":{"body":"hi \"you\"\n☺"}`},
		"reply":    {api.Content{Text: new("hi"), ReplyTo: wamid}, `"context":{"message_id":"` + wamid + `"},"type":"text","text":{"body":"hi"}`},
		"image":    {api.Content{Image: &api.Media{URL: file, Caption: "c"}}, `"type":"image","image":{"link":"` + file + `","caption":"c"}`},
		"video":    {api.Content{Video: &api.Media{URL: file}}, `"type":"video","video":{"link":"` + file + `"}`},
		"audio":    {api.Content{Audio: &api.Audio{URL: file}}, `"type":"audio","audio":{"link":"` + file + `"}`},
		"sticker":  {api.Content{Sticker: &api.Sticker{URL: file}}, `"type":"sticker","sticker":{"link":"` + file + `"}`},
		"document": {api.Content{Document: &api.Document{URL: file, Filename: "a.pdf", Caption: "c"}}, `"type":"document","document":{"link":"` + file + `","caption":"c","filename":"a.pdf"}`},
		"location": {api.Content{Location: &api.Location{Latitude: new(37.5), Longitude: new(-122.25), Name: "n", Address: "a"}},
			`"type":"location","location":{"latitude":37.5,"longitude":-122.25,"name":"n","address":"a"}`},
		"contact": {api.Content{Contact: &api.Contact{Name: "Ann", Phone: phone}},
			`"type":"contacts","contacts":[{"name":{"formatted_name":"Ann","first_name":"Ann"},"phones":[{"phone":"` + phone + `"}]}]`},
		"reaction":           {api.Content{Reaction: &api.Reaction{MessageID: wamid, Emoji: "😀"}}, `"type":"reaction","reaction":{"message_id":"` + wamid + `","emoji":"😀"}`},
		"reaction taken off": {api.Content{Reaction: &api.Reaction{MessageID: wamid}}, `"type":"reaction","reaction":{"message_id":"` + wamid + `","emoji":""}`},
		"bare template": {api.Content{Template: &api.Template{Name: "bare", Language: "en_US"}},
			`"type":"template","template":{"name":"bare","language":{"code":"en_US"}}`},
		"template": {api.Content{Template: &api.Template{
			Name: "order_paid", Language: "en_US", Header: []api.TemplateParameter{{Image: &api.Media{URL: file}}},
			Body: append(texts("Ann"),
				api.TemplateParameter{Currency: &api.Currency{Fallback: "$100.99", Code: "USD", Amount1000: 100990}},
				api.TemplateParameter{DateTime: new("21 November")}),
			Buttons: []api.TemplateButton{{Index: 0, Type: "quick_reply", Text: "YES"}, {Index: 1, Type: "url", Text: "abc"}, {Index: 2, Type: "copy_code", Text: "X1"}},
		}}, `"type":"template","template":{"name":"order_paid","language":{"code":"en_US"},"components":[` +
			`{"type":"header","parameters":[{"type":"image","image":{"link":"` + file + `"}}]},` +
			`{"type":"body","parameters":[{"type":"text","text":"Ann"},{"type":"currency","currency":{"fallback_value":"$100.99","code":"USD","amount_1000":100990}},{"type":"date_time","date_time":{"fallback_value":"21 November"}}]},` +
			`{"type":"button","sub_type":"quick_reply","index":"0","parameters":[{"type":"payload","payload":"YES"}]},` +
			`{"type":"button","sub_type":"url","index":"1","parameters":[{"type":"text","text":"abc"}]},` +
			`{"type":"button","sub_type":"copy_code","index":"2","parameters":[{"type":"coupon_code","coupon_code":"X1"}]}]}`},
		"named template": {api.Content{Template: &api.Template{Name: "named", Language: "en", Body: []api.TemplateParameter{{Name: "who", Text: new("Ann")}}}},
			`"type":"template","template":{"name":"named","language":{"code":"en"},"components":[{"type":"body","parameters":[{"parameter_name":"who","type":"text","text":"Ann"}]}]}`},
		"buttons": {api.Content{Interactive: &api.Interactive{
			Header: &api.InteractiveHeader{Document: &api.Document{URL: file, Filename: "a.pdf"}}, Body: "b", Footer: "f",
			Buttons: []api.ReplyButton{{ID: "1", Title: "Yes"}, {ID: "2", Title: "No"}},
		}}, `"type":"interactive","interactive":{"type":"button","header":{"type":"document","document":{"link":"` + file + `","filename":"a.pdf"}},"body":{"text":"b"},"footer":{"text":"f"},` +
			`"action":{"buttons":[{"type":"reply","reply":{"id":"1","title":"Yes"}},{"type":"reply","reply":{"id":"2","title":"No"}}]}}`},
		"list": {api.Content{Interactive: &api.Interactive{
			Header: &api.InteractiveHeader{Text: "h"}, Body: "b",
			List: &api.ReplyList{Button: "Open", Sections: []api.ListSection{
				{Title: "one", Rows: []api.ListRow{{ID: "a", Title: "A", Description: "d"}}}, {Title: "two", Rows: []api.ListRow{{ID: "b", Title: "B"}}},
			}},
		}}, `"type":"interactive","interactive":{"type":"list","header":{"type":"text","text":"h"},"body":{"text":"b"},` +
			`"action":{"button":"Open","sections":[{"title":"one","rows":[{"id":"a","title":"A","description":"d"}]},{"title":"two","rows":[{"id":"b","title":"B"}]}]}}`},
	}
}

// templates are the catalogue that the contents name.
func templates() []emulator.Template {
	return []emulator.Template{
		{Name: "bare", Language: "en_US"},
		{Name: "named", Language: "en", Format: "NAMED", Components: []emulator.Component{{Type: "BODY", Text: "Hello {{who}}"}}},
		{Name: "order_paid", Language: "en_US", Components: []emulator.Component{
			{Type: "HEADER", Format: "IMAGE"}, {Type: "BODY", Text: "{{1}} paid {{2}} on {{3}}"},
			{Type: "BUTTONS", Buttons: []emulator.Button{
				{Type: "QUICK_REPLY", Text: "Yes"}, {Type: "URL", Text: "See", URL: "https://example.com/{{1}}"}, {Type: "COPY_CODE", Text: "Copy"},
			}},
		}},
	}
}

// TestContents: each is taken by our checks and by the emulator, and its body is as Meta prints it.
func TestContents(t *testing.T) {
	t.Parallel()
	emu, c := open(t, emulator.Options{Accounts: []emulator.Account{{Templates: templates()}}})
	for name, k := range contents() {
		if fields := (whatsappcloud.Kind{}).CheckContent(&k.content); len(fields) > 0 {
			t.Errorf("%s: %+v", name, fields)
		}
		out := c.Send(t.Context(), saying(phone, k.content))
		if out.Class != peal.ClassAccepted {
			t.Errorf("%s: %+v", name, out)
			continue
		}
		m, _ := emu.Message(out.MessageID)
		want := `{"messaging_product":"whatsapp","recipient_type":"individual","to":"` + phone + `",` + k.body + `,"biz_opaque_callback_data":"` + deliveryID + `"}`
		if got := string(m.Body); got != want || !json.Valid([]byte(want)) || m.Callback != deliveryID {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
}

// TestGateway: a front like 360dialog's needs settings only.
func TestGateway(t *testing.T) {
	t.Parallel()
	emu, c := open(t, emulator.Options{Gateway: &emulator.Gateway{Path: "/v1"}}, func(in *peal.Integration) {
		in.Settings = []byte(`{"whatsapp_cloud":{"messages_path":"/v1/messages","auth_header":"D360-API-KEY"}}`)
		in.Credentials["access_token"] = emulator.DefaultAPIKey
	})
	if out := c.Send(t.Context(), hello(phone)); out.Class != peal.ClassAccepted {
		t.Errorf("%+v", out)
	}
	if n := len(emu.Messages(emulator.Query{})); n != 1 || !c.Probe(t.Context()).OK {
		t.Errorf("%d were taken", n)
	}
}

// TestRefusedContents: what Meta would refuse is refused before.
func TestRefusedContents(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 5000)
	button := func(id, title string) api.ReplyButton { return api.ReplyButton{ID: id, Title: title} }
	rows := func(n int) (list []api.ListRow) {
		for i := range n {
			list = append(list, api.ListRow{ID: strings.Repeat("r", i+1), Title: "t"})
		}
		return list
	}
	list := func(sections ...api.ListSection) api.Content {
		return api.Content{Interactive: &api.Interactive{Body: "b", List: &api.ReplyList{Button: "Open", Sections: sections}}}
	}
	body := func(p api.TemplateParameter) api.Content {
		return api.Content{Template: &api.Template{Name: "n", Language: "en", Body: []api.TemplateParameter{p}}}
	}
	for path, c := range map[string]api.Content{
		"poll":                                    {Poll: &api.Poll{Question: "q", Options: []string{"a", "b"}}},
		"push":                                    {Push: &api.Push{Body: "b"}},
		"text":                                    {Text: &long},
		"image.caption":                           {Image: &api.Media{URL: file, Caption: long}},
		"image.view_once":                         {Image: &api.Media{URL: file, ViewOnce: true}},
		"document.filename":                       {Document: &api.Document{URL: file, Filename: long}},
		"video.url":                               {Video: &api.Media{URL: "ftp://example.com/a"}},
		"sticker.url":                             {Sticker: &api.Sticker{}},
		"contact.phone":                           {Contact: &api.Contact{Name: "Ann", Phone: "0151"}},
		"location.latitude":                       {Location: &api.Location{Latitude: new(91.0), Longitude: new(1.0)}},
		"mentions":                                {Text: new("hi"), Mentions: []string{phone}},
		"reply_to":                                {Text: new("hi"), ReplyTo: "100000"},
		"reaction.message_id":                     {Reaction: &api.Reaction{MessageID: "1", Emoji: "x"}},
		"template.name":                           {Template: &api.Template{Name: "No Name", Language: "en"}},
		"template.language":                       {Template: &api.Template{Name: "n"}},
		"template.body[0]":                        body(api.TemplateParameter{}),
		"template.body[0].text":                   body(api.TemplateParameter{Text: new("two\nlines")}),
		"template.body[0].currency.code":          body(api.TemplateParameter{Currency: &api.Currency{Fallback: "f", Code: "usd"}}),
		"template.buttons[0].type":                {Template: &api.Template{Name: "n", Language: "en", Buttons: []api.TemplateButton{{Type: "call", Text: "x"}}}},
		"interactive":                             {Interactive: &api.Interactive{Body: "b"}},
		"interactive.body":                        {Interactive: &api.Interactive{Buttons: []api.ReplyButton{button("1", "a")}}},
		"interactive.buttons":                     {Interactive: &api.Interactive{Body: "b", Buttons: []api.ReplyButton{button("1", "a"), button("2", "b"), button("3", "c"), button("4", "d")}}},
		"interactive.buttons[1]":                  {Interactive: &api.Interactive{Body: "b", Buttons: []api.ReplyButton{button("1", "a"), button("1", "b")}}},
		"interactive.header":                      {Interactive: &api.Interactive{Header: &api.InteractiveHeader{}, Body: "b", Buttons: []api.ReplyButton{button("1", "a")}}},
		"interactive.list.sections":               list(api.ListSection{Rows: rows(11)}),
		"interactive.list.sections[0].title":      list(api.ListSection{Rows: rows(1)}, api.ListSection{Title: "t", Rows: []api.ListRow{{ID: "x", Title: "t"}}}),
		"interactive.list.sections[0].rows":       list(api.ListSection{}),
		"interactive.list.sections[1].rows[0].id": list(api.ListSection{Title: "a", Rows: rows(1)}, api.ListSection{Title: "b", Rows: rows(1)}),
	} {
		fields := (whatsappcloud.Kind{}).CheckContent(&c)
		if len(fields) != 1 || fields[0].Path != path || fields[0].Code == "" || fields[0].Message == "" {
			t.Errorf("%s: got %+v", path, fields)
		}
	}
}

// TestEveryKindIsNamed: a new field of api.Content is in Kinds, or refines them.
func TestEveryKindIsNamed(t *testing.T) {
	t.Parallel()
	typ := reflect.TypeFor[api.Content]()
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "mentions" || name == "reply_to" || name == "fallback_template" {
			continue
		}
		var c api.Content
		reflect.ValueOf(&c).Elem().Field(i).Set(reflect.New(f.Type.Elem()))
		if kinds := c.Kinds(); !slices.Equal(kinds, []string{name}) {
			t.Errorf("%s: got %v", name, kinds)
		}
	}
}

func TestOpenRefusesBadSettings(t *testing.T) {
	t.Parallel()
	for settings, path := range map[string]string{
		`{}`: "phone_number_id",
		`{"whatsapp_cloud":{"phone_number_id":"+49151"}}`:                                  "phone_number_id",
		`{"whatsapp_cloud":{"phone_number_id":"1/2"}}`:                                     "phone_number_id",
		`{"whatsapp_cloud":{"phone_number_id":"1","waba_id":"x"}}`:                         "waba_id",
		`{"whatsapp_cloud":{"phone_number_id":"1","graph_version":"26"}}`:                  "graph_version",
		`{"whatsapp_cloud":{"phone_number_id":"1","graph_version":"v26.0/../v1"}}`:         "graph_version",
		`{"whatsapp_cloud":{"messages_path":"messages"}}`:                                  "messages_path",
		`{"whatsapp_cloud":{"messages_path":"/messages?x=1"}}`:                             "messages_path",
		`{"whatsapp_cloud":{"messages_path":"/messages","auth_header":"X: y\r\nZ"}}`:       "auth_header",
		`{"whatsapp_cloud":{"phone_number_id":"1","messages_path":"/a b","waba_id":"12"}}`: "messages_path",
	} {
		in := integration("https://graph.facebook.com")
		in.Settings = []byte(settings)
		_, err := whatsappcloud.Kind{}.Open(in, provider.Env{Transport: http.DefaultTransport})
		var e *peal.Error
		if !errors.As(err, &e) || e.Kind != peal.Invalid || len(e.Fields) != 1 || e.Fields[0].Path != "settings.whatsapp_cloud."+path {
			t.Errorf("%s: got %v", settings, err)
		}
	}
}

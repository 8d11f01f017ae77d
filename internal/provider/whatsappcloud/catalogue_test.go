package whatsappcloud

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"peal/api"
	emulator "peal/emulator/whatsappcloud"
	"peal/internal/peal"
	"peal/internal/provider"
)

// components of templates, as Meta lists them.
const (
	plainBody  = `{"type":"BODY","text":"Hello"}`
	twoPlaces  = `{"type":"BODY","text":"Hi {{1}}, {{2}} is paid, {{1}}."}`
	namedBody  = `{"type":"BODY","text":"Hi {{who}}, {{what}}"}`
	textHeader = `{"type":"HEADER","format":"TEXT","text":"For {{1}}"}`
	image      = `{"type":"HEADER","format":"IMAGE","example":{"header_handle":["x"]}}`
	location   = `{"type":"HEADER","format":"LOCATION"}`
	footer     = `{"type":"FOOTER","text":"Reply STOP to stop {{1}}"}`
	buttons    = `{"type":"BUTTONS","buttons":[{"type":"QUICK_REPLY","text":"Yes"},{"type":"URL","text":"See","url":"https://example.com/{{1}}"},
		{"type":"URL","text":"Home","url":"https://example.com/"},{"type":"COPY_CODE"},{"type":"PHONE_NUMBER","text":"Call","phone_number":"+1"},{"type":"FLOW","text":"Go"}]}`
	otp  = `{"type":"BUTTONS","buttons":[{"type":"OTP","otp_type":"COPY_CODE","text":"Copy"}]}`
	odd  = `{"type":"LIMITED_TIME_OFFER","limited_time_offer":{"text":"Now","has_expiration":true}},{"type":"CAROUSEL","cards":[{}]}`
	file = "https://example.com/a"
)

func TestShape(t *testing.T) {
	t.Parallel()
	texts := func(values ...string) (list []api.TemplateParameter) {
		for _, v := range values {
			list = append(list, api.TemplateParameter{Text: &v})
		}
		return list
	}
	named := func(names ...string) (list []api.TemplateParameter) {
		for _, n := range names {
			list = append(list, api.TemplateParameter{Name: n, Text: new("x")})
		}
		return list
	}
	picture := []api.TemplateParameter{{Image: &api.Media{URL: file}}}
	all := []api.TemplateButton{{Index: 1, Type: "url", Text: "a"}, {Index: 3, Type: "copy_code", Text: "a"}}
	for name, tt := range map[string]struct {
		components, format string
		give               api.Template
		want               string
	}{
		"plain":                          {components: plainBody},
		"a footer has no places":         {components: plainBody + "," + footer},
		"something for nothing":          {components: plainBody, give: api.Template{Body: texts("a")}, want: "template.body count: the template's body takes no parameters; 1 given"},
		"places":                         {components: twoPlaces, give: api.Template{Body: texts("a", "b")}},
		"currency and date":              {components: twoPlaces, give: api.Template{Body: []api.TemplateParameter{{Currency: &api.Currency{}}, {DateTime: new("now")}}}},
		"too few":                        {components: twoPlaces, give: api.Template{Body: texts("a")}, want: "template.body count: the template's body takes 2 parameters; 1 given"},
		"too many":                       {components: twoPlaces, give: api.Template{Body: texts("a", "b", "c")}, want: "template.body count: the template's body takes 2 parameters; 3 given"},
		"names for places":               {components: twoPlaces, give: api.Template{Body: named("a", "b")}, want: "template.body[0].name unsupported, template.body[1].name unsupported"},
		"names":                          {components: namedBody, format: "named", give: api.Template{Body: named("what", "who")}},
		"names that nobody said are":     {components: namedBody, give: api.Template{Body: named("what", "who")}},
		"places for names":               {components: namedBody, format: "named", give: api.Template{Body: texts("a", "b")}, want: "template.body[0].name required, template.body[1].name required"},
		"another name":                   {components: namedBody, format: "named", give: api.Template{Body: named("who", "why")}, want: "template.body[1].name invalid"},
		"a name twice":                   {components: namedBody, format: "named", give: api.Template{Body: named("who", "who")}, want: "template.body[1].name duplicate"},
		"a name too few":                 {components: namedBody, format: "named", give: api.Template{Body: named("who")}, want: "template.body count: the template's body takes 2 parameters (who, what); 1 given"},
		"no header":                      {components: plainBody, give: api.Template{Header: picture}, want: "template.header unsupported"},
		"text header":                    {components: textHeader, give: api.Template{Header: texts("a")}},
		"text header without its place":  {components: textHeader, want: "template.header count: the template's header takes 1 parameter; 0 given"},
		"a file in a text header":        {components: textHeader, give: api.Template{Header: picture}, want: "template.header[0] invalid"},
		"image":                          {components: image, give: api.Template{Header: picture}},
		"no image":                       {components: image, want: "template.header required"},
		"a video for an image":           {components: image, give: api.Template{Header: []api.TemplateParameter{{Video: &api.Media{URL: file}}}}, want: "template.header[0] invalid"},
		"a text for an image":            {components: image, give: api.Template{Header: texts("a")}, want: "template.header[0] invalid"},
		"two images":                     {components: image, give: api.Template{Header: append(picture, picture...)}, want: "template.header count"},
		"a header that is not known":     {components: location},
		"buttons":                        {components: buttons, give: api.Template{Buttons: all}},
		"a reply and one that is any":    {components: buttons, give: api.Template{Buttons: append(all, api.TemplateButton{Index: 0, Type: "quick_reply", Text: "y"}, api.TemplateButton{Index: 5, Type: "url", Text: "y"})}},
		"no parameters of buttons":       {components: buttons, want: "template.buttons required: give the parameter of button 1, of type url, template.buttons required: give the parameter of button 3, of type copy_code"},
		"an url for a reply":             {components: buttons, give: api.Template{Buttons: append(all, api.TemplateButton{Index: 0, Type: "url", Text: "y"})}, want: "template.buttons[2].type invalid"},
		"an end for a whole url":         {components: buttons, give: api.Template{Buttons: append(all, api.TemplateButton{Index: 2, Type: "url", Text: "y"})}, want: "template.buttons[2] unsupported"},
		"something for a phone":          {components: buttons, give: api.Template{Buttons: append(all, api.TemplateButton{Index: 4, Type: "quick_reply", Text: "y"})}, want: "template.buttons[2] unsupported"},
		"a button that is not there":     {components: buttons, give: api.Template{Buttons: append(all, api.TemplateButton{Index: 6, Type: "url", Text: "y"})}, want: "template.buttons[2].index invalid: there is no such button: the template has 6 buttons"},
		"no buttons":                     {components: plainBody, give: api.Template{Buttons: all[:1]}, want: "template.buttons[0].index invalid: there is no such button: the template has no buttons"},
		"a code":                         {components: twoPlaces + "," + otp, give: api.Template{Body: texts("1", "2"), Buttons: []api.TemplateButton{{Index: 0, Type: "url", Text: "1"}}}},
		"a code without it":              {components: otp, want: "template.buttons required"},
		"what is not known is let go":    {components: plainBody + "," + odd},
		"a body that is not told":        {components: `{"type":"BODY","add_security_recommendation":true}`, give: api.Template{Body: texts("a")}},
		"components that cannot be read": {components: `7`, give: api.Template{Body: texts("a"), Header: picture, Buttons: all}},
	} {
		shape := Kind{}.Shape(&peal.Template{Format: tt.format, Components: json.RawMessage("[" + tt.components + "]")})
		var got []string
		for _, f := range shape.Check(&tt.give) {
			got = append(got, f.Path+" "+f.Code+": "+f.Message)
		}
		want := []string{}
		if tt.want != "" {
			want = strings.Split(strings.ReplaceAll(tt.want, ", template.", ",\ntemplate."), ",\n")
		}
		ok := len(got) == len(want)
		for i := range want {
			ok = ok && strings.HasPrefix(got[i], want[i])
		}
		if !ok {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	if f := (Kind{}).Shape(&peal.Template{}).Check(&api.Template{Body: texts("a")}); f != nil {
		t.Errorf("without components: %+v", f)
	}
}

// TestTemplatesAreListed reads an emulated account's catalogue, page by page, and what keeps that from working.
func TestTemplatesAreListed(t *testing.T) {
	t.Parallel()
	emu := emulator.New(emulator.Options{})
	t.Cleanup(emu.Close)
	srv := httptest.NewServer(emu)
	t.Cleanup(srv.Close)
	put := func(v emulator.Template) {
		t.Helper()
		if err := emu.PutTemplate("", v); err != nil {
			t.Fatal(err)
		}
	}
	for i := range listPage {
		put(emulator.Template{Name: "a_" + codeText(i), Language: "en"})
	}
	put(emulator.Template{
		Name: "last", Language: "pt_BR", Category: "MARKETING", Status: "REJECTED", Reason: "SCAM", Format: "NAMED", Quality: "YELLOW",
		Components: []emulator.Component{{Type: "BODY", Text: "Hi {{who}}"}},
	})
	open := func(token string) provider.Cataloguer {
		t.Helper()
		settings, err := json.Marshal(api.Settings{WhatsAppCloud: &api.WhatsAppCloud{PhoneNumberID: emulator.DefaultNumber, WABAID: emulator.DefaultAccount}})
		if err != nil {
			t.Fatal(err)
		}
		in := &peal.Integration{BaseURL: srv.URL, Settings: settings, Credentials: map[string]string{accessToken: token, appSecret: "12345678"}}
		c, err := Kind{}.Open(in, provider.Env{Transport: http.DefaultTransport})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c.(provider.Cataloguer)
	}
	c := open(emulator.DefaultToken)
	first, err := c.Templates(t.Context(), "")
	if err != nil || len(first.Templates) != listPage || first.Next == "" {
		t.Fatalf("%d templates, %q, %v", len(first.Templates), first.Next, err)
	}
	second, err := c.Templates(t.Context(), first.Next)
	if err != nil || len(second.Templates) != 1 || second.Next != "" {
		t.Fatalf("%+v, %v", second, err)
	}
	got := second.Templates[0]
	if got.ProviderID == "" || !strings.Contains(string(got.Components), "{{who}}") {
		t.Errorf("%+v", got)
	}
	got.ProviderID, got.Components = "", nil
	want := peal.Template{
		Name: "last", Language: "pt_BR", Category: "marketing", Status: peal.TemplateRejected, Format: "named", Quality: "yellow", Reason: "SCAM",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	_, err = open("another-token").Templates(t.Context(), "")
	if e, ok := err.(*provider.Error); !ok || e.Class != peal.ClassIntegration || e.Code != "190" { //nolint:errorlint // it is given bare
		t.Errorf("under another token: %v", err)
	}
	for name, tt := range map[string]struct{ set, name string }{
		"":               {`{"whatsapp_cloud":{"messages_path":"/messages"}}`, ""},
		"https://x/1020": {`{"whatsapp_cloud":{"phone_number_id":"1","waba_id":"1020"}}`, "https://x/1020"},
	} {
		got, missing := Kind{}.Catalogue(&peal.Integration{BaseURL: "https://x", Settings: json.RawMessage(tt.set)})
		if got != name || (got == "") != (missing != "") {
			t.Errorf("%s: %q, %q", tt.set, got, missing)
		}
	}
}

func TestNewsOfTemplates(t *testing.T) {
	t.Parallel()
	at := time.Unix(1739321024, 0).UTC()
	const of = `"message_template_id":1689556908129832,"message_template_name":"order_paid","message_template_language":"en-US"`
	base := peal.TemplateState{ProviderID: "1689556908129832", Name: "order_paid", Language: "en_US", At: at}
	with := func(change func(*peal.TemplateState)) *peal.TemplateState {
		s := base
		change(&s)
		return &s
	}
	status := func(s peal.TemplateStatus) *peal.TemplateState {
		return with(func(v *peal.TemplateState) { v.Status = s })
	}
	for body, want := range map[string]*peal.TemplateState{
		`"field":"message_template_status_update","value":{"event":"APPROVED","reason":"NONE",` + of + `}`: status(peal.TemplateApproved),
		`"field":"message_template_status_update","value":{"event":"PAUSED","reason":"NONE","message_template_category":"MARKETING","other_info":{"title":"FIRST_PAUSE"},` + of + `}`: with(func(v *peal.TemplateState) {
			v.Status, v.Category = peal.TemplatePaused, "marketing"
		}),
		`"field":"message_template_status_update","value":{"event":"LOCKED","other_info":{"title":"SECOND_PAUSE"},` + of + `}`: status(peal.TemplatePaused),
		`"field":"message_template_status_update","value":{"event":"UNLOCKED","other_info":{"title":"UNPAUSE"},` + of + `}`:    status(peal.TemplateApproved),
		`"field":"message_template_status_update","value":{"event":"REINSTATED",` + of + `}`:                                   status(peal.TemplateApproved),
		`"field":"message_template_status_update","value":{"event":"FLAGGED",` + of + `}`:                                      &base,
		`"field":"message_template_status_update","value":{"event":"REJECTED","reason":"INVALID_FORMAT","rejection_info":{"reason":"Too many variables"},` + of + `}`: with(func(v *peal.TemplateState) {
			v.Status, v.Reason = peal.TemplateRejected, "Too many variables"
		}),
		`"field":"message_template_quality_update","value":{"previous_quality_score":"GREEN","new_quality_score":"RED",` + of + `}`: with(func(v *peal.TemplateState) { v.Quality = "red" }),
		`"field":"template_category_update","value":{"previous_category":"UTILITY","new_category":"MARKETING",` + of + `}`:          with(func(v *peal.TemplateState) { v.Category = "marketing" }),
		`"field":"message_template_components_update","value":{"message_template_element":"b",` + of + `}`:                          &base,
	} {
		facts, err := Kind{}.ParseWebhook(nil, []byte(`{"entry":[{"id":"1","time":1739321024,"changes":[{`+body+`}]}]}`))
		if err != nil || len(facts) != 1 {
			t.Errorf("%s: %+v, %v", body, facts, err)
			continue
		}
		if diff := cmp.Diff(want, facts[0].Template); diff != "" {
			t.Errorf("%s: -want +got:\n%s", body, diff)
		}
	}
}

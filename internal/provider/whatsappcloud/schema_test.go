package whatsappcloud_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"peal/api"
	emulator "peal/emulator/whatsappcloud"
	"peal/internal/provider"
	"peal/internal/provider/whatsappcloud"
)

// schemaFile is Meta's own description of the API, which is not part of the project.
const schemaFile = "../../../../shared/data/whatsapp-cloud-schemas.json"

// schemas are Meta's, by the type of message; also those of a template's components, which its schema of templates leaves open.
func schemas(t *testing.T) func(name string) *jsonschema.Schema {
	t.Helper()
	raw, err := os.Open(schemaFile)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("SKIPPED: the check of what we send against Meta's own schemas. To run it: put Meta's OpenAPI description to " + schemaFile)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	doc, err := jsonschema.UnmarshalJSON(raw)
	if err != nil {
		t.Fatal(err)
	}
	// An id in the file would be the address that the references below are looked for at.
	if o, ok := doc.(map[string]any); ok {
		delete(o, "$id")
	}
	c := jsonschema.NewCompiler()
	const at = "file:///whatsapp-cloud-schemas.json"
	if err := c.AddResource(at, doc); err != nil {
		t.Fatal(err)
	}
	known := map[string]*jsonschema.Schema{}
	return func(name string) *jsonschema.Schema {
		t.Helper()
		if known[name] == nil {
			s, err := c.Compile(at + "#/components/schemas/" + name)
			if err != nil {
				t.Fatal(err)
			}
			known[name] = s
		}
		return known[name]
	}
}

// fitter makes the call that a content becomes and holds it against the schemas.
func fitter(t *testing.T) func(c *api.Content) (body []byte, err error) {
	t.Helper()
	schema := schemas(t)
	_, client := open(t, emulator.Options{})
	previewer, ok := client.(provider.Previewer)
	if !ok {
		t.Fatal("it shows no bodies")
	}
	return func(c *api.Content) ([]byte, error) {
		p, err := previewer.Preview(saying(phone, *c))
		if err != nil {
			return nil, err
		}
		var body map[string]any
		if err := json.Unmarshal(p.Body, &body); err != nil {
			return p.Body, err
		}
		kind, _ := body["type"].(string)
		if kind == "" {
			return p.Body, errors.New("it has no type")
		}
		all := []error{schema(strings.ToUpper(kind[:1]) + kind[1:] + "Message").Validate(body)}
		if template, ok := body["template"].(map[string]any); ok {
			list, _ := template["components"].([]any)
			for _, part := range list {
				all = append(all, checkComponent(schema, part))
			}
		}
		return p.Body, errors.Join(all...)
	}
}

// checkComponent holds a template's parameters against the schemas that are named by their types. Copy codes are not among
// them, and the schema of a button has a broken pattern for its index.
func checkComponent(schema func(string) *jsonschema.Schema, part any) error {
	component, _ := part.(map[string]any)
	params, _ := component["parameters"].([]any)
	names := map[string]string{
		"text": "TextParameter", "currency": "CurrencyParameter", "date_time": "DateTimeParameter", "image": "ImageParameter",
		"video": "VideoParameter", "document": "DocumentParameter",
	}
	if component["type"] == "button" {
		names = map[string]string{"text": "ButtonTextParameter", "payload": "ButtonPayloadParameter"}
	}
	var all []error
	for _, p := range params {
		param, _ := p.(map[string]any)
		kind, _ := param["type"].(string)
		if name := names[kind]; name != "" {
			all = append(all, schema(name).Validate(param))
		} else if kind != "coupon_code" {
			all = append(all, errors.New("no type of parameter: "+kind))
		}
	}
	return errors.Join(all...)
}

// TestSchemas: what we send of each kind of content is as Meta's own schemas have it. They know no buttons that copy a code.
func TestSchemas(t *testing.T) {
	t.Parallel()
	fits := fitter(t)
	for name, c := range map[string]api.Content{
		"no kind": {}, "no buttons' type": {Template: &api.Template{Buttons: []api.TemplateButton{{Type: "call"}}}},
	} {
		if body, err := fits(&c); err == nil {
			t.Errorf("%s: the schemas take %s", name, body)
		}
	}
	for name, k := range contents() {
		c := k.content
		if c.Template != nil {
			template := *c.Template
			template.Buttons = nil
			for _, b := range c.Template.Buttons {
				if b.Type != "copy_code" {
					template.Buttons = append(template.Buttons, b)
				}
			}
			c.Template = &template
		}
		if body, err := fits(&c); err != nil {
			t.Errorf("%s: %s: %v", name, body, err)
		}
	}
}

// TestSchemasOfAnything: whatever the checks at accept let through fits.
func TestSchemasOfAnything(t *testing.T) {
	t.Parallel()
	fits := fitter(t)
	taken := 0
	rapid.Check(t, func(rt *rapid.T) {
		c := anyContent().Draw(rt, "content")
		if len(whatsappcloud.Kind{}.CheckContent(&c)) > 0 {
			return
		}
		taken++
		if body, err := fits(&c); err != nil {
			rt.Fatalf("%s: %v", body, err)
		}
	})
	if taken == 0 {
		t.Error("none of the contents was taken; the generator makes nothing that fits")
	}
}

// anyContent makes contents of every kind, with texts of any characters; most of them fit.
func anyContent() *rapid.Generator[api.Content] {
	return rapid.Custom(func(t *rapid.T) api.Content {
		text := func(name string, least, most int) string { return rapid.StringN(least, most, -1).Draw(t, name) }
		media := func() *api.Media {
			if rapid.Bool().Draw(t, "uploaded") {
				return &api.Media{MediaID: "1234567890", Caption: text("caption", 0, 20)}
			}
			return &api.Media{URL: file, Caption: text("caption", 0, 20)}
		}
		document := func() *api.Document {
			return &api.Document{URL: file, Filename: text("filename", 0, 20), Caption: text("caption", 0, 20)}
		}
		degrees := func(name string, most float64) *float64 { return new(rapid.Float64Range(-most, most).Draw(t, name)) }
		reply := func(c api.Content) api.Content {
			if rapid.Bool().Draw(t, "an answer") {
				c.ReplyTo = wamid
			}
			return c
		}
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			return reply(api.Content{Text: new(text("text", 1, 50))})
		case 1:
			return reply(api.Content{Image: media()})
		case 2:
			return reply(api.Content{Video: media()})
		case 3:
			return reply(api.Content{Document: document()})
		case 4:
			return api.Content{Audio: &api.Audio{URL: file}}
		case 5:
			return api.Content{Sticker: &api.Sticker{MediaID: "1234567890"}}
		case 6:
			return api.Content{Contact: &api.Contact{Name: text("name", 1, 20), Phone: phone}}
		case 7:
			return reply(api.Content{Location: &api.Location{
				Latitude: degrees("latitude", 90), Longitude: degrees("longitude", 180), Name: text("name", 0, 9), Address: text("address", 0, 9),
			}})
		case 8:
			return api.Content{Template: anyTemplate(t)}
		default:
			return reply(api.Content{Interactive: anyInteractive(t)})
		}
	})
}

func anyTemplate(t *rapid.T) *api.Template {
	out := &api.Template{Name: rapid.StringMatching(`[a-z0-9_]{1,20}`).Draw(t, "name"), Language: rapid.SampledFrom([]string{"en", "en_US", "zh_HK"}).Draw(t, "language")}
	for range rapid.IntRange(0, 3).Draw(t, "variables") {
		p := api.TemplateParameter{}
		switch rapid.IntRange(0, 2).Draw(t, "variable") {
		case 0:
			p.Text = new(rapid.StringN(1, 20, -1).Draw(t, "text"))
		case 1:
			p.Currency = &api.Currency{Fallback: rapid.StringN(1, 20, -1).Draw(t, "fallback"), Code: "EUR", Amount1000: rapid.Int64().Draw(t, "amount")}
		default:
			p.DateTime = new(rapid.StringN(1, 20, -1).Draw(t, "date"))
		}
		out.Body = append(out.Body, p)
	}
	if rapid.Bool().Draw(t, "a header") {
		out.Header = []api.TemplateParameter{{Document: &api.Document{URL: file, Filename: rapid.StringN(0, 9, -1).Draw(t, "filename")}}}
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "buttons") {
		out.Buttons = append(out.Buttons, api.TemplateButton{
			Index: i, Type: rapid.SampledFrom([]string{"url", "quick_reply", "copy_code"}).Draw(t, "type"), Text: rapid.StringN(1, 9, -1).Draw(t, "button"),
		})
		if b := &out.Buttons[i]; b.Type == "copy_code" {
			b.Type = "url"
		}
	}
	return out
}

func anyInteractive(t *rapid.T) *api.Interactive {
	text := func(name string, least, most int) string { return rapid.StringN(least, most, -1).Draw(t, name) }
	out := &api.Interactive{Body: text("body", 1, 30), Footer: text("footer", 0, 20)}
	if rapid.Bool().Draw(t, "a header") {
		out.Header = &api.InteractiveHeader{Text: text("header", 1, 20)}
	}
	if rapid.Bool().Draw(t, "buttons") {
		for i := range rapid.IntRange(1, 3).Draw(t, "how many") {
			out.Buttons = append(out.Buttons, api.ReplyButton{ID: string(rune('a' + i)), Title: string(rune('a'+i)) + text("title", 0, 9)})
		}
		return out
	}
	out.List = &api.ReplyList{Button: text("button", 1, 9)}
	for i := range rapid.IntRange(1, 3).Draw(t, "sections") {
		out.List.Sections = append(out.List.Sections, api.ListSection{Title: text("title", 1, 9), Rows: []api.ListRow{
			{ID: string(rune('a' + i)), Title: text("row", 1, 9), Description: text("description", 0, 9)},
		}})
	}
	return out
}

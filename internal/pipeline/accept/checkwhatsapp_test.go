package accept

import (
	"testing"

	"peal/api"
)

// TestControlsInWhatsApp: control characters are found in everything that people read.
func TestControlsInWhatsApp(t *testing.T) {
	t.Parallel()
	const bad = "a\x00b"
	body := func(p api.TemplateParameter) api.Content {
		return api.Content{Template: &api.Template{Name: "n", Language: "en", Body: []api.TemplateParameter{p}}}
	}
	list := func(l api.ReplyList) api.Content {
		return api.Content{Interactive: &api.Interactive{Body: "b", List: &l}}
	}
	for path, content := range map[string]api.Content{
		"content.template.body[0].text":                            body(api.TemplateParameter{Text: new(bad)}),
		"content.template.body[0].date_time":                       body(api.TemplateParameter{DateTime: new(bad)}),
		"content.template.body[0].currency.fallback":               body(api.TemplateParameter{Currency: &api.Currency{Fallback: bad}}),
		"content.template.header[0].document.filename":             {Template: &api.Template{Header: []api.TemplateParameter{{Document: &api.Document{Filename: bad}}}}},
		"content.template.buttons[0].text":                         {Template: &api.Template{Buttons: []api.TemplateButton{{Text: bad}}}},
		"content.interactive.body":                                 {Interactive: &api.Interactive{Body: bad}},
		"content.interactive.footer":                               {Interactive: &api.Interactive{Footer: bad}},
		"content.interactive.header.text":                          {Interactive: &api.Interactive{Header: &api.InteractiveHeader{Text: bad}}},
		"content.interactive.buttons[0].title":                     {Interactive: &api.Interactive{Buttons: []api.ReplyButton{{Title: bad}}}},
		"content.interactive.list.button":                          list(api.ReplyList{Button: bad}),
		"content.interactive.list.sections[0].title":               list(api.ReplyList{Sections: []api.ListSection{{Title: bad}}}),
		"content.interactive.list.sections[0].rows[0].title":       list(api.ReplyList{Sections: []api.ListSection{{Rows: []api.ListRow{{Title: bad}}}}}),
		"content.interactive.list.sections[0].rows[0].description": list(api.ReplyList{Sections: []api.ListSection{{Rows: []api.ListRow{{Description: bad}}}}}),
	} {
		c := &checker{}
		c.content(&content)
		if len(c.fields) != 1 || c.fields[0].Path != path {
			t.Errorf("%s: got %+v", path, c.fields)
		}
	}
}

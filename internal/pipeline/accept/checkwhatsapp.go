package accept

import (
	"fmt"

	"peal/api"
)

// template looks for control characters in what people read of it.
func (c *checker) template(path string, t *api.Template) {
	c.parameters(path+".header", t.Header)
	c.parameters(path+".body", t.Body)
	for i, b := range t.Buttons {
		c.noControls(fmt.Sprintf("%s.buttons[%d].text", path, i), b.Text)
	}
}

func (c *checker) parameters(path string, list []api.TemplateParameter) {
	for i := range list {
		at, p := fmt.Sprintf("%s[%d]", path, i), &list[i]
		if p.Text != nil {
			c.noControls(at+".text", *p.Text)
		}
		if p.Currency != nil {
			c.noControls(at+".currency.fallback", p.Currency.Fallback)
		}
		if p.DateTime != nil {
			c.noControls(at+".date_time", *p.DateTime)
		}
		if p.Document != nil {
			c.noControls(at+".document.filename", p.Document.Filename)
		}
	}
}

// interactive looks for control characters in what people read of it.
func (c *checker) interactive(i *api.Interactive) {
	const path = "content.interactive"
	c.noControls(path+".body", i.Body)
	c.noControls(path+".footer", i.Footer)
	if h := i.Header; h != nil {
		c.noControls(path+".header.text", h.Text)
		if h.Document != nil {
			c.noControls(path+".header.document.filename", h.Document.Filename)
		}
	}
	for n, b := range i.Buttons {
		c.noControls(fmt.Sprintf("%s.buttons[%d].title", path, n), b.Title)
	}
	if i.List == nil {
		return
	}
	c.noControls(path+".list.button", i.List.Button)
	for n, s := range i.List.Sections {
		at := fmt.Sprintf("%s.list.sections[%d]", path, n)
		c.noControls(at+".title", s.Title)
		for m, r := range s.Rows {
			c.noControls(fmt.Sprintf("%s.rows[%d].title", at, m), r.Title)
			c.noControls(fmt.Sprintf("%s.rows[%d].description", at, m), r.Description)
		}
	}
}

package whatsappcloud

import (
	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
)

// payload writes the body of POST /messages. It is written by hand because it is made for every send.
func payload(m *provider.Message) []byte {
	w := &writer{b: make([]byte, 0, sizeHint(m))}
	w.open('{')
	w.field("messaging_product", "whatsapp")
	w.field("recipient_type", "individual")
	if peal.IsWhatsAppUserID(m.To) {
		w.field("recipient", m.To)
	} else {
		w.field("to", m.To)
	}
	c := &m.Content
	if c.ReplyTo != "" && c.Reaction == nil {
		w.object("context", func() { w.field("message_id", c.ReplyTo) })
	}
	w.content(c)
	w.field("biz_opaque_callback_data", m.DeliveryID)
	w.close('}')
	return w.b
}

// sizeHint is about as long as the payload will be.
func sizeHint(m *provider.Message) int {
	if t := m.Content.Text; t != nil {
		return 256 + len(*t) + len(*t)/16
	}
	return 1024
}

func (w *writer) content(c *api.Content) {
	kind := func(name string, fields func()) {
		w.field("type", name)
		w.object(name, fields)
	}
	switch {
	case c.Text != nil:
		kind("text", func() { w.field("body", *c.Text) })
	case c.Image != nil:
		kind("image", func() { w.media(c.Image.URL, c.Image.MediaID, c.Image.Caption, "") })
	case c.Video != nil:
		kind("video", func() { w.media(c.Video.URL, c.Video.MediaID, c.Video.Caption, "") })
	case c.Document != nil:
		kind("document", func() { w.media(c.Document.URL, c.Document.MediaID, c.Document.Caption, c.Document.Filename) })
	case c.Audio != nil:
		kind("audio", func() { w.media(c.Audio.URL, c.Audio.MediaID, "", "") })
	case c.Sticker != nil:
		kind("sticker", func() { w.media(c.Sticker.URL, c.Sticker.MediaID, "", "") })
	case c.Location != nil:
		kind("location", func() { w.location(c.Location) })
	case c.Contact != nil:
		w.field("type", "contacts")
		w.contact(c.Contact)
	case c.Template != nil:
		kind("template", func() { w.template(c.Template) })
	case c.Interactive != nil:
		kind("interactive", func() { w.interactive(c.Interactive) })
	case c.Reaction != nil:
		kind("reaction", func() {
			w.field("message_id", c.Reaction.MessageID)
			w.field("emoji", c.Reaction.Emoji)
		})
	}
}

// media is a file by the id of its upload, or by its link, which the provider fetches.
func (w *writer) media(link, id, caption, filename string) {
	if id != "" {
		w.field("id", id)
	} else {
		w.field("link", link)
	}
	w.optional("caption", caption)
	w.optional("filename", filename)
}

func (w *writer) location(l *api.Location) {
	w.number("latitude", l.Latitude)
	w.number("longitude", l.Longitude)
	w.optional("name", l.Name)
	w.optional("address", l.Address)
}

// contact is a card. A formatted name alone is refused: a part of it has to be there, too.
func (w *writer) contact(c *api.Contact) {
	w.list("contacts", func() {
		w.item(func() {
			w.object("name", func() {
				w.field("formatted_name", c.Name)
				w.field("first_name", c.Name)
			})
			w.list("phones", func() {
				w.item(func() { w.field("phone", c.Phone) })
			})
		})
	})
}

func (w *writer) interactive(i *api.Interactive) {
	if i.List != nil {
		w.field("type", "list")
	} else {
		w.field("type", "button")
	}
	if h := i.Header; h != nil {
		w.object("header", func() { w.header(h) })
	}
	w.object("body", func() { w.field("text", i.Body) })
	if i.Footer != "" {
		w.object("footer", func() { w.field("text", i.Footer) })
	}
	w.object("action", func() {
		if i.List != nil {
			w.rows(i.List)
			return
		}
		w.list("buttons", func() {
			for _, b := range i.Buttons {
				w.item(func() {
					w.field("type", "reply")
					w.object("reply", func() {
						w.field("id", b.ID)
						w.field("title", b.Title)
					})
				})
			}
		})
	})
}

func (w *writer) header(h *api.InteractiveHeader) {
	kind := func(name string, fields func()) {
		w.field("type", name)
		w.object(name, fields)
	}
	switch {
	case h.Image != nil:
		kind("image", func() { w.media(h.Image.URL, h.Image.MediaID, "", "") })
	case h.Video != nil:
		kind("video", func() { w.media(h.Video.URL, h.Video.MediaID, "", "") })
	case h.Document != nil:
		kind("document", func() { w.media(h.Document.URL, h.Document.MediaID, "", h.Document.Filename) })
	default:
		w.field("type", "text")
		w.field("text", h.Text)
	}
}

func (w *writer) rows(l *api.ReplyList) {
	w.field("button", l.Button)
	w.list("sections", func() {
		for _, s := range l.Sections {
			w.item(func() {
				w.optional("title", s.Title)
				w.list("rows", func() {
					for _, r := range s.Rows {
						w.item(func() {
							w.field("id", r.ID)
							w.field("title", r.Title)
							w.optional("description", r.Description)
						})
					}
				})
			})
		}
	})
}

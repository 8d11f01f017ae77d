package wasender

import (
	"strconv"

	"peal/api"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

// appendPayload writes the body of POST /send-message. It is written by hand because it is made for every send, and
// has a handful of shapes.
func appendPayload(b []byte, m *provider.Message) []byte {
	b = append(b, `{"to":`...)
	b = wire.AppendString(b, m.To)
	c := &m.Content
	switch {
	case c.Text != nil:
		b = appendField(b, "text", *c.Text)
	case c.Image != nil:
		b = appendMedia(b, "imageUrl", c.Image.URL, c.Image.Caption, c.Image.ViewOnce)
	case c.Video != nil:
		b = appendMedia(b, "videoUrl", c.Video.URL, c.Video.Caption, c.Video.ViewOnce)
	case c.Document != nil:
		b = appendMedia(b, "documentUrl", c.Document.URL, c.Document.Caption, false)
		b = appendOptional(b, "fileName", c.Document.Filename)
	case c.Audio != nil:
		b = appendMedia(b, "audioUrl", c.Audio.URL, "", c.Audio.ViewOnce)
	case c.Sticker != nil:
		b = appendMedia(b, "stickerUrl", c.Sticker.URL, "", false)
	case c.Contact != nil:
		b = append(b, `,"contact":{"name":`...)
		b = wire.AppendString(b, c.Contact.Name)
		b = appendField(b, "phone", c.Contact.Phone)
		b = append(b, '}')
	case c.Location != nil:
		b = appendLocation(b, c.Location)
	case c.Poll != nil:
		b = append(b, `,"poll":{"question":`...)
		b = wire.AppendString(b, c.Poll.Question)
		b = appendStrings(b, "options", c.Poll.Options)
		b = append(b, `,"multiSelect":`...)
		b = strconv.AppendBool(b, c.Poll.MultiSelect)
		b = append(b, '}')
	}
	if len(c.Mentions) > 0 {
		b = appendStrings(b, "mentions", c.Mentions)
	}
	if c.ReplyTo != "" {
		b = append(b, `,"replyTo":`...)
		b = append(b, c.ReplyTo...) // digits, by CheckContent
	}
	return append(b, '}')
}

func appendMedia(b []byte, key, url, caption string, viewOnce bool) []byte {
	b = appendField(b, key, url)
	b = appendOptional(b, "text", caption)
	if viewOnce {
		b = append(b, `,"viewOnce":true`...)
	}
	return b
}

func appendLocation(b []byte, l *api.Location) []byte {
	b = append(b, `,"location":{"latitude":`...)
	b = strconv.AppendFloat(b, degrees(l.Latitude), 'f', -1, 64)
	b = append(b, `,"longitude":`...)
	b = strconv.AppendFloat(b, degrees(l.Longitude), 'f', -1, 64)
	b = appendOptional(b, "name", l.Name)
	b = appendOptional(b, "address", l.Address)
	return append(b, '}')
}

// degrees are there, by CheckContent.
func degrees(at *float64) float64 {
	if at == nil {
		return 0
	}
	return *at
}

// appendStrings writes a further field that is a list.
func appendStrings(b []byte, key string, list []string) []byte {
	b = append(b, ',', '"')
	b = append(b, key...)
	b = append(b, `":[`...)
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = wire.AppendString(b, s)
	}
	return append(b, ']')
}

// appendOptional writes a further field unless it is empty.
func appendOptional(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	return appendField(b, key, value)
}

// appendField writes a further field; key needs no escaping.
func appendField(b []byte, key, value string) []byte {
	b = append(b, ',', '"')
	b = append(b, key...)
	b = append(b, '"', ':')
	return wire.AppendString(b, value)
}

package whatsappcloud

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"peal/api"
	"peal/internal/peal"
)

// What fits into a message: Meta's description has most of these; of text, filename and address its pages and third parties.
const (
	maxText     = 4096
	maxCaption  = 1024
	maxURL      = 2048
	maxFilename = 240
	maxName     = 256
	maxAddress  = 1000
)

// checker collects what is wrong with a content.
type checker struct{ fields []peal.Field }

const offers = "text, image, video, document, audio, sticker, contact, location, template, interactive and reaction"

// CheckContent says which fields the provider cannot take.
func (Kind) CheckContent(c *api.Content) []peal.Field {
	var k checker
	if n := len(c.Kinds()); n != 1 {
		k.add("", "invalid", "set exactly one of "+offers)
		return k.fields
	}
	switch {
	case c.Text != nil:
		k.text("text", *c.Text, true, maxText)
	case c.Image != nil:
		k.media("image", c.Image, true)
	case c.Video != nil:
		k.media("video", c.Video, true)
	case c.Document != nil:
		k.document("document", c.Document, true)
	case c.Audio != nil:
		k.file("audio", c.Audio.URL, c.Audio.MediaID)
		k.once("audio.view_once", c.Audio.ViewOnce)
	case c.Sticker != nil:
		k.file("sticker", c.Sticker.URL, c.Sticker.MediaID)
	case c.Contact != nil:
		k.text("contact.name", c.Contact.Name, true, maxName)
		k.phone("contact.phone", c.Contact.Phone)
	case c.Location != nil:
		k.location("location", c.Location)
	case c.Template != nil:
		k.template("template", c.Template)
	case c.Interactive != nil:
		k.interactive(c.Interactive)
	case c.Reaction != nil:
		k.messageID("reaction.message_id", c.Reaction.MessageID)
		k.text("reaction.emoji", c.Reaction.Emoji, false, 32)
	default:
		k.add(c.Kinds()[0], "unsupported", "the WhatsApp Cloud API has no such content; give one of "+offers)
		return k.fields
	}
	k.refine(c)
	return k.fields
}

func (k *checker) add(path, code, mend string) {
	k.fields = append(k.fields, peal.Field{Path: path, Code: code, Message: mend})
}

// text checks the length, in characters.
func (k *checker) text(path, s string, required bool, most int) {
	switch {
	case required && strings.TrimSpace(s) == "":
		k.add(path, "required", "give at least one character that is not a space")
	case !utf8.ValidString(s):
		k.add(path, "invalid", "send it as UTF-8")
	case utf8.RuneCountInString(s) > most:
		k.add(path, "too_long", "shorten it to "+strconv.Itoa(most)+" characters")
	}
}

func (k *checker) media(path string, m *api.Media, captioned bool) {
	k.file(path, m.URL, m.MediaID)
	k.caption(path, m.Caption, captioned)
	k.once(path+".view_once", m.ViewOnce)
}

func (k *checker) document(path string, d *api.Document, captioned bool) {
	k.file(path, d.URL, d.MediaID)
	k.text(path+".filename", d.Filename, false, maxFilename)
	k.caption(path, d.Caption, captioned)
}

func (k *checker) caption(path, s string, allowed bool) {
	if !allowed && s != "" {
		k.add(path+".caption", "unsupported", "leave the caption out: it has no place there")
		return
	}
	k.text(path+".caption", s, false, maxCaption)
}

func (k *checker) once(path string, set bool) {
	if set {
		k.add(path, "unsupported", "leave it out: the WhatsApp Cloud API has no messages to be opened once")
	}
}

// file checks that a file is named in one way: by its address, or by the id that it was uploaded under.
func (k *checker) file(path, url, id string) {
	switch {
	case id == "":
		k.url(path+".url", url)
	case url != "":
		k.add(path, "invalid", "give url or media_id, not both")
	case !digits(id):
		k.add(path+".media_id", "invalid", "give the id that the upload was answered with: digits")
	}
}

// url checks the address of a file that the provider is to fetch.
func (k *checker) url(path, s string) {
	if s == "" {
		k.add(path, "required", "give the public URL of the file, or the media_id of one that was uploaded")
		return
	}
	if len(s) > maxURL {
		k.add(path, "too_long", "shorten it to "+strconv.Itoa(maxURL)+" bytes")
		return
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "" || strings.ContainsAny(s, " \"<>\\^`{|}"):
		k.add(path, "invalid", "give a whole URL, such as https://example.com/file.png, with special characters escaped")
	case u.Scheme != "https" && u.Scheme != "http":
		k.add(path, "invalid", "use a https URL; the provider fetches the file from there")
	case u.User != nil:
		k.add(path, "invalid", "leave user and password out of the URL: it is handed to the provider. Use a signed link instead")
	}
}

// phone checks E.164: + and 7 to 15 digits, the first not 0.
func (k *checker) phone(path, s string) {
	plus, number := strings.HasPrefix(s, "+"), strings.TrimPrefix(s, "+")
	if !plus || len(number) < 7 || len(number) > 15 || !digits(number) || number[0] == '0' {
		k.add(path, "invalid", "give the number in E.164, such as +919812345678")
	}
}

func (k *checker) location(path string, l *api.Location) {
	k.degrees(path+".latitude", l.Latitude, 90)
	k.degrees(path+".longitude", l.Longitude, 180)
	k.text(path+".name", l.Name, false, maxName)
	k.text(path+".address", l.Address, false, maxAddress)
}

func (k *checker) degrees(path string, at *float64, most float64) {
	switch {
	case at == nil:
		k.add(path, "required", fmt.Sprintf("give degrees between -%v and %v", most, most))
	case math.IsNaN(*at) || math.Abs(*at) > most:
		k.add(path, "out_of_range", fmt.Sprintf("give degrees between -%v and %v", most, most))
	}
}

// messageID checks an id of Meta's.
func (k *checker) messageID(path, id string) {
	if !strings.HasPrefix(id, "wamid.") || len(id) < 10 || !isID(id) {
		k.add(path, "invalid", "give the message_id of a delivery over this integration: wamid. and what follows")
	}
}

// refine checks the fields that go with any kind.
func (k *checker) refine(c *api.Content) {
	if len(c.Mentions) > 0 {
		k.add("mentions", "unsupported", "leave it out: the WhatsApp Cloud API has no mentions")
	}
	if t := c.FallbackTemplate; t != nil {
		if c.Template != nil {
			k.add("fallback_template", "unsupported", "leave it out: a template needs no fallback, it goes whether the window is open or closed")
		} else {
			k.template("fallback_template", t)
		}
	}
	switch {
	case c.ReplyTo == "":
	case c.Reaction != nil:
		k.add("reply_to", "unsupported", "leave it out: reaction.message_id says which message is meant")
	default:
		k.messageID("reply_to", c.ReplyTo)
	}
}

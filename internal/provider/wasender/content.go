package wasender

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

// What fits into a message. The provider prints none of these; they are the API's (api/content.go) and WhatsApp's.
const (
	maxText     = 4096
	maxURL      = 2048
	maxFilename = 255
	maxName     = 256
	maxAddress  = 1024
	maxQuestion = 255
	minOptions  = 2
	maxOptions  = 12
	maxOption   = 255
	maxMentions = 50
)

// checker collects what is wrong with a content.
type checker struct{ fields []peal.Field }

// CheckContent says which fields the provider cannot take.
func (Kind) CheckContent(c *api.Content) []peal.Field {
	var k checker
	if n := len(c.Kinds()); n != 1 {
		k.add("", "invalid", "set exactly one of text, image, video, document, audio, sticker, contact, location and poll")
		return k.fields
	}
	switch {
	case c.Text != nil:
		k.text("text", *c.Text, true, maxText)
	case c.Image != nil:
		k.media("image", c.Image)
	case c.Video != nil:
		k.media("video", c.Video)
	case c.Document != nil:
		k.file("document", c.Document.URL, c.Document.MediaID)
		k.text("document.filename", c.Document.Filename, false, maxFilename)
		k.text("document.caption", c.Document.Caption, false, maxText)
	case c.Audio != nil:
		k.file("audio", c.Audio.URL, c.Audio.MediaID)
	case c.Sticker != nil:
		k.file("sticker", c.Sticker.URL, c.Sticker.MediaID)
	case c.Contact != nil:
		k.text("contact.name", c.Contact.Name, true, maxName)
		k.phone("contact.phone", c.Contact.Phone)
	case c.Location != nil:
		k.location(c.Location)
	case c.Poll != nil:
		k.poll(c.Poll)
	default:
		k.add(c.Kinds()[0], "unsupported", "WhatsApp has no such content; give one of text, image, video, document, audio, sticker, contact, location and poll")
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

func (k *checker) media(path string, m *api.Media) {
	k.file(path, m.URL, m.MediaID)
	k.text(path+".caption", m.Caption, false, maxText)
}

// file checks that a file is named by its address: here is none that was uploaded.
func (k *checker) file(path, url, id string) {
	if id != "" {
		k.add(path+".media_id", "unsupported", "give url instead: WasenderApi fetches files from their address, and knows no ids of theirs")
		return
	}
	k.url(path+".url", url)
}

// url checks the address of a file that the provider is to fetch.
func (k *checker) url(path, s string) {
	if s == "" {
		k.add(path, "required", "give the public URL of the file")
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

func (k *checker) phone(path, s string) {
	if !e164(s) {
		k.add(path, "invalid", "give the number in E.164, such as +919812345678")
	}
}

func (k *checker) location(l *api.Location) {
	k.degrees("location.latitude", l.Latitude, 90)
	k.degrees("location.longitude", l.Longitude, 180)
	k.text("location.name", l.Name, false, maxName)
	k.text("location.address", l.Address, false, maxAddress)
}

func (k *checker) degrees(path string, at *float64, most float64) {
	switch {
	case at == nil:
		k.add(path, "required", fmt.Sprintf("give degrees between -%v and %v", most, most))
	case math.IsNaN(*at) || math.Abs(*at) > most:
		k.add(path, "out_of_range", fmt.Sprintf("give degrees between -%v and %v", most, most))
	}
}

func (k *checker) poll(p *api.Poll) {
	k.text("poll.question", p.Question, true, maxQuestion)
	if n := len(p.Options); n < minOptions || n > maxOptions {
		k.add("poll.options", "out_of_range",
			"give "+strconv.Itoa(minOptions)+" to "+strconv.Itoa(maxOptions)+" options")
		return
	}
	for i, o := range p.Options {
		k.text("poll.options["+strconv.Itoa(i)+"]", o, true, maxOption)
	}
}

// refine checks the fields that go with any kind.
func (k *checker) refine(c *api.Content) {
	if len(c.Mentions) > maxMentions {
		k.add("mentions", "too_long", "mention at most "+strconv.Itoa(maxMentions)+" numbers")
	} else {
		for i, m := range c.Mentions {
			k.phone("mentions["+strconv.Itoa(i)+"]", m)
		}
	}
	if c.FallbackTemplate != nil {
		k.add("fallback_template", "unsupported", "leave it out: this provider has no templates, and no window that closes")
	}
	if c.ReplyTo == "" {
		return
	}
	if n, err := strconv.ParseInt(c.ReplyTo, 10, 64); err != nil || n <= 0 || strconv.FormatInt(n, 10) != c.ReplyTo {
		k.add("reply_to", "invalid", "give the message_id of a delivery over this integration: a whole number")
	}
}

// e164 tells whether s is + and 7 to 15 digits, the first not 0.
func e164(s string) bool {
	if len(s) < 8 || len(s) > 16 || s[0] != '+' || s[1] == '0' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

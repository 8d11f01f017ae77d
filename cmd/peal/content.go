package main

import (
	"strconv"
	"strings"

	"peal/api"
)

// ContentFlags say what a notification says: exactly one kind, and what refines it.
type ContentFlags struct {
	Text     string   `name:"text" placeholder:"TEXT" help:"Plain text."`
	Title    string   `name:"title" placeholder:"TEXT" help:"Makes it a push, whose body is the --text."`
	Link     string   `name:"link" placeholder:"URL" help:"Of a push: what a tap opens; makes it one."`
	Image    string   `name:"image" placeholder:"URL" help:"A picture; of this and the next four: id:MEDIA_ID for an uploaded one."`
	Video    string   `name:"video" placeholder:"URL" help:"A video."`
	Document string   `name:"document" placeholder:"URL" help:"A file."`
	Audio    string   `name:"audio" placeholder:"URL" help:"A voice note."`
	Sticker  string   `name:"sticker" placeholder:"URL" help:"A sticker."`
	Contact  string   `name:"contact" placeholder:"NAME=PHONE" help:"A contact card."`
	Location string   `name:"location" placeholder:"LAT,LONG" help:"A point on the map, in degrees."`
	Poll     string   `name:"poll" placeholder:"QUESTION" help:"A question; with two --option or more."`
	Caption  string   `name:"caption" placeholder:"TEXT" help:"Text below an image, video or document."`
	Filename string   `name:"filename" placeholder:"NAME" help:"Name of the document."`
	ViewOnce bool     `name:"view-once" help:"The image, video or voice note can be opened once."`
	Option   []string `name:"option" sep:"none" placeholder:"TEXT" help:"An answer to the poll; may be repeated."`

	CloudContent `embed:""`

	ReplyTo string `name:"reply-to" placeholder:"ID" help:"The provider's message id that this answers."`
}

// kinds names the kinds that are given, and what refines them.
func (c *ContentFlags) kinds() []string {
	var kinds []string
	for _, k := range [...]struct{ flag, value string }{
		{"--text", c.Text}, {"--image", c.Image}, {"--video", c.Video}, {"--document", c.Document}, {"--audio", c.Audio},
		{"--sticker", c.Sticker}, {"--contact", c.Contact}, {"--location", c.Location}, {"--poll", c.Poll},
		{"--template", c.Template}, {"--react", c.React}, {"--content", c.Content},
	} {
		if k.value != "" {
			kinds = append(kinds, k.flag)
		}
	}
	return kinds
}

// content makes the content that the flags describe.
func (c *ContentFlags) content() (*api.Content, error) {
	kinds := c.kinds()
	switch {
	case len(kinds) == 0:
		return nil, usagef("nothing to say: give --text, --image, --video, --document, --audio, --sticker, --contact, --location, --poll, --template, --react or --content")
	case len(kinds) > 1:
		return nil, usagef("%s are too many: a notification says one thing", strings.Join(kinds, " and "))
	}
	if err := c.refines(kinds[0]); err != nil {
		return nil, err
	}
	out := &api.Content{ReplyTo: c.ReplyTo}
	switch kinds[0] {
	case "--text":
		if out.Text = &c.Text; len(c.Button) > 0 {
			return out, c.fill("--button", c.Text, out)
		}
		if c.Title != "" || c.Link != "" {
			out.Text, out.Push = nil, &api.Push{Title: c.Title, Body: c.Text, Link: c.Link}
		}
	case "--image":
		url, id := named(c.Image)
		out.Image = &api.Media{URL: url, MediaID: id, Caption: c.Caption, ViewOnce: c.ViewOnce}
	case "--video":
		url, id := named(c.Video)
		out.Video = &api.Media{URL: url, MediaID: id, Caption: c.Caption, ViewOnce: c.ViewOnce}
	case "--document":
		url, id := named(c.Document)
		out.Document = &api.Document{URL: url, MediaID: id, Caption: c.Caption, Filename: c.Filename}
	case "--audio":
		url, id := named(c.Audio)
		out.Audio = &api.Audio{URL: url, MediaID: id, ViewOnce: c.ViewOnce}
	case "--sticker":
		url, id := named(c.Sticker)
		out.Sticker = &api.Sticker{URL: url, MediaID: id}
	case "--contact":
		name, phone, found := strings.Cut(c.Contact, "=")
		if !found {
			return nil, usagef("--contact is NAME=PHONE, such as 'Asha Rao=+919812345678'")
		}
		out.Contact = &api.Contact{Name: name, Phone: phone}
	case "--location":
		return out, c.setLocation(out)
	case "--poll":
		out.Poll = &api.Poll{Question: c.Poll, Options: c.Option}
	case "--content":
		return c.whole()
	default:
		return out, c.fill(kinds[0], c.Text, out)
	}
	return out, nil
}

func (c *ContentFlags) setLocation(out *api.Content) error {
	lat, long, _ := strings.Cut(c.Location, ",")
	latitude, err := strconv.ParseFloat(strings.TrimSpace(lat), 64)
	if err == nil {
		var longitude float64
		if longitude, err = strconv.ParseFloat(strings.TrimSpace(long), 64); err == nil {
			out.Location = &api.Location{Latitude: &latitude, Longitude: &longitude}
			return nil
		}
	}
	return usagef("--location is LAT,LONG in degrees, such as 12.9716,77.5946")
}

// refines refuses flags that would be lost without a word.
func (c *ContentFlags) refines(kind string) error {
	for _, r := range [...]struct {
		flag  string
		given bool
		of    string
	}{
		{"--title", c.Title != "", "--text"},
		{"--link", c.Link != "", "--text"},
		{"--caption", c.Caption != "", "--image --video --document"},
		{"--filename", c.Filename != "", "--document"},
		{"--view-once", c.ViewOnce, "--image --video --audio"},
		{"--option", len(c.Option) > 0, "--poll"},
		{"--language", c.Language != "", "--template"},
		{"--param", len(c.Param) > 0, "--template"},
		{"--button", len(c.Button) > 0, "--text"},
		{"--reply-to", c.ReplyTo != "", "--text --image --video --document --audio --sticker --contact --location --poll --template"},
	} {
		if r.given && !strings.Contains(r.of+" ", kind+" ") {
			return usagef("%s goes with %s", r.flag, strings.Join(strings.Fields(r.of), ", "))
		}
	}
	return nil
}

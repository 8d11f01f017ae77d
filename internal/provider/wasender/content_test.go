package wasender

import (
	"math"
	"strings"
	"testing"

	"peal/api"
)

func TestCheckContentRefuses(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	ok := text("hello")
	for name, c := range map[string]struct {
		content api.Content
		path    string
		code    string
	}{
		"nothing":             {api.Content{}, "", "invalid"},
		"two kinds":           {api.Content{Text: ok, Sticker: &api.Sticker{URL: "https://example.com/a"}}, "", "invalid"},
		"empty text":          {api.Content{Text: text("")}, "text", "required"},
		"blank text":          {api.Content{Text: text(" \n\t")}, "text", "required"},
		"long text":           {api.Content{Text: text(strings.Repeat("ü", 4097))}, "text", "too_long"},
		"text of bytes":       {api.Content{Text: text("a\xff")}, "text", "invalid"},
		"no url":              {api.Content{Image: &api.Media{}}, "image.url", "required"},
		"file url":            {api.Content{Image: &api.Media{URL: "file:///etc/passwd"}}, "image.url", "invalid"},
		"uploaded":            {api.Content{Image: &api.Media{MediaID: "1"}}, "image.media_id", "unsupported"},
		"ftp url":             {api.Content{Video: &api.Media{URL: "ftp://example.com/a"}}, "video.url", "invalid"},
		"relative url":        {api.Content{Audio: &api.Audio{URL: "/a.ogg"}}, "audio.url", "invalid"},
		"url without host":    {api.Content{Audio: &api.Audio{URL: "https:///a.ogg"}}, "audio.url", "invalid"},
		"opaque url":          {api.Content{Audio: &api.Audio{URL: "https:example.com"}}, "audio.url", "invalid"},
		"url with password":   {api.Content{Sticker: &api.Sticker{URL: "https://u:p@example.com/a"}}, "sticker.url", "invalid"},
		"url with space":      {api.Content{Sticker: &api.Sticker{URL: "https://example.com/a b"}}, "sticker.url", "invalid"},
		"url with line break": {api.Content{Sticker: &api.Sticker{URL: "https://example.com/a\n"}}, "sticker.url", "invalid"},
		"long url":            {api.Content{Sticker: &api.Sticker{URL: "https://example.com/" + strings.Repeat("a", 2048)}}, "sticker.url", "too_long"},
		"long caption":        {api.Content{Image: &api.Media{URL: "https://example.com/a", Caption: strings.Repeat("x", 4097)}}, "image.caption", "too_long"},
		"long filename":       {api.Content{Document: &api.Document{URL: "https://example.com/a", Filename: strings.Repeat("x", 256)}}, "document.filename", "too_long"},
		"contact's name":      {api.Content{Contact: &api.Contact{Phone: testPhone}}, "contact.name", "required"},
		"contact's phone":     {api.Content{Contact: &api.Contact{Name: "Ann", Phone: "0151 123"}}, "contact.phone", "invalid"},
		"latitude":            {api.Content{Location: &api.Location{Latitude: new(90.1), Longitude: new(0.0)}}, "location.latitude", "out_of_range"},
		"longitude":           {api.Content{Location: &api.Location{Latitude: new(0.0), Longitude: new(-180.1)}}, "location.longitude", "out_of_range"},
		"no latitude":         {api.Content{Location: &api.Location{Longitude: new(0.0)}}, "location.latitude", "required"},
		"no longitude":        {api.Content{Location: &api.Location{Latitude: new(0.0)}}, "location.longitude", "required"},
		"not a number":        {api.Content{Location: &api.Location{Latitude: new(math.NaN()), Longitude: new(0.0)}}, "location.latitude", "out_of_range"},
		"infinite":            {api.Content{Location: &api.Location{Latitude: new(0.0), Longitude: new(math.Inf(1))}}, "location.longitude", "out_of_range"},
		"no question":         {api.Content{Poll: &api.Poll{Options: []string{"a", "b"}}}, "poll.question", "required"},
		"one option":          {api.Content{Poll: &api.Poll{Question: "?", Options: []string{"a"}}}, "poll.options", "out_of_range"},
		"13 options":          {api.Content{Poll: &api.Poll{Question: "?", Options: strings.Split(strings.Repeat("a", 13), "")}}, "poll.options", "out_of_range"},
		"empty option":        {api.Content{Poll: &api.Poll{Question: "?", Options: []string{"a", " "}}}, "poll.options[1]", "required"},
		"mention":             {api.Content{Text: ok, Mentions: []string{testPhone, "everyone"}}, "mentions[1]", "invalid"},
		"many mentions":       {api.Content{Text: ok, Mentions: make([]string, 51)}, "mentions", "too_long"},
		"reply to a key":      {api.Content{Text: ok, ReplyTo: "3EB0"}, "reply_to", "invalid"},
		"reply to zero":       {api.Content{Text: ok, ReplyTo: "0"}, "reply_to", "invalid"},
		"reply to +1":         {api.Content{Text: ok, ReplyTo: "+1"}, "reply_to", "invalid"},
		"reply to 01":         {api.Content{Text: ok, ReplyTo: "01"}, "reply_to", "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fields := Kind{}.CheckContent(&c.content)
			if len(fields) != 1 || fields[0].Path != c.path || fields[0].Code != c.code || fields[0].Message == "" {
				t.Errorf("got %+v, want one of path %q and code %q", fields, c.path, c.code)
			}
		})
	}
}

func TestCheckContentTakes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 4096)
	for name, c := range map[string]api.Content{
		"longest text": {Text: &long},
		"http":         {Image: &api.Media{URL: "http://example.com/a.png"}},
		"upper case":   {Image: &api.Media{URL: "HTTPS://EXAMPLE.COM/a.png"}},
		"port":         {Image: &api.Media{URL: "https://example.com:8443/a.png#x"}},
		"poles":        {Location: &api.Location{Latitude: new(-90.0), Longitude: new(180.0)}},
	} {
		if fields := (Kind{}).CheckContent(&c); len(fields) > 0 {
			t.Errorf("%s: %+v", name, fields)
		}
	}
}

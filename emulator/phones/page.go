package phones

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// pageData is what the templates see.
type pageData struct {
	App    string
	Now    time.Time
	Clock  string
	Date   string
	Phones []phoneView
}

type phoneView struct {
	Phone

	Look  string // ios, android or desktop
	Kind  string // the platform in words
	Badge string
	Clock string
	Date  string
	Cards []cardView
	Quiet int // silent cards, which are only counted
	Shown int64
}

type cardView struct {
	Card

	Glyph    string
	Ago      string
	Stamp    string
	Done     string // what the person did, in words
	Href     string // Link, when a page may link there
	Place    string // Link in short
	Badge    string
	Buttons  []Action // while they can be tapped
	Tappable bool
}

// servePage renders a template whole before anything is sent.
func (b *Board) servePage(name string) http.HandlerFunc {
	page := template.Must(template.ParseFS(assets, "assets/*.html"))
	return func(w http.ResponseWriter, _ *http.Request) {
		var out bytes.Buffer
		if err := page.ExecuteTemplate(&out, name, b.view()); err != nil {
			b.opt.Logger.Error("the page of the phones", "error", err)
			http.Error(w, "the page could not be made", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(out.Bytes()) // nobody to tell when the caller has gone
	}
}

func (b *Board) view() pageData {
	now := b.opt.Clock().In(b.opt.Location)
	data := pageData{App: b.opt.App, Now: now, Clock: now.Format("15:04"), Date: now.Format("Monday, 2 January")}
	for _, p := range b.snapshot() {
		v := phoneView{
			Phone: p.Phone, Look: look(p.Platform), Kind: kind(p.Platform), Badge: count(p.Badge), Shown: p.Shown,
			Clock: data.Clock, Date: data.Date,
		}
		for _, c := range p.Cards {
			if c.quiet() {
				v.Quiet++
				continue
			}
			v.Cards = append(v.Cards, b.cardView(p, c, now))
		}
		data.Phones = append(data.Phones, v)
	}
	return data
}

func (b *Board) cardView(p phoneJSON, c Card, now time.Time) cardView {
	v := cardView{
		Card: c, Glyph: glyph(p.Icon, c.App), Ago: ago(now.Sub(c.At)), Stamp: c.At.In(b.opt.Location).Format("2006-01-02 15:04:05"),
		Tappable: c.State == StateNew,
	}
	if webLink(c.Link) {
		v.Href = c.Link
	}
	v.Place = place(c.Link)
	if c.Badge != nil {
		v.Badge = count(*c.Badge)
	}
	if v.Tappable {
		v.Buttons = c.Actions
		return v
	}
	at := c.StateAt.In(b.opt.Location).Format("15:04:05")
	switch {
	case c.State == StateDismissed:
		v.Done = "Dismissed at " + at
	case c.Action == "":
		v.Done = "Opened at " + at
	default:
		title := c.Action
		if i := slices.IndexFunc(c.Actions, func(a Action) bool { return a.ID == c.Action }); i >= 0 {
			title = firstOf(c.Actions[i].Title, c.Action)
		}
		v.Done = fmt.Sprintf("“%s” at %s", title, at)
	}
	return v
}

func look(platform string) string {
	switch strings.ToLower(platform) {
	case "ios", "android":
		return strings.ToLower(platform)
	default:
		return "desktop"
	}
}

func kind(platform string) string {
	names := map[string]string{
		"ios": "iOS", "android": "Android", "web": "Browser", "macos": "macOS", "windows": "Windows", "linux": "Linux", "": "Device",
	}
	return firstOf(names[strings.ToLower(platform)], platform)
}

// glyph is what stands in the app's icon.
func glyph(icon, app string) string {
	if icon != "" {
		return icon
	}
	r, _ := utf8.DecodeRuneInString(app)
	return strings.ToUpper(string(r))
}

// count is a badge: nothing for 0, and never wider than three characters.
func count(n int) string {
	switch {
	case n <= 0:
		return ""
	case n > 99:
		return "99+"
	}
	return strconv.Itoa(n)
}

func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "now"
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d/time.Minute))
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h", int(d/time.Hour))
	}
	return fmt.Sprintf("%d d", int(d/(24*time.Hour)))
}

// place is a link in short: host and path of a web page, else the link itself.
func place(link string) string {
	if webLink(link) {
		if u, err := url.Parse(link); err == nil {
			link = u.Host + strings.TrimRight(u.Path, "/")
		}
	}
	return cut(link, maxPlace)
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

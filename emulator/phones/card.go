package phones

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of what one card keeps; longer texts are cut.
const (
	maxTitle   = 200
	maxBody    = 2000
	maxURL     = 2048
	maxActions = 4
	maxData    = 32
	maxValue   = 500
	maxName    = 60
	maxPlace   = 40
)

// State is what the person did with a card.
type State string

// States of a card.
const (
	StateNew       State = ""
	StateTapped    State = "tapped"
	StateDismissed State = "dismissed"
)

// Action is a button of a card.
type Action struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Link  string `json:"link,omitempty"`
}

// Card is a notification on a lock screen.
type Card struct {
	// ID is unique on the board. Show gives one.
	ID string    `json:"id"`
	At time.Time `json:"at"` // default: now
	// App stands above the title; default: that of the board.
	App   string `json:"app"`
	Title string `json:"title,omitempty"`
	Body  string `json:"body,omitempty"`
	// Image is an http or https URL.
	Image string `json:"image,omitempty"`
	// Link is what a tap opens: an http or https URL, or a deep link, which is
	// shown as text.
	Link    string   `json:"link,omitempty"`
	Actions []Action `json:"actions,omitempty"`
	// Badge is the number at the app's icon; 0 takes it away, nil leaves it.
	Badge  *int   `json:"badge,omitempty"`
	Sound  string `json:"sound,omitempty"`
	Urgent bool   `json:"urgent,omitempty"`
	// Silent: nothing to see but that it came, unless it has a title or a body.
	Silent bool `json:"silent,omitempty"`
	// CollapseKey: takes the place of the card with the same key on that phone.
	CollapseKey string            `json:"collapse_key,omitempty"`
	Data        map[string]string `json:"data,omitempty"`

	// Set by the board.
	Phone   string    `json:"phone"`
	State   State     `json:"state"`
	Action  string    `json:"action,omitempty"` // that was tapped; empty: the card itself
	StateAt time.Time `json:"state_at,omitzero"`
	// Problem says what of the card is not shown, or why the last tap was not
	// reported.
	Problem string `json:"problem,omitempty"`
}

// clean cuts what is too long and drops links that must not be followed. The
// card shares nothing with the caller's afterwards.
func (c *Card) clean() {
	c.App, c.Title, c.Body = cut(c.App, maxName), cut(c.Title, maxTitle), cut(c.Body, maxBody)
	c.Sound, c.CollapseKey = cut(c.Sound, maxName), cut(c.CollapseKey, maxTitle)
	c.Problem = ""
	refuse := func(what string) {
		if c.Problem == "" {
			c.Problem = what + " refused"
		}
	}
	if c.Image != "" && !webLink(c.Image) {
		c.Image = ""
		refuse("image")
	}
	if c.Link != "" && !allowed(c.Link) {
		c.Link = ""
		refuse("link")
	}
	c.Actions = slices.Clone(c.Actions)
	if len(c.Actions) > maxActions {
		c.Actions = c.Actions[:maxActions]
	}
	for i := range c.Actions {
		a := &c.Actions[i]
		a.ID, a.Title = cut(a.ID, maxTitle), cut(a.Title, maxName)
		if a.Link != "" && !allowed(a.Link) {
			a.Link = ""
			refuse("link of a button")
		}
	}
	if c.Badge != nil {
		badge := *c.Badge
		c.Badge = &badge
	}
	c.cleanData()
}

func (c *Card) cleanData() {
	data := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Data)) {
		if len(data) == maxData {
			break
		}
		data[cut(name, maxName)] = cut(c.Data[name], maxValue)
	}
	c.Data = nil
	if len(data) > 0 {
		c.Data = data
	}
}

// cut shortens to n characters and makes the text printable.
func cut(text string, n int) string {
	text = strings.ToValidUTF8(text, "�")
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-1]) + "…"
}

// webLink: may stand in a page as href or src.
func webLink(link string) bool {
	u, err := url.Parse(link)
	return err == nil && len(link) <= maxURL && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// allowed: a web link, a deep link of an app, or a path. Those that run or read
// something are not.
func allowed(link string) bool {
	u, err := url.Parse(link)
	return err == nil && len(link) <= maxURL &&
		!slices.Contains([]string{"javascript", "data", "vbscript", "file", "blob", "filesystem", "view-source"}, strings.ToLower(u.Scheme))
}

// quiet: nothing to see but that it came.
func (c *Card) quiet() bool { return c.Title == "" && c.Body == "" && c.Image == "" }

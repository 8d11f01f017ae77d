package webpush

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// declarative is the number that marks Declarative Web Push.
const declarative = 8030

// Action is a button of a notification.
type Action struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Link  string `json:"link,omitempty"`
	Icon  string `json:"icon,omitempty"`
}

// Shown is what a browser shows, or takes without showing (Silent).
type Shown struct {
	Phone    string    `json:"phone"` // the endpoint
	Platform string    `json:"platform"`
	At       time.Time `json:"at"`
	// MessageID is the id of the message behind it.
	MessageID string   `json:"message_id"`
	Title     string   `json:"title,omitempty"`
	Body      string   `json:"body,omitempty"`
	Image     string   `json:"image,omitempty"`
	Icon      string   `json:"icon,omitempty"`
	Lang      string   `json:"lang,omitempty"`
	Sound     string   `json:"sound,omitempty"`
	Badge     *int     `json:"badge,omitempty"`
	Link      string   `json:"link,omitempty"`
	Actions   []Action `json:"actions,omitempty"`
	// Data is the notification's data; nested objects give names with dots.
	Data map[string]string `json:"data,omitempty"`
	// Silent: shown without a sound, or nothing to show at all.
	Silent      bool   `json:"silent,omitempty"`
	CollapseKey string `json:"collapse_key,omitempty"` // tag, else Topic
	Urgency     string `json:"urgency"`
	// Declarative: the text is Declarative Web Push and complete, so that a
	// browser shows it without a service worker. Problem says what it lacks.
	Declarative bool   `json:"declarative"`
	Problem     string `json:"problem,omitempty"`
	// Raw is the text as it came: the JSON, or a JSON string of other text.
	Raw json.RawMessage `json:"raw,omitempty"`
}

// notification is the part of the text that is shown; its names are those of
// the Notifications API and of Declarative Web Push.
type notification struct {
	Title    string `json:"title"`
	Body     string `json:"body"`
	Navigate string `json:"navigate"`
	URL      string `json:"url"`
	Lang     string `json:"lang"`
	Icon     string `json:"icon"`
	Image    string `json:"image"`
	Tag      string `json:"tag"`
	Silent   bool   `json:"silent"`
	Actions  []struct {
		Action   string `json:"action"`
		Title    string `json:"title"`
		Navigate string `json:"navigate"`
		URL      string `json:"url"`
		Icon     string `json:"icon"`
	} `json:"actions"`
	Data json.RawMessage `json:"data"`
}

// read fills in what the text says. Any text is shown somehow: other JSON as a
// page's service worker commonly would, other text as the body.
func (v *Shown) read(text []byte) {
	if len(text) == 0 {
		v.Silent = true // wakes the service worker, says nothing
		return
	}
	var top struct {
		notification

		WebPush      int             `json:"web_push"`
		Notification *notification   `json:"notification"`
		AppBadge     json.RawMessage `json:"app_badge"`
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(text, &object) != nil || object == nil {
		v.Body = strings.ToValidUTF8(string(text), "�")
		if raw, err := json.Marshal(v.Body); err == nil { // text always can
			v.Raw = raw
		}
		return
	}
	v.Raw = append(json.RawMessage(nil), text...)
	if err := json.Unmarshal(text, &top); err != nil {
		v.Problem = "a field has the wrong type: " + err.Error()
	}
	n := top.notification
	if top.Notification != nil {
		n = *top.Notification
	}
	v.fill(n)
	if n.Data == nil && top.Data != nil {
		v.Data = flatten(top.Data)
	}
	if badge, err := strconv.Atoi(strings.Trim(string(top.AppBadge), `"`)); err == nil && badge >= 0 {
		v.Badge = &badge
	} else if len(top.AppBadge) > 0 && v.Problem == "" {
		v.Problem = "app_badge: must be a whole number from 0"
	}
	if top.WebPush == declarative {
		v.declare(top.Notification)
	}
	v.Silent = v.Silent || (v.Title == "" && v.Body == "")
}

func (v *Shown) fill(n notification) {
	v.Title, v.Body, v.Image, v.Icon, v.Lang = n.Title, n.Body, n.Image, n.Icon, n.Lang
	v.Link, v.Silent = firstOf(n.Navigate, n.URL), n.Silent
	v.CollapseKey = firstOf(n.Tag, v.CollapseKey)
	for _, a := range n.Actions {
		v.Actions = append(v.Actions, Action{ID: a.Action, Title: a.Title, Link: firstOf(a.Navigate, a.URL), Icon: a.Icon})
	}
	if n.Data != nil {
		v.Data = flatten(n.Data)
	}
}

// declare checks what a browser wants of Declarative Web Push; without it the
// text goes to the service worker as any other.
func (v *Shown) declare(n *notification) {
	switch {
	case v.Problem != "":
	case n == nil:
		v.Problem = "notification: missing"
	case n.Title == "":
		v.Problem = "notification.title: missing"
	case !absolute(n.Navigate):
		v.Problem = "notification.navigate: must be an absolute URL"
	}
	for i, a := range v.Actions {
		if v.Problem == "" && (a.ID == "" || a.Title == "" || !absolute(a.Link)) {
			v.Problem = "notification.actions[" + strconv.Itoa(i) + "]: needs action, title and navigate"
		}
	}
	v.Declarative = v.Problem == ""
}

func absolute(link string) bool {
	u, err := url.Parse(link)
	return err == nil && u.IsAbs() && (u.Host != "" || u.Opaque != "" || u.Path != "")
}

// flatten gives texts as they are, nested objects with dots in the name, and
// anything else as its JSON.
func flatten(raw json.RawMessage) map[string]string {
	flat := map[string]string{}
	flattenInto(flat, "", raw)
	if len(flat) == 0 {
		return nil
	}
	return flat
}

func flattenInto(flat map[string]string, name string, raw json.RawMessage) {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) == nil && object != nil {
		for k, inner := range object {
			full := k
			if name != "" {
				full = name + "." + k
			}
			flattenInto(flat, full, inner)
		}
		return
	}
	if string(raw) == "null" {
		return
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw)
	}
	flat[name] = text
}

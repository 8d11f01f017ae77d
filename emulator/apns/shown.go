package apns

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Shown is a notification as a device shows it.
type Shown struct {
	Phone       string            `json:"phone"` // device token
	Platform    string            `json:"platform"`
	At          time.Time         `json:"at"`
	ID          string            `json:"id"` // apns-id
	Bundle      string            `json:"bundle"`
	PushType    string            `json:"push_type"`
	Title       string            `json:"title,omitempty"`
	Subtitle    string            `json:"subtitle,omitempty"`
	Body        string            `json:"body,omitempty"`
	Image       string            `json:"image,omitempty"`
	Sound       string            `json:"sound,omitempty"`
	Badge       *int              `json:"badge,omitempty"` // none: as it was
	Link        string            `json:"link,omitempty"`
	Actions     []Action          `json:"actions,omitempty"`
	Category    string            `json:"category,omitempty"`
	Thread      string            `json:"thread,omitempty"`
	Data        map[string]string `json:"data,omitempty"` // what is beside "aps"; values other than strings as JSON
	Silent      bool              `json:"silent,omitempty"`
	CollapseKey string            `json:"collapse_key,omitempty"`
	// Problems are the fields that a device ignores: of the wrong type, or
	// without what they need.
	Problems []string        `json:"problems,omitempty"`
	Raw      json.RawMessage `json:"raw"`
}

// Action is a button of a notification.
type Action struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Link  string `json:"link,omitempty"`
}

// Shown lists what a device showed, silent ones too, the oldest first.
func (s *Server) Shown(token string) []Shown {
	var pushes []*push
	_ = s.withDevice(token, func(d *device) { pushes = slices.Clone(d.log) }) // an unknown device has shown nothing
	list := make([]Shown, 0, len(pushes))
	for _, p := range pushes {
		list = append(list, s.render(p))
	}
	return list
}

// Screen lists what stands on a device's lock screen, the newest first: without
// silent ones, and of one collapse key the last only.
func (s *Server) Screen(token string) []Shown {
	all := s.Shown(token)
	slices.Reverse(all)
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(n Shown) bool {
		if n.Silent || n.CollapseKey != "" && seen[n.CollapseKey] {
			return true
		}
		seen[n.CollapseKey] = true
		return false
	})
}

// render makes of a push what the device shows.
func (s *Server) render(p *push) Shown {
	n := Shown{
		Phone: p.token, Platform: p.platform, At: p.shownAt, ID: p.id, Bundle: p.bundle, PushType: p.kind,
		CollapseKey: p.collapse, Data: map[string]string{}, Raw: p.payload,
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(p.payload, &all) != nil {
		return n // was checked before
	}
	var aps map[string]json.RawMessage
	_ = json.Unmarshal(all["aps"], &aps) // likewise
	s.devices.mu.Lock()
	app := s.devices.apps[p.bundle]
	s.devices.mu.Unlock()
	r := renderer{aps: aps, shown: &n}
	r.alert(app.Strings)
	r.rest()
	n.Silent = n.Title == "" && n.Body == "" && n.Subtitle == "" && n.Sound == ""
	for name, raw := range all {
		if name != "aps" {
			n.Data[name] = plain(raw)
		}
	}
	n.Actions = slices.Clone(app.Categories[n.Category])
	n.Link = first(all, s.opt.Data.Link)
	r.extension(all, s.opt.Data)
	return n
}

type renderer struct {
	aps   map[string]json.RawMessage
	shown *Shown
}

func (r *renderer) problem(field, format string, args ...any) {
	r.shown.Problems = append(r.shown.Problems, field+": "+fmt.Sprintf(format, args...))
}

// read fills into; false when the field is not there or of the wrong type.
func (r *renderer) read(field string, into any, want string) bool {
	raw, ok := r.aps[field]
	if !ok {
		return false
	}
	if json.Unmarshal(raw, into) != nil {
		r.problem("aps."+field, "must be %s", want)
		return false
	}
	return true
}

func (r *renderer) alert(texts map[string]string) {
	raw, ok := r.aps["alert"]
	if !ok {
		return
	}
	n := r.shown
	if json.Unmarshal(raw, &n.Body) == nil {
		return
	}
	var a struct {
		Title        string   `json:"title"`
		Subtitle     string   `json:"subtitle"`
		Body         string   `json:"body"`
		TitleKey     string   `json:"title-loc-key"`
		TitleArgs    []string `json:"title-loc-args"`
		SubtitleKey  string   `json:"subtitle-loc-key"`
		SubtitleArgs []string `json:"subtitle-loc-args"`
		Key          string   `json:"loc-key"`
		Args         []string `json:"loc-args"`
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		r.problem("aps.alert", "must be a text, or an object of texts")
		return
	}
	n.Title = localised(texts, a.Title, a.TitleKey, a.TitleArgs)
	n.Subtitle = localised(texts, a.Subtitle, a.SubtitleKey, a.SubtitleArgs)
	n.Body = localised(texts, a.Body, a.Key, a.Args)
}

// localised is the app's text of a key; the key itself when the app has none, as iOS does.
func localised(texts map[string]string, text, key string, args []string) string {
	if key == "" {
		return text
	}
	form, ok := texts[key]
	if !ok {
		return key
	}
	for i, arg := range args {
		form = strings.ReplaceAll(form, "%"+strconv.Itoa(i+1)+"$@", arg)
		form = strings.Replace(form, "%@", arg, 1)
	}
	return form
}

func (r *renderer) rest() {
	n := r.shown
	var badge int
	if r.read("badge", &badge, "a whole number") {
		n.Badge = &badge
	}
	if raw, ok := r.aps["sound"]; ok && json.Unmarshal(raw, &n.Sound) != nil {
		var sound struct {
			Name string `json:"name"`
		}
		if r.read("sound", &sound, "a name, or an object with one") {
			n.Sound = sound.Name
		}
	}
	r.read("category", &n.Category, "a text")
	r.read("thread-id", &n.Thread, "a text")
	var level string
	if r.read("interruption-level", &level, "a text") &&
		!slices.Contains([]string{"passive", "active", "time-sensitive", "critical"}, level) {
		r.problem("aps.interruption-level", "must be passive, active, time-sensitive or critical")
	}
	var score float64
	if r.read("relevance-score", &score, "a number") && (score < 0 || score > 1) {
		r.problem("aps.relevance-score", "must be 0 to 1")
	}
}

// extension is the app's service extension, which iOS runs for alerts with
// mutable-content 1 only.
func (r *renderer) extension(all map[string]json.RawMessage, keys DataKeys) {
	n := r.shown
	image, actions := first(all, keys.Image), first(all, keys.Actions)
	if image == "" && actions == "" {
		return
	}
	var mutable int
	r.read("mutable-content", &mutable, "1")
	if mutable != 1 || n.Silent {
		r.problem("aps.mutable-content", "must be 1, beside an alert, for an image or buttons of the data")
		return
	}
	n.Image = image
	if actions == "" {
		return
	}
	var list []Action
	if json.Unmarshal([]byte(actions), &list) != nil {
		r.problem("actions", "must be a list of {id,title,link}")
		return
	}
	n.Actions = append(n.Actions, list...)
}

// first is the value of the first of the keys that is there.
func first(all map[string]json.RawMessage, keys []string) string {
	for _, key := range keys {
		outer, inner, nested := strings.Cut(key, ".")
		raw := all[outer]
		if nested {
			var object map[string]json.RawMessage
			_ = json.Unmarshal(raw, &object) // not an object: nothing in it
			raw = object[inner]
		}
		if len(raw) > 0 {
			return plain(raw)
		}
	}
	return ""
}

// plain is a text without its quotes, and anything else as JSON.
func plain(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

package fcm

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Shown is what reached a phone: what it shows or, of a silent message, what
// its app got.
type Shown struct {
	Phone       string            `json:"phone"` // the token, or the FID of a device without
	FID         string            `json:"fid,omitempty"`
	Project     string            `json:"project"`
	App         string            `json:"app,omitempty"`
	Platform    Platform          `json:"platform"`
	MessageID   string            `json:"message_id"`
	At          time.Time         `json:"at"`
	Title       string            `json:"title,omitempty"`
	Body        string            `json:"body,omitempty"`
	Image       string            `json:"image,omitempty"`
	Icon        string            `json:"icon,omitempty"`
	Sound       string            `json:"sound,omitempty"`
	Badge       *int              `json:"badge,omitempty"`
	Link        string            `json:"link,omitempty"`
	Actions     []Action          `json:"actions,omitempty"`
	Data        map[string]string `json:"data,omitempty"`
	Silent      bool              `json:"silent,omitempty"`
	CollapseKey string            `json:"collapse_key,omitempty"`
	Tag         string            `json:"tag,omitempty"`      // what replaces an older one on the phone
	Channel     string            `json:"channel,omitempty"`  // Android
	Category    string            `json:"category,omitempty"` // iOS
	Thread      string            `json:"thread,omitempty"`   // iOS
	Priority    string            `json:"priority,omitempty"` // as sent: HIGH, 10, high
	Raw         json.RawMessage   `json:"raw"`                // the request's body
}

// Action is a button.
type Action struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Link  string `json:"link,omitempty"`
	Icon  string `json:"icon,omitempty"`
}

// arrival is a message on its way to a device.
type arrival struct {
	to      *device
	m       *message
	body    []byte
	id      string
	at      time.Time
	expires time.Time
}

// kept are the last messages that reached phones, in a ring. What they show is
// only worked out when somebody asks.
type kept struct {
	mu   sync.Mutex
	ring []arrival
	head int
}

func (k *kept) add(a arrival, most int) {
	if most < 0 {
		return
	}
	a.m = nil // many times the size of the body that it can be read from again
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.ring) < most {
		k.ring = append(k.ring, a)
		return
	}
	k.ring[k.head] = a
	k.head = (k.head + 1) % len(k.ring)
}

func (k *kept) reset() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ring, k.head = nil, 0
}

func (k *kept) all() []arrival {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append(append([]arrival{}, k.ring[k.head:]...), k.ring[:k.head]...)
}

// mostWaiting is how many messages without a collapse key wait for one device.
const mostWaiting = 100

// hand gives a message to its device. It returns how long the device has no
// room for more; a device that is off the net gets it later.
func (s *Server) hand(a arrival, now int64) time.Duration {
	x := a.to
	platform := x.d.Platform
	l := s.opt.Limits
	if platform != Android {
		l.DevicePerMinute, l.DevicePerHour, l.CollapsibleBurst = -1, -1, -1
	}
	key := a.m.collapseKey(platform)
	x.mu.Lock()
	if wait := x.rates.take(now, l, key != ""); wait > 0 {
		x.mu.Unlock()
		return wait
	}
	x.took++
	if x.offline {
		a.expires = a.m.expires(platform, a.at)
		x.store(a, key, s.opt.Limits.CollapseKeys)
		x.mu.Unlock()
		return 0
	}
	x.mu.Unlock()
	s.reach(a)
	return 0
}

// store keeps a message for a device that is off the net. Which of more than
// four collapse keys FCM forgets it does not say; here it is the oldest.
func (x *device) store(a arrival, key string, mostKeys int) {
	if !a.expires.After(a.at) {
		return // now or never
	}
	platform := x.d.Platform
	keys, plain, oldestKey, oldestPlain := 0, 0, -1, -1
	for i, w := range x.waiting {
		switch w.m.collapseKey(platform) {
		case "":
			if plain++; oldestPlain < 0 {
				oldestPlain = i
			}
		case key:
			x.waiting[i] = a
			return
		default:
			if keys++; oldestKey < 0 {
				oldestKey = i
			}
		}
	}
	drop := -1
	if key != "" && mostKeys > 0 && keys >= mostKeys {
		drop = oldestKey
	} else if key == "" && plain >= mostWaiting {
		drop = oldestPlain
	}
	if drop >= 0 {
		x.waiting = append(x.waiting[:drop], x.waiting[drop+1:]...)
	}
	x.waiting = append(x.waiting, a)
}

func (s *Server) reach(a arrival) {
	s.tally.shown.Add(1)
	s.kept.add(a, s.opt.KeepShown)
	if s.opt.Show != nil {
		s.opt.Show(s.show(a))
	}
}

// Shown is what reached a phone, oldest first, of what is kept; "" is every phone.
func (s *Server) Shown(address string) []Shown {
	list := []Shown{}
	for _, a := range s.kept.all() {
		if address == "" || a.to.d.Token == address || a.to.d.FID == address {
			root, _ := parse(a.body) // it has been read before
			(&checker{}).object(&root, s.schema, "")
			a.m = read(root)
			list = append(list, s.show(a))
		}
	}
	return list
}

// Screen is what stands on a phone's lock screen, newest first: nothing of
// silent messages, and of several with one tag only the last.
func (s *Server) Screen(address string) []Shown {
	list := []Shown{}
	tags := map[string]bool{}
	all := s.Shown(address)
	for _, n := range slices.Backward(all) {
		key := n.Phone + "\n" + n.Tag
		if n.Silent || n.Tag != "" && tags[key] {
			continue
		}
		tags[key] = true
		list = append(list, n)
	}
	return list
}

func (s *Server) show(a arrival) Shown {
	d := &a.to.d
	n := Shown{
		Phone: d.Token, FID: d.FID, Project: d.Project, App: d.App, Platform: d.Platform, MessageID: a.id, At: a.at,
		CollapseKey: a.m.collapseKey(d.Platform), Raw: json.RawMessage(a.body),
	}
	if n.Phone == "" {
		n.Phone = d.FID
	}
	switch d.Platform {
	case IOS:
		n.ios(a.m)
	case Web:
		n.web(a.m)
	default:
		n.android(a.m)
	}
	if n.Link == "" {
		n.Link = n.Data[s.opt.LinkKey]
	}
	if text := n.Data[s.opt.ActionsKey]; text != "" && n.Actions == nil {
		_ = json.Unmarshal([]byte(text), &n.Actions) // an app that cannot read it shows no buttons
	}
	return n
}

// first is the first of the texts that is not empty.
func first(values ...value) string {
	for _, v := range values {
		if text := v.text(); text != "" {
			return text
		}
	}
	return ""
}

func badge(v value) *int {
	n, err := strconv.Atoi(strings.Trim(string(v.raw), `"`))
	if err != nil {
		return nil
	}
	return &n
}

func (n *Shown) android(m *message) {
	common, v := m.root.get("notification"), m.root.get("android")
	own := v.get("notification")
	n.Data = m.override("android").texts()
	if v2 := m.root.get("androidV2"); v2.kind != kindNull {
		v, own = v2, v2.get("remoteNotification", "notification")
		n.Data = m.override("androidV2").texts()
		if v.has("backgroundSync") {
			common = value{}
		}
	}
	n.Silent = common.kind == kindNull && own.kind == kindNull
	n.Title, n.Body = first(own.get("title"), common.get("title")), first(own.get("body"), common.get("body"))
	n.Image, n.Icon = first(own.get("image"), common.get("image")), own.get("icon").text()
	n.Sound, n.Channel = own.get("sound").text(), own.get("channelId").text()
	if n.Sound == "" && own.get("defaultSound").isTrue() {
		n.Sound = "default"
	}
	n.Badge = badge(own.get("notificationCount"))
	n.Tag = own.get("tag").text()
	if id := own.get("id"); id.kind != kindNull {
		n.Tag += "/" + string(id.raw)
	}
	n.Priority = strings.ToUpper(v.get("priority").text())
}

// ios: the payload overrides the notification.
func (n *Shown) ios(m *message) {
	common, v := m.root.get("notification"), m.root.get("apns")
	payload := v.get("payload")
	aps := payload.get("aps")
	alert := aps.get("alert")
	n.Data = m.root.get("data").texts()
	for key, text := range payload.texts() {
		if key != "aps" {
			if n.Data == nil {
				n.Data = map[string]string{}
			}
			n.Data[key] = text
		}
	}
	n.Silent = common.kind == kindNull && !alerts(aps)
	n.Title, n.Body = first(alert.get("title"), common.get("title")), first(alert, alert.get("body"), common.get("body"))
	n.Image = first(v.get("fcmOptions", "image"), common.get("image"))
	n.Sound = first(aps.get("sound"), aps.get("sound", "name"))
	n.Badge = badge(aps.get("badge"))
	n.Category, n.Thread = aps.get("category").text(), aps.get("thread-id").text()
	n.Tag, n.Priority = n.CollapseKey, header(v.get("headers"), "apns-priority")
}

// web: title, body and the rest of the browser's notification override.
func (n *Shown) web(m *message) {
	common, v := m.root.get("notification"), m.root.get("webpush")
	own := v.get("notification")
	n.Data = m.override("webpush").texts()
	n.Silent = common.kind == kindNull && own.kind == kindNull
	n.Title, n.Body = first(own.get("title"), common.get("title")), first(own.get("body"), common.get("body"))
	n.Image, n.Icon = first(own.get("image"), common.get("image")), own.get("icon").text()
	n.Tag, n.Link = own.get("tag").text(), v.get("fcmOptions", "link").text()
	n.Priority = header(v.get("headers"), "Urgency")
	for _, x := range own.get("actions").items {
		n.Actions = append(n.Actions, Action{ID: x.get("action").text(), Title: x.get("title").text(), Link: x.get("navigate").text(), Icon: x.get("icon").text()})
	}
}

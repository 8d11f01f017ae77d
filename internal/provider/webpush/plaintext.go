package webpush

import (
	"net/url"
	"strings"

	"peal/api"
	"peal/internal/provider/wire"
)

// declarative is what marks Declarative Web Push.
const declarative = 8030

// text is what a browser decrypts. With web_push it is Declarative Web Push, which newer browsers show by themselves; the
// others hand it to the service worker, which reads the same names.
type text struct {
	WebPush      int            `json:"web_push,omitempty"`
	Notification *notification  `json:"notification,omitempty"`
	Data         map[string]any `json:"data,omitempty"` // of a silent one, which has no notification
	AppBadge     *int           `json:"app_badge,omitempty"`
	Mutable      bool           `json:"mutable,omitempty"` // the service worker is asked, where there is one
}

type notification struct {
	Title    string         `json:"title,omitempty"`
	Body     string         `json:"body,omitempty"`
	Navigate string         `json:"navigate,omitempty"`
	Icon     string         `json:"icon,omitempty"`
	Image    string         `json:"image,omitempty"`
	Tag      string         `json:"tag,omitempty"`
	Actions  []button       `json:"actions,omitempty"`
	Data     map[string]any `json:"data,omitempty"`
}

type button struct {
	Action   string `json:"action"`
	Title    string `json:"title"`
	Navigate string `json:"navigate,omitempty"`
	Icon     string `json:"icon,omitempty"`
}

// ours is what Peal adds to the data, under the name "peal".
type ours struct {
	DeliveryID string `json:"delivery_id"`
	Silent     bool   `json:"silent,omitempty"`
}

// oursName is where it stands.
const oursName = "peal"

// plaintext is what is encrypted. App is the device's app id: where that is an origin, links may be relative to it, and a
// notification without a link leads there.
func plaintext(p *api.Push, deliveryID, app string) ([]byte, error) {
	t := text{AppBadge: p.Badge}
	data := make(map[string]any, len(p.Data)+1)
	for name, value := range p.Data {
		data[name] = value
	}
	data[oursName] = ours{DeliveryID: deliveryID, Silent: p.Silent}
	if p.Silent {
		t.Data = data // a notification would be shown, and one without a title is not declarative
	} else {
		t.show(p, data, deliveryID, appOrigin(app))
	}
	b, err := wire.Marshal(&t)
	if err != nil || !isSet(p.Overrides.WebPush) {
		return b, err
	}
	return merge(b, p.Overrides.WebPush)
}

// show fills in a notification. It is declarative when all is there that a browser wants for that: a title, and a place to
// go for itself and for each of its buttons.
func (t *text) show(p *api.Push, data map[string]any, deliveryID string, app *url.URL) {
	n := &notification{Title: p.Title, Body: p.Body, Icon: web(p.Icon), Image: p.Image, Tag: p.CollapseKey, Data: data}
	if n.Title == "" {
		n.Title, n.Body = n.Body, ""
	}
	if n.Tag == "" {
		n.Tag = deliveryID // a repeat takes the place of what is shown
	}
	n.Navigate = resolve(app, p.Link)
	t.Notification, t.Mutable = n, true
	complete := n.Title != "" && absolute(n.Navigate)
	for _, a := range p.Actions {
		b := button{Action: a.ID, Title: a.Title, Navigate: n.Navigate, Icon: web(a.Icon)}
		if a.Link != "" {
			b.Navigate = resolve(app, a.Link)
		}
		complete = complete && absolute(b.Navigate)
		n.Actions = append(n.Actions, b)
	}
	if complete {
		t.WebPush = declarative
	}
}

// web is a picture's URL, and nothing where it is the name of an Android drawable.
func web(icon string) string {
	if strings.HasPrefix(icon, "https://") {
		return icon
	}
	return ""
}

// appOrigin is an app id that is an origin; nil for a bundle id and the like.
func appOrigin(app string) *url.URL {
	if !strings.HasPrefix(app, "https://") && !strings.HasPrefix(app, "http://") {
		return nil
	}
	u, err := url.Parse(app)
	if err != nil || u.Host == "" || u.User != nil {
		return nil
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}
}

// resolve gives a link as a whole URL where that can be done, else as it is.
func resolve(app *url.URL, link string) string {
	if app == nil {
		return link
	}
	u, err := app.Parse(link)
	if err != nil {
		return link
	}
	return u.String()
}

func absolute(link string) bool {
	u, err := url.Parse(link)
	return err == nil && u.IsAbs() && u.Scheme != "javascript" && u.Scheme != "data"
}

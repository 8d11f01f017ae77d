package apns

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Device is an app on somebody's phone: what one device token stands for.
type Device struct {
	Token       string      `json:"token"` // hex, of any even length
	Bundle      string      `json:"bundle"`
	Environment Environment `json:"environment,omitempty"` // default: the server's
	Platform    string      `json:"platform,omitempty"`    // default ios
	Offline     bool        `json:"offline,omitempty"`
}

// DeviceInfo is a device with what became of it.
type DeviceInfo struct {
	Device
	Gone     string    `json:"gone,omitempty"` // Unregistered or ExpiredToken
	GoneAt   time.Time `json:"gone_at,omitzero"`
	Pushes   int64     `json:"pushes"`   // taken for it
	Shows    int64     `json:"shown"`    // on its screen, silent ones too
	Stored   bool      `json:"stored"`   // one waits for it to come back
	Replaced int64     `json:"replaced"` // stored ones that a later one pushed out
	Lost     int64     `json:"lost"`     // expired, or not to be stored
}

type device struct {
	DeviceInfo
	waiting *push       // APNs stores one notification per app and device
	log     []*push     // shown, the oldest first
	taken   []time.Time // within the window of Limits.PerDevice
}

type devices struct {
	mu      sync.Mutex
	byToken map[string]*device
	apps    map[string]App
}

func (s *Server) defaults(d Device) (Device, error) {
	d.Token = strings.ToLower(d.Token)
	if d.Environment == "" {
		d.Environment = s.opt.Environment
	}
	if d.Platform == "" {
		d.Platform = "ios"
	}
	switch {
	case !isHex(d.Token):
		return d, errors.New("token: must be hex digits, two for each byte")
	case d.Bundle == "":
		return d, errors.New("bundle: is required")
	case d.Environment != Production && d.Environment != Sandbox:
		return d, fmt.Errorf("environment: %q is none of production, sandbox", d.Environment)
	}
	return d, nil
}

// Register makes a device, or replaces the one of its token: an app that
// registered again is not gone any more.
func (s *Server) Register(d Device) error {
	d, err := s.defaults(d)
	if err != nil {
		return err
	}
	s.devices.mu.Lock()
	defer s.devices.mu.Unlock()
	if old := s.devices.byToken[d.Token]; old != nil {
		old.Device, old.Gone, old.GoneAt = d, "", time.Time{}
		return nil
	}
	s.devices.byToken[d.Token] = &device{DeviceInfo: DeviceInfo{Device: d}}
	return nil
}

// AddApp registers an app, or replaces the one of its bundle.
func (s *Server) AddApp(a App) {
	s.devices.mu.Lock()
	defer s.devices.mu.Unlock()
	s.devices.apps[a.Bundle] = a
}

// Unregister removes the app from the device: pushes get 410 Unregistered with
// this time.
func (s *Server) Unregister(token string, at time.Time) error { return s.gone(token, unregistered, at) }

// Expire makes the token invalid: pushes get 410 ExpiredToken with this time.
func (s *Server) Expire(token string, at time.Time) error { return s.gone(token, expiredToken, at) }

func (s *Server) gone(token, reason string, at time.Time) error {
	return s.withDevice(token, func(d *device) { d.Gone, d.GoneAt, d.waiting, d.Stored = reason, at, nil, false })
}

func (s *Server) withDevice(token string, do func(*device)) error {
	s.devices.mu.Lock()
	defer s.devices.mu.Unlock()
	d := s.devices.byToken[strings.ToLower(token)]
	if d == nil {
		return errors.New("token: no such device")
	}
	do(d)
	return nil
}

// SetOffline turns a device off or on. One that comes back shows the
// notification that waits for it, unless it has expired.
func (s *Server) SetOffline(token string, offline bool) error {
	var show *push
	err := s.withDevice(token, func(d *device) {
		d.Offline = offline
		if offline || d.waiting == nil {
			return
		}
		p := d.waiting
		d.waiting, d.Stored = nil, false
		if !s.opt.Clock().Before(p.expires) {
			d.Lost++
			return
		}
		show = p
		s.display(d, p)
	})
	if show != nil {
		s.tell(show)
	}
	return err
}

// Device returns one device.
func (s *Server) Device(token string) (DeviceInfo, bool) {
	var info DeviceInfo
	err := s.withDevice(token, func(d *device) { info = d.DeviceInfo })
	return info, err == nil
}

// Devices lists all devices by token.
func (s *Server) Devices() []DeviceInfo {
	s.devices.mu.Lock()
	defer s.devices.mu.Unlock()
	list := make([]DeviceInfo, 0, len(s.devices.byToken))
	for _, d := range s.devices.byToken {
		list = append(list, d.DeviceInfo)
	}
	slices.SortFunc(list, func(a, b DeviceInfo) int { return strings.Compare(a.Token, b.Token) })
	return list
}

// deliver hands a push to its device, whose token and topic are checked before.
func (s *Server) deliver(p *push) (rep reply) {
	s.devices.mu.Lock()
	d, rep := s.admit(p)
	if rep.reason != "" {
		s.devices.mu.Unlock()
		return rep
	}
	d.Pushes++
	shows := !d.Offline
	switch {
	case shows:
		s.display(d, p)
	case p.expiration == 0: // once or never
		d.Lost++
	default:
		if d.waiting != nil {
			d.Replaced++
		}
		d.waiting, d.Stored = p, true
	}
	s.devices.mu.Unlock()
	if shows {
		s.tell(p)
	}
	return reply{status: 200}
}

// admit finds the device that may take a push. The caller holds the mutex.
func (s *Server) admit(p *push) (*device, reply) {
	app, known := s.devices.apps[p.bundle]
	if known && app.Team != "" && app.Team != p.team {
		return nil, refuse(topicDisallowed)
	}
	d := s.devices.byToken[p.token]
	if d == nil && s.opt.AcceptUnknown {
		d = &device{DeviceInfo: DeviceInfo{Device: Device{
			Token: p.token, Bundle: p.bundle, Environment: s.opt.Environment, Platform: "ios",
		}}}
		s.devices.byToken[p.token] = d
	}
	switch {
	case d == nil || d.Environment != s.opt.Environment:
		return nil, refuse(badDeviceToken)
	case d.Bundle != p.bundle:
		return nil, refuse(deviceNotForTopic)
	case d.Gone != "":
		rep := refuse(d.Gone)
		rep.timestamp = d.GoneAt
		return nil, rep
	case !s.allow(d, p.at):
		return nil, refuse(tooManyRequests)
	}
	return d, reply{}
}

// allow keeps Limits.PerDevice. The caller holds the mutex.
func (s *Server) allow(d *device, now time.Time) bool {
	limits := &s.opt.Limits
	if limits.PerDevice <= 0 {
		return true
	}
	d.taken = slices.DeleteFunc(d.taken, func(t time.Time) bool { return now.Sub(t) >= limits.PerDeviceWindow })
	if len(d.taken) >= limits.PerDevice {
		return false
	}
	d.taken = append(d.taken, now)
	return true
}

// display puts a push on the device's screen. The caller holds the mutex.
func (s *Server) display(d *device, p *push) {
	d.Shows++
	p.platform = d.Platform
	p.shownAt = s.opt.Clock()
	if s.opt.KeepShown < 0 {
		return
	}
	if len(d.log) >= s.opt.KeepShown {
		d.log = slices.Delete(d.log, 0, len(d.log)-s.opt.KeepShown+1)
	}
	d.log = append(d.log, p)
}

func (s *Server) tell(p *push) {
	if s.opt.Show != nil {
		s.opt.Show(s.render(p))
	}
}

func isHex(text string) bool {
	if text == "" || len(text)%2 != 0 {
		return false
	}
	for _, c := range []byte(text) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

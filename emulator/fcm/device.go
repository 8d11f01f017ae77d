package fcm

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
)

// Platform is what a device runs.
type Platform string

// Platforms that FCM reaches.
const (
	Android Platform = "android"
	IOS     Platform = "ios"
	Web     Platform = "web"
)

// Device is an app instance, which FCM knows by a token, by a Firebase
// installation id, or by both.
type Device struct {
	Token    string   `json:"token,omitempty"`
	FID      string   `json:"fid,omitempty"`
	Project  string   `json:"project"`
	App      string   `json:"app,omitempty"` // package name or bundle id
	Platform Platform `json:"platform"`      // default Android
	Offline  bool     `json:"offline,omitempty"`
}

// device is a Device and what happens to it.
type device struct {
	d Device // does not change

	mu           sync.Mutex
	offline      bool
	unregistered bool
	rates        rates
	calls, took  int64
	waiting      []arrival
}

// Register makes a device known and returns it with what was left empty filled
// in: neither Token nor FID given means that it gets both. A token or FID that
// was known is registered again.
func (s *Server) Register(d Device) (Device, error) {
	switch {
	case !isProject(d.Project):
		return Device{}, errors.New("fcm: device: project: is required, of a-z, 0-9 and -")
	case d.Platform != "" && d.Platform != Android && d.Platform != IOS && d.Platform != Web:
		return Device{}, errors.New("fcm: device: platform: must be android, ios or web")
	}
	if d.Platform == "" {
		d.Platform = Android
	}
	if d.Token == "" && d.FID == "" {
		d.FID = NewFID()
		d.Token = NewToken(d.FID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.register(d)
	return d, nil
}

func (s *Server) register(d Device) *device {
	s.project(d.Project)
	x := &device{d: d, offline: d.Offline}
	if d.Token != "" {
		s.devices[d.Token] = x
	}
	if d.FID != "" {
		s.devices[d.FID] = x
	}
	return x
}

// Unregister is the app's removal: sends to the device get UNREGISTERED.
func (s *Server) Unregister(address string) error {
	return s.change(address, func(x *device) { x.unregistered = true })
}

// SetOnline takes a device off the net or brings it back; what waits for it and
// has not run out reaches it then.
func (s *Server) SetOnline(address string, online bool) error {
	now := s.opt.Clock()
	var due []arrival
	err := s.change(address, func(x *device) {
		x.offline = !online
		if !online {
			return
		}
		for _, a := range x.waiting {
			if now.Before(a.expires) {
				due = append(due, a)
			}
		}
		x.waiting = nil
	})
	for _, a := range due {
		a.at = now
		s.reach(a)
	}
	return err
}

func (s *Server) change(address string, f func(*device)) error {
	x := s.device(address)
	if x == nil {
		return errors.New("fcm: device not found")
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	f(x)
	return nil
}

// Devices lists the registered devices, in no order.
func (s *Server) Devices() []Device {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := []Device{}
	for address, x := range s.devices {
		x.mu.Lock()
		if !x.unregistered && (x.d.Token == address || x.d.Token == "") {
			d := x.d
			d.Offline = x.offline
			list = append(list, d)
		}
		x.mu.Unlock()
	}
	return list
}

func (s *Server) device(address string) *device {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.devices[address]
}

// NewFID makes an id as Firebase does: 17 bytes of which the first begins with
// 0111, as 22 characters.
func NewFID() string {
	b := make([]byte, 17)
	_, _ = rand.Read(b) // never fails
	b[0] = b[0]&0x0f | 0x70
	return base64.RawURLEncoding.EncodeToString(b)[:22]
}

// NewToken makes a registration token of the usual form for an installation.
func NewToken(fid string) string {
	b := make([]byte, 100)
	_, _ = rand.Read(b) // never fails
	return fid + ":APA91b" + base64.RawURLEncoding.EncodeToString(b)
}

// wellFormed tells a token or an FID, dead or alive, from rubbish. That FCM
// looks at more than this is certain; at what, it does not say.
func wellFormed(address string) bool {
	fid, rest, isToken := strings.Cut(address, ":")
	if isToken {
		return len(fid) >= 11 && strings.HasPrefix(rest, "APA91b") && len(rest) >= 26 && isBase64(fid) && isBase64(rest)
	}
	return len(fid) == 22 && isBase64(fid) && fid[0] >= 'c' && fid[0] <= 'f'
}

func isBase64(text string) bool {
	for i := range len(text) {
		c := text[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

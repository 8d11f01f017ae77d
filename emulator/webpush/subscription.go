package webpush

import (
	"cmp"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Keys are the public half of a subscription's secrets, base64url without
// padding, as PushSubscription.toJSON gives them.
type Keys struct {
	P256dh string `json:"p256dh"`
	Auth   string `json:"auth"`
}

// Subscription is what a page gets from PushManager.subscribe, in its JSON.
type Subscription struct {
	Endpoint string `json:"endpoint"`
	// ExpirationTime in milliseconds of the epoch; null: none.
	ExpirationTime *int64 `json:"expirationTime"`
	Keys           Keys   `json:"keys"`
}

// SubscribeOptions say what kind of browser subscribes.
type SubscribeOptions struct {
	// VAPIDPublicKey that pushes must be signed with. Required, except with Ntfy.
	VAPIDPublicKey string
	// Platform stands in what is shown. Default "web", with Ntfy "android".
	Platform string
	// Ntfy makes a UnifiedPush endpoint that behaves as at ntfy.
	Ntfy bool
	// Lifetime after which the subscription is gone (404). Default: for good.
	Lifetime time.Duration
}

// SubscriptionInfo is a subscription with what the server knows of it.
type SubscriptionInfo struct {
	Subscription

	Platform string `json:"platform"`
	Ntfy     bool   `json:"ntfy"`
	Online   bool   `json:"online"`
	Gone     int    `json:"gone"` // status that answers pushes, 0 while alive
	Waiting  int    `json:"waiting"`
	Counts   Counts `json:"counts"`
}

// subscription is guarded by Server.mu; the first fields never change.
type subscription struct {
	sub      Subscription
	path     string
	origin   string
	key      *ecdh.PrivateKey
	auth     []byte
	vapid    string
	platform string
	ntfy     bool
	expires  time.Time // zero: never

	offline bool
	gone    int
	waiting []*waiting
	counts  Counts
}

// SetOrigin sets scheme, host and port of the endpoints made from now on.
func (s *Server) SetOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return errors.New("origin: must be scheme://host:port")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.origin = u.Scheme + "://" + u.Host
	return nil
}

// Subscribe is a browser that subscribes with the application's VAPID key. It
// fails when the key is not one, or when no origin is set.
func (s *Server) Subscribe(vapidPublicKey string) (Subscription, error) {
	return s.SubscribeWith(SubscribeOptions{VAPIDPublicKey: vapidPublicKey})
}

// SubscribeWith is Subscribe for other kinds of browsers.
func (s *Server) SubscribeWith(opt SubscribeOptions) (Subscription, error) {
	if opt.VAPIDPublicKey != "" || !opt.Ntfy {
		if _, err := publicKey(opt.VAPIDPublicKey); err != nil {
			return Subscription{}, fmt.Errorf("vapid_public_key: %w", err)
		}
	}
	if opt.Lifetime < 0 {
		return Subscription{}, errors.New("lifetime: must not be negative")
	}
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return Subscription{}, fmt.Errorf("make a key: %w", err)
	}
	x := &subscription{
		key: key, auth: make([]byte, 16), vapid: opt.VAPIDPublicKey, ntfy: opt.Ntfy,
		platform: cmp.Or(opt.Platform, map[bool]string{true: "android", false: "web"}[opt.Ntfy]),
	}
	_, _ = rand.Read(x.auth) // never fails
	x.path = "/push/" + randomText(32)
	if opt.Ntfy {
		x.path = "/up" + randomText(9)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.origin == "" {
		return Subscription{}, errors.New("origin: not set; call SetOrigin or set Options.Origin")
	}
	x.origin = s.origin
	x.sub = Subscription{Endpoint: x.origin + x.path, Keys: Keys{
		P256dh: base64.RawURLEncoding.EncodeToString(key.PublicKey().Bytes()),
		Auth:   base64.RawURLEncoding.EncodeToString(x.auth),
	}}
	if opt.Lifetime > 0 {
		x.expires = s.opt.Clock().Add(opt.Lifetime)
		ms := x.expires.UnixMilli()
		x.sub.ExpirationTime = &ms
	}
	s.subs[x.path] = x
	s.order = append(s.order, x)
	return x.sub, nil
}

// randomText is n random bytes as base64url.
func randomText(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // never fails
	return base64.RawURLEncoding.EncodeToString(raw)
}

// find returns the subscription of an endpoint; the caller holds mu.
func (s *Server) find(endpoint string) (*subscription, error) {
	u, err := url.Parse(endpoint)
	if err == nil {
		if x := s.subs[u.Path]; x != nil && x.sub.Endpoint == endpoint {
			return x, nil
		}
	}
	return nil, missing(errors.New("endpoint: no such subscription"))
}

// Unsubscribe is a browser that drops its subscription: pushes get 410.
func (s *Server) Unsubscribe(endpoint string) error { return s.SetGone(endpoint, http.StatusGone) }

// SetGone answers pushes to the endpoint with 404 or 410 from now on; 0 brings
// it back. What waits for the browser is lost.
func (s *Server) SetGone(endpoint string, status int) error {
	if !slices.Contains([]int{0, http.StatusNotFound, http.StatusGone}, status) {
		return fmt.Errorf("gone: must be 404, 410, or 0 for alive, is %d", status)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.find(endpoint)
	if err != nil {
		return err
	}
	x.gone = status
	if status != 0 {
		for _, w := range x.waiting {
			s.lose(x, w, StateLost)
		}
		x.waiting = nil
	}
	return nil
}

// SetOnline takes the browser away or brings it back; then it takes what waits
// and is still worth it.
func (s *Server) SetOnline(endpoint string, online bool) error {
	s.mu.Lock()
	x, err := s.find(endpoint)
	if err != nil {
		s.mu.Unlock()
		return err
	}
	x.offline = !online
	var taken []Shown
	if online {
		taken = s.takeWaiting(x)
	}
	s.mu.Unlock()
	s.show(taken...)
	return nil
}

// Subscriptions lists them in the order they were made, limit at most (0: all).
func (s *Server) Subscriptions(limit int) []SubscriptionInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.order
	if limit > 0 && len(list) > limit {
		list = list[:limit]
	}
	infos := make([]SubscriptionInfo, len(list))
	for i, x := range list {
		infos[i] = SubscriptionInfo{
			Subscription: x.sub, Platform: x.platform, Ntfy: x.ntfy, Online: !x.offline,
			Gone: x.goneAt(s.opt.Clock()), Waiting: len(x.waiting), Counts: x.counts,
		}
	}
	return infos
}

// goneAt is the status of a subscription that is no more, 0 while it lives. RFC
// 8030, section 7.3, wants 404 for one that has expired.
func (x *subscription) goneAt(now time.Time) int {
	if x.gone == 0 && !x.expires.IsZero() && !now.Before(x.expires) {
		return http.StatusNotFound
	}
	return x.gone
}

package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	defaultUnseen = 270 * 24 * time.Hour
	minUnseen     = 24 * time.Hour
)

// deviceKinds are all that there are.
func deviceKinds() []string {
	return []string{"fcm_token", "fcm_fid", "apns", "webpush", "unifiedpush"}
}

// UnseenAfter gives after how long a device that was not heard of is retired, by its kind; 0 is never.
func (c *Config) UnseenAfter() (map[string]time.Duration, error) {
	general, given := defaultUnseen, false
	own := map[string]time.Duration{}
	for part := range strings.SplitSeq(c.DeviceUnseen, ",") {
		kind, value, named := strings.Cut(strings.TrimSpace(part), "=")
		if !named {
			value = kind
		}
		d, err := time.ParseDuration(value)
		if err == nil && d != 0 && (d < minUnseen || d > maxRetention) {
			err = errors.New("out of bounds")
		}
		_, twice := own[kind]
		switch {
		case err != nil:
			return nil, fmt.Errorf("%q is no duration of %v or more; write it like 6480h, or 0 for never", value, minUnseen)
		case !named && given || named && twice:
			return nil, fmt.Errorf("%q is said twice; leave one out", part)
		case !named:
			general, given = d, true
		case !slices.Contains(deviceKinds(), kind):
			return nil, fmt.Errorf("there is no kind of device %q; use %s", kind, strings.Join(deviceKinds(), ", "))
		default:
			own[kind] = d
		}
	}
	after := map[string]time.Duration{}
	for _, kind := range deviceKinds() {
		after[kind] = general
		if d, ok := own[kind]; ok {
			after[kind] = d
		}
	}
	return after, nil
}

func (c *Config) validateDeviceUnseen() error {
	_, err := c.UnseenAfter()
	return named("device-unseen", err)
}

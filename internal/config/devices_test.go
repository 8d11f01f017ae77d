package config

import (
	"strings"
	"testing"
	"time"
)

func TestUnseenAfter(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for in, want := range map[string][3]time.Duration{ // of fcm_token, apns, webpush
		"6480h":                         {270 * day, 270 * day, 270 * day},
		"6480h,apns=0":                  {270 * day, 0, 270 * day},
		"apns=0, webpush=48h":           {270 * day, 0, 2 * day},
		"0":                             {0, 0, 0},
		"fcm_token=24h,0":               {day, 0, 0},
		"fcm_token=24h,apns=24h,48h":    {day, day, 2 * day},
		"876000h,webpush=24h,fcm_fid=0": {36500 * day, 36500 * day, day},
	} {
		c := Config{DeviceUnseen: in}
		got, err := c.UnseenAfter()
		if err != nil || len(got) != len(deviceKinds()) || [3]time.Duration{got["fcm_token"], got["apns"], got["webpush"]} != want {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	for in, want := range map[string]string{
		"": "no duration", "1h": "no duration", "x": "no duration", "-24h": "no duration", "sms=24h": "no kind", "24h,48h": "twice", "apns=24h,apns=0": "twice",
		"apns": "no duration", "apns=": "no duration", "9999999h": "no duration",
	} {
		c := Default()
		c.DeviceUnseen = in
		if err := c.validateDeviceUnseen(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "PEAL_DEVICE_UNSEEN") {
			t.Errorf("%q: %v, want %s", in, err, want)
		}
	}
	c := Default()
	if got, err := c.UnseenAfter(); err != nil || got["apns"] != defaultUnseen {
		t.Errorf("%v, %v", got, err)
	}
}

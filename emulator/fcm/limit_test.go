package fcm_test

import (
	"testing"
	"time"

	"peal/emulator/fcm"
)

func TestProjectQuota(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{Limits: fcm.Limits{ProjectPerMinute: 3}})
	b.message(b.phone.Token, "", 200)
	b.clock.Advance(20 * time.Second)
	b.message("x", "", 400) // costs one as well
	b.message(b.phone.Token, "", 200)
	a := b.message(b.phone.Token, "", 429)
	if code(a) != "" || detail(a, "google.rpc.ErrorInfo")["reason"] != "RATE_LIMIT_EXCEEDED" || a.header.Get("Retry-After") != "40" {
		t.Errorf("%v %s", a.header, a.body)
	}
	b.clock.Advance(40 * time.Second) // to full, and a 429 has cost nothing
	for range 3 {
		b.message(b.phone.Token, "", 200)
	}
	b.message(b.phone.Token, "", 429)
	if b.emu.MaxInWindow("demo", time.Minute) != 4 || b.emu.MaxInWindow("demo", time.Second) != 3 || b.emu.MaxInWindow("nowhere", time.Second) != 0 {
		t.Errorf("%d in a minute, %d in a second", b.emu.MaxInWindow("demo", time.Minute), b.emu.MaxInWindow("demo", time.Second))
	}
	if n := b.emu.MaxArrivedInWindow("demo", time.Second); n != 4 {
		t.Errorf("%d arrived", n)
	}
}

func TestDeviceQuota(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{Limits: fcm.Limits{DevicePerMinute: 2, DevicePerHour: 3}})
	other, ios := b.register(fcm.Device{}), b.register(fcm.Device{Platform: fcm.IOS})
	b.message(b.phone.Token, "", 200)
	b.message(b.phone.Token, "", 200)
	a := b.message(b.phone.Token, "", 429)
	if code(a) != "QUOTA_EXCEEDED" || a.header.Get("Retry-After") != "60" {
		t.Errorf("%v %s", a.header, a.body)
	}
	if v := at(detail(a, "google.rpc.QuotaFailure"), "violations", 0, "description"); v != "Device message rate exceeded" {
		t.Errorf("%s", a.body)
	}
	b.message(other.Token, "", 200)
	for range 3 {
		b.message(ios.Token, "", 200)
	}
	b.clock.Advance(time.Minute)
	b.message(b.phone.Token, "", 200)
	if a := b.message(b.phone.Token, "", 429); a.header.Get("Retry-After") != "3540" {
		t.Errorf("%v", a.header)
	}
}

func TestCollapsible(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{})
	key := `"android":{"collapseKey":"k"}`
	for range 20 {
		b.message(b.phone.Token, key, 200)
	}
	if a := b.message(b.phone.Token, key, 429); a.header.Get("Retry-After") != "180" {
		t.Errorf("%v", a.header)
	}
	b.message(b.phone.Token, "", 200)
	b.clock.Advance(3 * time.Minute)
	b.message(b.phone.Token, key, 200)
	b.message(b.phone.Token, key, 429)
}

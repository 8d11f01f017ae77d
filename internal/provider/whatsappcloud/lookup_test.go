package whatsappcloud_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	emulator "peal/emulator/whatsappcloud"
	"peal/internal/peal"
	"peal/internal/provider"
)

func TestLookup(t *testing.T) {
	t.Parallel()
	emu, c := open(t, emulator.Options{})
	out := c.Send(t.Context(), hello(phone))
	if ev, err := c.Lookup(t.Context(), out.MessageID); err != nil || ev.Status != "" || ev.MessageID != out.MessageID {
		t.Errorf("of one that has no status yet: %+v, %v", ev, err)
	}
	for _, k := range []struct {
		play string
		code int
		want peal.Status
	}{{"sent", 0, peal.Sent}, {"read", 0, peal.Read}, {"delivered", 0, peal.Read}, {"failed", 131026, peal.Read}} {
		if err := emu.PlayStatus(out.MessageID, k.play, k.code); err != nil {
			t.Fatal(err)
		}
		if err := emu.Idle(t.Context()); err != nil {
			t.Fatal(err)
		}
		ev, err := c.Lookup(t.Context(), out.MessageID)
		if err != nil || ev.Status != k.want || ev.At.IsZero() || time.Since(ev.At) > time.Hour {
			t.Errorf("after %s: %+v, %v", k.play, ev, err)
		}
	}
	var e *provider.Error
	if _, err := c.Lookup(t.Context(), "wamid.other"); !errors.As(err, &e) || e.Class != peal.ClassPermanent {
		t.Errorf("of a stranger: %v", err)
	}
	if _, err := emu.AddFault(emulator.Fault{Kind: emulator.FaultError, Code: 190, Route: "*"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Lookup(t.Context(), out.MessageID); !errors.As(err, &e) || e.Class != peal.ClassIntegration || e.Code != "190" {
		t.Errorf("with an expired token: %v", err)
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	emu, c := open(t, emulator.Options{})
	if h := c.Probe(t.Context()); !h.OK || h.State != "connected" || h.Reason != "" {
		t.Errorf("got %+v", h)
	}
	if err := emu.UpdateAccount("", func(a *emulator.Account) { a.Locked = true }); err != nil {
		t.Fatal(err)
	}
	if h := c.Probe(t.Context()); h.OK || h.State != "banned" || h.Reason == "" {
		t.Errorf("locked: got %+v", h)
	}
	if err := emu.UpdateAccount("", func(a *emulator.Account) { a.Locked, a.Expired = false, true }); err != nil {
		t.Fatal(err)
	}
	if h := c.Probe(t.Context()); h.OK || h.Reason == "" {
		t.Errorf("expired: got %+v", h)
	}
}

// TestDeadVersion: a version that is over pauses with a word on what to do; Meta's own text says which.
func TestDeadVersion(t *testing.T) {
	t.Parallel()
	_, c := open(t, emulator.Options{}, func(in *peal.Integration) {
		in.Settings = []byte(strings.Replace(settings, `{"phone`, `{"graph_version":"v20.0","phone`, 1))
	})
	out := c.Send(t.Context(), hello(phone))
	if out.Class != peal.ClassIntegration || out.Pause != peal.PauseBlocked || out.Code != "2635" {
		t.Errorf("got %+v", out)
	}
}

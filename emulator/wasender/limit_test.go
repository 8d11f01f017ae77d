package wasender_test

import (
	"strconv"
	"testing"
	"time"

	"peal/emulator/wasender"
)

func (b *bundle) refused(wait int, message string) {
	b.Helper()
	a := b.send(`{"to":"`+phone+`","text":"x"}`, 429)
	if _, ok := a.json["success"]; ok {
		b.Errorf("a 429 has a success key: %s", a.body)
	}
	if a.json["retry_after"] != float64(wait) || (message != "" && a.json["message"] != message) {
		b.Errorf("429 %s, want retry_after %d", a.body, wait)
	}
	if a.header.Get("X-RateLimit-Remaining") != "0" {
		b.Errorf("remaining %s, want 0", a.header.Get("X-RateLimit-Remaining"))
	}
}

func TestTrialLimit(t *testing.T) {
	t.Parallel()
	clk := newClock()
	b := setup(t, wasender.Options{Now: clk.Now, Sessions: []wasender.Session{{Plan: wasender.PlanTrial}}})
	b.text("1")
	b.refused(60, "You are on a free trial. You can only send 1 message every 1 minute.")
	clk.Advance(59*time.Second + 100*time.Millisecond)
	b.refused(1, "")
	clk.Advance(900 * time.Millisecond)
	b.text("2")
	if c := b.emu.Counts(); c.RateLimited != 2 || c.Accepted != 2 {
		t.Errorf("counts %+v", c)
	}
}

func TestPaidLimit(t *testing.T) {
	t.Parallel()
	clk := newClock()
	b := setup(t, wasender.Options{Now: clk.Now, Sessions: []wasender.Session{{Plan: wasender.PlanPaid}}})
	for range 256 {
		b.text("x")
	}
	b.refused(60, "")
	clk.Advance(time.Minute)
	a := b.send(`{"to":"`+phone+`","text":"x"}`, 200)
	if a.header.Get("X-RateLimit-Limit") != "256" || a.header.Get("X-RateLimit-Remaining") != "255" {
		t.Errorf("headers %v", a.header)
	}
}

func TestAccountProtectionOverridesPlan(t *testing.T) {
	t.Parallel()
	for _, plan := range []wasender.Plan{wasender.PlanTrial, wasender.PlanPaid, wasender.PlanUnlimited} {
		t.Run(string(plan), func(t *testing.T) {
			t.Parallel()
			clk := newClock()
			b := setup(t, wasender.Options{Now: clk.Now, Sessions: []wasender.Session{{Plan: plan, AccountProtection: true}}})
			b.text("1")
			b.refused(5, "")
			clk.Advance(5 * time.Second)
			b.text("2")
		})
	}
}

func TestCustomLimitSlides(t *testing.T) {
	t.Parallel()
	clk := newClock()
	b := setup(t, wasender.Options{Now: clk.Now, Sessions: []wasender.Session{{
		AccountProtection: true, // overridden
		Limit:             wasender.Limit{Requests: 2, Period: time.Second},
	}}})
	b.text("at 0")
	clk.Advance(600 * time.Millisecond)
	b.text("at 600")
	b.refused(1, "")
	clk.Advance(400 * time.Millisecond)
	b.text("at 1000: the first has left")
	b.refused(1, "")
	clk.Advance(599 * time.Millisecond)
	b.refused(1, "")
	clk.Advance(time.Millisecond)
	b.text("at 1600")
	for d, want := range map[time.Duration]int{time.Second: 2, 401 * time.Millisecond: 2, 400 * time.Millisecond: 1, 2 * time.Second: 4, 0: 0} {
		if got := b.emu.MaxInWindow(1, d); got != want {
			t.Errorf("MaxInWindow(%s) = %d, want %d", d, got, want)
		}
	}
	if got := b.emu.MaxArrivedInWindow(1, time.Second); got != 5 {
		t.Errorf("MaxArrivedInWindow = %d, want 5", got) // at 600 (2), 1000 (2), 1599
	}
	if b.emu.MaxInWindow(9, time.Second) != 0 {
		t.Error("an unknown session has a mark")
	}
}

func TestChangedLimitStartsAnew(t *testing.T) {
	t.Parallel()
	clk := newClock()
	b := setup(t, wasender.Options{Now: clk.Now, Sessions: []wasender.Session{{Plan: wasender.PlanTrial}}})
	b.text("1")
	b.refused(60, "")
	if _, err := b.emu.UpdateSession(1, func(c *wasender.Session) { c.Plan = wasender.PlanUnlimited }); err != nil {
		t.Fatal(err)
	}
	b.text("2")
	b.text("3")
}

func TestResetHeader(t *testing.T) {
	t.Parallel()
	for _, inSeconds := range []bool{false, true} {
		clk := newClock()
		b := setup(t, wasender.Options{Now: clk.Now, Sessions: []wasender.Session{{
			Plan: wasender.PlanTrial, ResetInSeconds: inSeconds,
		}}})
		b.text("1")
		clk.Advance(20 * time.Second)
		want := clk.Now().Unix() + 40
		if inSeconds {
			want = 40
		}
		// Every answer has the headers, not only those of sends.
		a := b.session("GET", "/status", "", 200)
		if got := a.header.Get("X-RateLimit-Reset"); got != strconv.FormatInt(want, 10) {
			t.Errorf("reset %s, want %d", got, want)
		}
	}
}

func TestMaxInWindowKeepsTheLastTimes(t *testing.T) {
	t.Parallel()
	clk := newClock()
	b := setup(t, wasender.Options{Now: clk.Now, KeepTimes: 2})
	for range 4 {
		b.text("x")
	}
	if got := b.emu.MaxInWindow(1, time.Second); got != 2 {
		t.Errorf("got %d, want the 2 that are kept", got)
	}
}

func TestNumberCheckLimit(t *testing.T) {
	t.Parallel()
	clk := newClock()
	b := setup(t, wasender.Options{Now: clk.Now, NotOnWhatsApp: []string{"+4900000001"}})
	if a := b.session("GET", "/on-whatsapp/%2B4900000001", "", 200); at(a.json, "data", "exists") != false {
		t.Errorf("absent: %s", a.body)
	}
	for range 59 {
		if a := b.session("GET", "/on-whatsapp/+4915112345678", "", 200); at(a.json, "data", "exists") != true {
			t.Errorf("present: %s", a.body)
		}
	}
	if a := b.session("GET", "/on-whatsapp/+4915112345678", "", 429); a.json["retry_after"] != float64(60) {
		t.Errorf("429: %s", a.body)
	}
	clk.Advance(time.Minute)
	b.session("GET", "/on-whatsapp/+4915112345678", "", 200)
	b.text("number checks use up no sends")
}

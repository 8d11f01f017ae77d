package send

import (
	"fmt"
	"testing"
	"time"

	"peal/internal/peal"
)

func TestQuiet(t *testing.T) {
	t.Parallel()
	c := &setClock{at: time.Now()}
	q := newQuiet(c.now, func() float64 { return 0 })
	a := quietKey(&peal.Delivery{Recipient: "a"}, peal.QuietRecipient)
	group := quietKey(nil, "a") // which is not the recipient of the same name
	if got := q.begin(a, time.Minute, peal.Growth{}); got != time.Minute {
		t.Errorf("it waits %v, and was to wait a minute", got)
	}
	if wait := q.wait([]string{group, "recipient b"}); wait != 0 {
		t.Errorf("others wait %v", wait)
	}
	if wait := q.wait([]string{"recipient b", a}); wait != time.Minute {
		t.Errorf("it waits %v", wait)
	}
	q.over([]string{a}) // of a call that was in the air
	if wait := q.wait([]string{a}); wait != time.Minute {
		t.Errorf("then it waits %v", wait)
	}
	c.at = c.at.Add(time.Minute)
	if wait := q.wait([]string{a}); wait != 0 {
		t.Errorf("after its time it waits %v", wait)
	}
	if q.over([]string{a}); !q.none() {
		t.Error("it is remembered for ever")
	}
}

// TestQuietGrows: without a wish of the provider's, each time is longer than the one before, up to a bound.
func TestQuietGrows(t *testing.T) {
	t.Parallel()
	c := &setClock{at: time.Now()}
	q := newQuiet(c.now, func() float64 { return 0 })
	for _, want := range []time.Duration{time.Second, 3 * time.Second, 9 * time.Second, 27 * time.Second, 81 * time.Second, 243 * time.Second, 300 * time.Second} {
		got := q.begin("k", 0, peal.Growth{})
		if got != want || q.begin("k", 0, peal.Growth{}) != want { // the second was in the air with the first
			t.Errorf("it waits %v, want %v", got, want)
		}
		c.at = c.at.Add(got)
	}
	pair := peal.Growth{Base: 6 * time.Second, Most: time.Hour, Factor: 4} // as Meta wants it of a pair
	for _, want := range []time.Duration{6 * time.Second, 24 * time.Second, 96 * time.Second, 384 * time.Second, 1536 * time.Second, time.Hour, time.Hour} {
		if got := q.begin("pair", 0, pair); got != want {
			t.Errorf("a pair waits %v, want %v", got, want)
		}
		c.at = c.at.Add(want)
	}
	if got := q.begin("k", 1<<62, peal.Growth{}); got != maxQuietTime {
		t.Errorf("nonsense silences it for %v", got)
	}
	if q.of(2); !q.none() {
		t.Error("a changed integration is silent still")
	}
}

func TestQuietIsBounded(t *testing.T) {
	t.Parallel()
	c := &setClock{at: time.Now()}
	q := newQuiet(c.now, func() float64 { return 0 })
	for i := range 3 * maxQuiet {
		if got := q.begin(fmt.Sprint(i), time.Minute, peal.Growth{}); got != time.Minute {
			t.Fatalf("number %d waits %v", i, got)
		}
	}
	if n := len(q.all); n != maxQuiet {
		t.Errorf("%d are remembered", n)
	}
	c.at = c.at.Add(time.Minute)
	q.begin("one more", time.Minute, peal.Growth{})
	if n := len(q.all); n != 1 {
		t.Errorf("%d are remembered after their time", n)
	}
}

func TestFatesAreBoundedAndOfOneRegistration(t *testing.T) {
	t.Parallel()
	c := &setClock{at: time.Now()}
	f := newFates(c.now)
	device := func(i int) *peal.Device {
		return &peal.Device{Kind: peal.DeviceAPNs, Address: fmt.Sprint(i), RegisteredAt: c.at}
	}
	for i := range 2 * maxFates {
		f.add(device(i), "gone")
	}
	if n := len(f.all); n != maxFates {
		t.Errorf("%d are remembered", n)
	}
	d := device(0)
	if reason, dead := f.dead(d); !dead || reason != "gone" {
		t.Errorf("it is dead: %v, %q", dead, reason)
	}
	d.RegisteredAt = d.RegisteredAt.Add(time.Microsecond)
	if _, dead := f.dead(d); dead {
		t.Error("one that registered since is dead")
	}
	c.at = c.at.Add(fateTime + 1)
	d = device(1)
	if _, dead := f.dead(&peal.Device{Kind: d.Kind, Address: d.Address, RegisteredAt: d.RegisteredAt.Add(-time.Hour)}); dead {
		t.Error("it is remembered for ever")
	}
	f.add(d, "gone")
	if n := len(f.all); n != 1 {
		t.Errorf("%d are remembered after their time", n)
	}
}

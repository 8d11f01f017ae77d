package webpush

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	emulator "peal/emulator/webpush"
	"peal/internal/peal"
)

const (
	one     = "https://one.example.com"
	another = "https://another.example.com"
)

func testOrigins(t testing.TB, places int) *origins {
	t.Helper()
	key, err := parseKey(testKey)
	if err != nil {
		t.Fatal(err)
	}
	return newOrigins(newSigner(key, "mailto:ops@example.com"), places)
}

func (o *origins) mustEnter(t testing.TB, name string) {
	t.Helper()
	if _, out := o.enter(t.Context(), name); out != nil {
		t.Fatalf("%s: %+v", name, out)
	}
}

func (o *origins) mustRefuse(t testing.TB, name, code string, wait time.Duration) {
	t.Helper()
	_, out := o.enter(t.Context(), name)
	if out == nil || out.Class != peal.ClassThrottled || out.Code != code || out.RetryAfter != wait || out.Quiet != "origin:"+name || out.Pause == "" {
		t.Fatalf("%s: got %+v, want %s for %s", name, out, code, wait)
	}
}

func TestOriginsThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := testOrigins(t, 32)
		fail := func() { o.mustEnter(t, one); o.leave(one, unanswered, time.Second) }
		for range breakAfter - 1 {
			fail()
		}
		o.mustEnter(t, one)
		o.leave(one, answered, time.Second) // it does answer: counted anew
		for range breakAfter {
			fail()
		}
		o.mustRefuse(t, one, codeDown, breakFor)
		o.mustEnter(t, another)
		time.Sleep(breakFor)
		o.mustEnter(t, one) // one tries it
		o.mustRefuse(t, one, codeDown, trialWait)
		o.leave(one, unanswered, time.Second)
		o.mustRefuse(t, one, codeDown, breakFor)
		time.Sleep(breakFor)
		o.mustEnter(t, one)
		o.leave(one, welcome, time.Second)
		o.mustEnter(t, one)
		o.mustEnter(t, one)
	})
}

func TestCallsGivenUpSayNothing(t *testing.T) {
	t.Parallel()
	o := testOrigins(t, 32)
	for range 3 * breakAfter {
		o.mustEnter(t, one)
		o.leave(one, untold, time.Second)
	}
	o.mustEnter(t, one)
}

func TestSlowOriginsGetAShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := testOrigins(t, 32)
		for range 8 {
			o.mustEnter(t, one) // it has not shown what it is
		}
		start := time.Now()
		o.mustRefuse(t, one, codeBusy, crowded)
		if waited := time.Since(start); waited != patience {
			t.Errorf("it waited %s for a place", waited)
		}
		for range 8 {
			o.mustEnter(t, another) // which has its own
		}
		o.leave(one, welcome, 3*time.Second) // slow
		o.mustEnter(t, one)
		o.mustRefuse(t, one, codeBusy, crowded)
		o.leave(one, welcome, 50*time.Millisecond) // quick
		for range 24 {
			o.mustEnter(t, one)
		}
		time.Sleep(stalled) // and then it stands still
		o.mustRefuse(t, one, codeBusy, crowded)
	})
}

func TestWaitingForAPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := testOrigins(t, 32)
		for range 8 {
			o.mustEnter(t, one)
		}
		got := make(chan *peal.Outcome)
		for range 20 {
			go func() { _, out := o.enter(t.Context(), one); got <- out }()
		}
		synctest.Wait()
		o.leave(one, welcome, 50*time.Millisecond)
		for range 20 {
			if out := <-got; out != nil {
				t.Errorf("got %+v", out)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		o := testOrigins(t, 32)
		for range 8 {
			o.mustEnter(t, one)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, out := o.enter(ctx, one); out == nil || out.Code != codeBusy {
			t.Errorf("got %+v", out)
		}
	})
}

func TestOriginsAreForgotten(t *testing.T) {
	t.Parallel()
	o := testOrigins(t, 32)
	o.mustEnter(t, one) // in flight: it stays
	for i := range maxOrigins + 100 {
		name := fmt.Sprintf("https://%d.example.com", i)
		o.mustEnter(t, name)
		o.leave(name, welcome, time.Millisecond)
	}
	if len(o.all) != maxOrigins || o.recent.Len() != maxOrigins || o.all[one] == nil {
		t.Errorf("%d are remembered", len(o.all))
	}
	o.leave(one, welcome, time.Millisecond)
}

func TestWhoseFaultARefusalIs(t *testing.T) {
	t.Parallel()
	o := testOrigins(t, 32)
	call := func(name string, f fate) standing { o.mustEnter(t, name); return o.leave(name, f, time.Millisecond) }
	call(another, welcome)
	for range 2 * window { // whoever has a push server of his own cannot pause the integration
		if got := call(one, unwelcome); got != trusted {
			t.Fatalf("got %d, though another origin takes our key", got)
		}
	}
	o.all[another].welcomed = time.Now().Add(-2 * provenIn)
	if got := call(one, unwelcome); got != rejected {
		t.Errorf("got %d after the other's word is old", got)
	}
	for range window / 2 {
		call(one, welcome)
	}
	if got := call(one, unwelcome); got != trusted {
		t.Errorf("got %d, though half of the last are taken", got)
	}
}

func TestTokensAreKept(t *testing.T) {
	t.Parallel()
	b := setup(t, emulator.Options{})
	d := b.subscribe(t)
	send := func(want int64) {
		t.Helper()
		for range 5 {
			if out := b.client.Send(t.Context(), message(d)); out.Class != peal.ClassAccepted {
				t.Fatalf("got %+v", out)
			}
		}
		if got := b.emu.Counts().Signatures; got != want {
			t.Errorf("%d tokens were made, want %d", got, want)
		}
	}
	send(1)
	b.now = b.now.Add(tokenUse - time.Second)
	send(1)
	b.now = b.now.Add(time.Second)
	send(2)
}

func TestCallsToASilentOrigin(t *testing.T) {
	t.Parallel()
	b := setup(t, emulator.Options{})
	d := b.subscribe(t)
	b.fault(t, emulator.Fault{Kind: emulator.FaultDropBefore, Every: true})
	for range breakAfter {
		if out := b.client.Send(t.Context(), message(d)); out.Class != peal.ClassUnknown {
			t.Errorf("got %+v", out)
		}
	}
	out := b.client.Send(t.Context(), message(d))
	if out.Class != peal.ClassThrottled || out.Code != codeDown || out.Quiet != b.client.Groups(message(d))[0] {
		t.Errorf("got %+v", out)
	}
	if got := b.emu.Counts().Arrived; got != breakAfter {
		t.Errorf("%d calls arrived", got)
	}
}

package send_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/store"
)

func pushing(c *carrier) { c.channel, c.mayDouble = peal.ChannelPush, true }

// device registers one, of the user "u".
func (b *bundle) device(id string, change ...func(*peal.Device)) peal.Device {
	b.Helper()
	d := peal.Device{
		TenantID: "a", UserID: "u", ID: id, Kind: peal.DeviceFCMToken, Address: "token-" + id, Platform: "android", Permission: peal.Granted,
	}
	for _, f := range change {
		f(&d)
	}
	d, err := b.store.PutDevice(b.Context(), d)
	if err != nil {
		b.Fatal(err)
	}
	return d
}

func (b *bundle) known(id string) peal.Device {
	b.Helper()
	d, err := b.store.Device(b.Context(), "a", id)
	if err != nil {
		b.Fatal(err)
	}
	return d
}

// to makes deliveries pushes to a device of the user "u".
func to(id string) func(*peal.Delivery) {
	return func(d *peal.Delivery) { d.Recipient, d.UserID, d.Payload = id, "u", []byte(`{"push":{"body":"x"}}`) }
}

func TestAPushKnowsItsDevice(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited(), pushing)
	var got atomic.Pointer[provider.Message]
	b.carrier.answer = func(m *provider.Message, nth int) peal.Outcome {
		got.Store(m)
		return accepted(m, nth)
	}
	b.device("phone")
	until := time.Now().Add(time.Hour).Truncate(time.Microsecond)
	d := b.accept(1, to("phone"), func(d *peal.Delivery) { d.Priority, d.ExpiresAt = peal.Critical, until })[0]
	now := b.device("phone", func(d *peal.Device) { d.Address = "another-token" }) // after it was accepted
	b.publish(d)
	b.run()
	b.reaches(peal.Sent, d)
	m := got.Load()
	if m.To != "phone" || m.Device == nil || m.Device.Address != now.Address || m.Priority != peal.Critical || !m.ExpiresAt.Equal(until) || !m.From.Equal(d.CreatedAt.Truncate(time.Microsecond)) {
		t.Errorf("the client was given %+v with %+v", m, m.Device)
	}
	b.eventually("it is written that the device is well", func() bool { return !b.known("phone").LastOKAt.IsZero() })
}

func TestWhomNoPushIsToReachAnyMore(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited(), pushing, func(c *carrier) { c.reaches = []peal.DeviceKind{peal.DeviceFCMToken} })
	want := map[string]peal.Delivery{}
	for _, code := range []string{peal.SkipDeviceGone, peal.SkipDeviceMoved, peal.SkipDeviceRetired, peal.SkipPermissionDenied, peal.SkipDeviceChanged} {
		b.device(code)
		want[code] = b.accept(1, to(code))[0]
	}
	b.device(peal.SkipDeviceMoved, func(d *peal.Device) { d.UserID = "another" })
	b.device(peal.SkipPermissionDenied, func(d *peal.Device) { d.Permission = peal.Denied })
	b.device(peal.SkipDeviceChanged, func(d *peal.Device) { d.Kind = peal.DeviceAPNs }) // it would look dead to the other one
	if err := b.store.DeleteDevice(t.Context(), "a", "u", peal.SkipDeviceGone); err != nil {
		t.Fatal(err)
	}
	retired := b.known(peal.SkipDeviceRetired)
	if _, err := b.store.RetireDevices(t.Context(), []peal.Retirement{{
		TenantID: "a", DeviceID: retired.ID, Kind: retired.Kind, Address: retired.Address, Verdict: peal.DeviceDead, Reason: "UNREGISTERED", At: time.Now(),
	}}); err != nil {
		t.Fatal(err)
	}
	b.run()
	for code, d := range want {
		b.publish(d)
		b.reaches(peal.Skipped, d)
		b.called(0, d)
		if got := b.delivery(d.ID); got.ErrorCode != code || got.ErrorReason == "" || got.Attempts != 0 || got.EndedAt.IsZero() {
			t.Errorf("%s: it ended as %+v", code, got)
		}
	}
}

// TestADeadDeviceIsCalledOnce: what else is queued for it, in hand or not, is not sent.
func TestADeadDeviceIsCalledOnce(t *testing.T) {
	t.Parallel()
	s := unlimited()
	s.Concurrency = 1
	b := setup(t, s, pushing)
	b.carrier.answer = func(m *provider.Message, nth int) peal.Outcome {
		if m.To == "dead" {
			return peal.Outcome{Class: peal.ClassGone, Code: "UNREGISTERED"} // that the device is dead goes without saying
		}
		return accepted(m, nth)
	}
	b.device("dead")
	b.device("alive")
	rows := b.send(40, to("dead"))
	more := b.send(5, to("alive"))
	b.run()
	b.reaches(peal.Sent, more...)
	failed, calls := 0, 0
	for _, d := range rows {
		b.eventually("its end", func() bool { return !b.delivery(d.ID).Status.InFlight() })
		calls += b.carrier.count(d.ID)
		switch got := b.delivery(d.ID); {
		case got.Status == peal.Failed && got.ErrorCode == "UNREGISTERED":
			failed++
		case got.Status != peal.Skipped || got.ErrorCode != peal.SkipDeviceRetired:
			t.Errorf("one ended as %s, %s", got.Status, got.ErrorCode)
		}
	}
	if failed != 1 || calls != 1 {
		t.Errorf("%d failed and %d calls were made, want 1 and 1", failed, calls)
	}
	if d := b.known("dead"); d.State != peal.DeviceRetired || d.RetiredReason != "UNREGISTERED" {
		t.Errorf("the device is %+v", d)
	}
	b.device("dead", func(d *peal.Device) { d.Address = "new" }) // its app is installed again
	b.carrier.answer = accepted
	b.reaches(peal.Sent, b.send(1, to("dead"))...)
}

// TestOnlyWhatWasCalledIsRetired: an app that registers during the call, with the address that it had, was not judged.
func TestOnlyWhatWasCalledIsRetired(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited(), pushing)
	sandbox := func(d *peal.Device) { d.Kind, d.Environment = peal.DeviceAPNs, peal.Sandbox }
	for name, dead := range map[string]time.Time{"no time": {}, "a time": time.Now().Add(time.Minute)} {
		b.device(name, sandbox)
		b.carrier.answer = func(*provider.Message, int) peal.Outcome {
			b.device(name, sandbox, func(d *peal.Device) { d.Environment = peal.Production })
			return peal.Outcome{Class: peal.ClassGone, Code: "BadDeviceToken", Device: peal.DeviceWord{Verdict: peal.DeviceDead, Dead: dead}}
		}
		d := b.send(1, to(name))[0]
		stop := b.run()
		b.reaches(peal.Failed, d)
		stop()
		if got := b.known(name); got.State != peal.DeviceActive {
			t.Errorf("%s: the device is %s (%s)", name, got.State, got.RetiredReason)
		}
	}
}

func TestWhatAProviderSaysOfDevices(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited(), pushing)
	var mu sync.Mutex
	said := map[string]peal.Outcome{}
	b.carrier.answer = func(m *provider.Message, nth int) peal.Outcome {
		mu.Lock()
		defer mu.Unlock()
		if o, ok := said[m.To]; ok {
			return o
		}
		return accepted(m, nth)
	}
	b.run()
	for name, c := range map[string]struct {
		o      peal.Outcome
		status peal.Status
		state  peal.DeviceState
	}{
		"doubts":           {peal.Outcome{Class: peal.ClassPermanent, Code: "c", Device: peal.DeviceWord{Verdict: peal.DeviceDoubts}}, peal.Failed, peal.DeviceSuspect},
		"dead":             {peal.Outcome{Class: peal.ClassPermanent, Code: "c", Device: peal.DeviceWord{Verdict: peal.DeviceDead}}, peal.Failed, peal.DeviceRetired},
		"dead before":      {peal.Outcome{Class: peal.ClassGone, Code: "c", Device: peal.DeviceWord{Verdict: peal.DeviceDead, Dead: time.Now().Add(-time.Hour)}}, peal.Failed, peal.DeviceActive},
		"nothing":          {peal.Outcome{Class: peal.ClassPermanent, Code: "c"}, peal.Failed, peal.DeviceActive},
		"a verdict of air": {peal.Outcome{Class: peal.ClassPermanent, Code: "c", Device: peal.DeviceWord{Verdict: "hm"}}, peal.Failed, peal.DeviceActive},
		"a class of air":   {peal.Outcome{Class: "hm", RetryAfter: -1, Quiet: "hm", Pause: "hm"}, peal.Failed, peal.DeviceActive},
	} {
		mu.Lock()
		said[name] = c.o
		mu.Unlock()
		b.device(name)
		d := b.send(1, to(name))[0]
		want := c.status
		if c.o.Class == "hm" {
			want = peal.Uncertain
		}
		b.reaches(want, d)
		if got := b.known(name); got.State != c.state {
			t.Errorf("%s: the device is %s, want %s", name, got.State, c.state)
		}
	}
	mu.Lock()
	clear(said)
	mu.Unlock()
	b.reaches(peal.Sent, b.send(1, to("doubts"))...)
	b.eventually("it is active again", func() bool { return b.known("doubts").State == peal.DeviceActive })
}

// away is a store whose devices are away for a while.
type away struct {
	*store.Store
	calls atomic.Int32
}

func (a *away) Devices(ctx context.Context, tenantID string, ids []string) ([]peal.Device, error) {
	if a.calls.Add(1) == 1 {
		return nil, peal.Errorf(peal.Unavailable, "away")
	}
	return a.Store.Devices(ctx, tenantID, ids)
}

func TestWhileNobodyKnowsTheDevicesTheyWait(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited(), pushing)
	b.devices = &away{Store: b.store}
	b.device("phone")
	b.run()
	d := b.send(1, to("phone"))[0]
	b.eventually("it waits", func() bool { got := b.delivery(d.ID); return got.Status == peal.Queued && !got.DueAt.IsZero() })
	if n := b.delivery(d.ID).Attempts; n != 0 {
		t.Errorf("%d attempts are used up", n)
	}
	b.reaches(peal.Sent, d)
	b.called(1, d)
}

// TestOnlyTheRecipientWaits: a provider that wants one device left in peace stops nobody else, nor the integration.
func TestOnlyTheRecipientWaits(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited(), pushing)
	b.carrier.answer = func(m *provider.Message, nth int) peal.Outcome {
		if m.To == "slow" {
			return peal.Outcome{Class: peal.ClassThrottled, Code: "429", Quiet: peal.QuietRecipient, RetryAfter: time.Hour}
		}
		return accepted(m, nth)
	}
	b.device("slow")
	b.device("quick")
	b.run()
	first := b.send(1, to("slow"))[0]
	waits := func(d peal.Delivery) {
		b.eventually("it waits", func() bool {
			got := b.delivery(d.ID)
			return got.Status == peal.Queued && time.Until(got.DueAt) > 50*time.Minute && got.Attempts == 0
		})
	}
	waits(first)
	rest := b.send(3, to("slow"))
	b.reaches(peal.Sent, b.send(10, to("quick"))...)
	for _, d := range rest {
		waits(d)
		if got := b.delivery(d.ID); got.ErrorCode != peal.CodeQuiet {
			t.Errorf("it waits for %q", got.ErrorCode)
		}
	}
	b.called(1, first)
	b.called(0, rest...)
	if in := b.service.ByID(b.in.ID); in.Pause != nil {
		t.Errorf("the integration pauses: %+v", in.Pause)
	}
}

// TestABudgetHoldsBackItsOwn: messages that a provider takes few of wait; the others to the same device, and to others, go.
func TestABudgetHoldsBackItsOwn(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited(), pushing, func(c *carrier) { c.budget = peal.Limit{Rate: 1, Period: time.Hour, Burst: 2} })
	b.device("phone")
	b.device("another")
	b.run()
	keyed := func(d *peal.Delivery) { d.Payload = []byte(`{"push":{"body":"x","collapse_key":"k"}}`) }
	rows := b.send(5, to("phone"), keyed)
	b.reaches(peal.Sent, b.send(5, to("phone"))...)
	b.reaches(peal.Sent, b.send(2, to("another"), keyed)...)
	sent, waiting := 0, 0
	b.eventually("all are sent, or wait", func() bool {
		sent, waiting = 0, 0
		for _, d := range rows {
			switch got := b.delivery(d.ID); {
			case got.Status == peal.Sent:
				sent++
			case got.ErrorCode == peal.CodeRecipientLimit && time.Until(got.DueAt) > 50*time.Minute:
				waiting++
			}
		}
		return sent+waiting == len(rows)
	})
	if sent != 2 {
		t.Errorf("%d were sent, and %d wait", sent, waiting)
	}
}

// TestOnlyTheGroupWaits: the same of a group that the client names.
func TestOnlyTheGroupWaits(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited(), pushing, func(c *carrier) { c.groups = []string{"host"} })
	var once atomic.Bool
	b.carrier.answer = func(m *provider.Message, nth int) peal.Outcome {
		if once.CompareAndSwap(false, true) {
			return peal.Outcome{Class: peal.ClassThrottled, Quiet: "host", RetryAfter: 1500 * time.Millisecond}
		}
		return accepted(m, nth)
	}
	for i := range 4 {
		b.device(fmt.Sprint(i))
	}
	b.run()
	first := b.send(1, to("0"))[0]
	b.eventually("it waits", func() bool { return !b.delivery(first.ID).DueAt.IsZero() })
	start := time.Now()
	var rows []peal.Delivery
	for i := range 3 {
		rows = append(rows, b.send(1, to(fmt.Sprint(i+1)))...)
	}
	b.reaches(peal.Sent, append(rows, first)...)
	if took := time.Since(start); took < time.Second {
		t.Errorf("the group was left in peace for %v", took)
	}
	b.called(1, rows...)
	b.called(2, first)
}

// TestIntent: an intent is written unless a repeat does no harm by the word of both, the kind and the integration.
func TestIntent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mayDouble bool
		policy    string
		during    peal.Status
	}{
		{true, "resend", peal.Queued}, {true, "hold", peal.Sending}, {false, "resend", peal.Sending}, {false, "hold", peal.Sending},
	} {
		s := unlimited()
		s.OnUnknown = c.policy
		b := setup(t, s, func(k *carrier) { k.mayDouble = c.mayDouble })
		during := make(chan peal.Status, 1)
		b.carrier.answer = func(m *provider.Message, nth int) peal.Outcome {
			d, _, err := b.store.Delivery(context.Background(), "a", m.DeliveryID)
			if err != nil {
				t.Error(err)
				return accepted(m, nth)
			}
			during <- d.Status
			return accepted(m, nth)
		}
		b.run()
		d := b.send(1)[0]
		if got := <-during; got != c.during {
			t.Errorf("%+v: it is %s during the call", c, got)
		}
		b.reaches(peal.Sent, d)
	}
}

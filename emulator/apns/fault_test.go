package apns_test

import (
	"strings"
	"testing"
	"time"

	"peal/emulator/apns"
)

func TestEveryReasonOnRequest(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{})
	if len(apns.Reasons()) < 35 {
		t.Fatalf("only %d reasons", len(apns.Reasons()))
	}
	for _, reason := range apns.Reasons() {
		b.fault(apns.Fault{Kind: apns.FaultReason, Reason: reason})
		if a := b.send(reason); (a.Timestamp != 0) != (a.status == 410) {
			t.Errorf("%s: timestamp %d", reason, a.Timestamp)
		}
	}
	b.send("200")
	if c := b.emu.Counts(); c.Accepted != 1 || c.Shown != 1 || c.ByReason["Shutdown"] != 1 {
		t.Errorf("counts %+v", c)
	}
}

func TestFaultsSayWhen(t *testing.T) {
	t.Parallel()
	other := strings.Repeat("cd", 32)
	b := setup(t, apns.Options{Devices: []apns.Device{{Token: token, Bundle: bundle}, {Token: other, Bundle: bundle}}})
	at := time.UnixMilli(1_799_999_999_123)
	b.fault(apns.Fault{Kind: apns.FaultReason, Reason: "Unregistered", Token: other, Timestamp: at, Every: true})
	b.send("200")
	for range 3 {
		if a := b.send("Unregistered", to(other)); a.Timestamp != at.UnixMilli() {
			t.Errorf("timestamp %d", a.Timestamp)
		}
	}
	b.emu.ClearFaults()
	b.send("200", to(other))
	id := b.fault(apns.Fault{Kind: apns.FaultReason, Reason: "ServiceUnavailable", Skip: 1, Times: 2, RetryAfter: "7"})
	b.send("200")
	if a := b.send("ServiceUnavailable"); a.header.Get("Retry-After") != "7" {
		t.Errorf("headers %v", a.header)
	}
	b.send("ServiceUnavailable")
	b.send("200")
	if f := b.emu.Faults(); len(f) != 1 || f[0].ID != id || f[0].Hits != 2 || !f[0].Done {
		t.Errorf("faults %+v", f)
	}
	b.fault(apns.Fault{Kind: apns.FaultReason, Status: 502, Body: "<html>"})
	if a, err := b.try(b.http); err != nil || a.status != 502 || a.body != "<html>" {
		t.Errorf("%+v %v", a, err)
	}
	b.fault(apns.Fault{Kind: apns.FaultReason, Status: 418, Reason: "Teapot", TakeFirst: true})
	before := b.emu.Counts().Shown
	if a, err := b.try(b.http); err != nil || a.status != 418 || a.Reason != "Teapot" || b.emu.Counts().Shown != before+1 {
		t.Errorf("%+v %v", a, err)
	}
}

func TestAnInvalidFaultIsNamed(t *testing.T) {
	t.Parallel()
	emu := apns.New(apns.Options{})
	for field, f := range map[string]apns.Fault{
		"kind":        {Kind: "quake"},
		"reason":      {Kind: apns.FaultReason, Reason: "Teapot"},
		"status":      {Kind: apns.FaultDrop, Status: 500},
		"body":        {Kind: apns.FaultReason, Body: "x"},
		"retry_after": {Kind: apns.FaultDrop, RetryAfter: "1"},
		"code":        {Kind: apns.FaultDrop, Code: 1},
		"delay":       {Kind: apns.FaultDelay},
		"times, skip": {Kind: apns.FaultDrop, Times: -1},
		"every":       {Kind: apns.FaultDrop, Every: true, Times: 1},
		"probability": {Kind: apns.FaultDrop, Probability: 2},
	} {
		if _, err := emu.AddFault(f); err == nil || !strings.HasPrefix(err.Error(), "fault: "+field+":") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestAHeldRequestIsReleased(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{})
	b.send("200")
	id := b.fault(apns.Fault{Kind: apns.FaultHold})
	got := make(chan answer)
	go func() {
		a, _ := b.try(b.http)
		got <- a
	}()
	waitFor(t, func() bool { return b.emu.Faults()[0].Hits == 1 })
	b.send("200") // passes it by
	if err := b.emu.RemoveFault(id); err != nil {
		t.Fatal(err)
	}
	if a := <-got; a.status != 200 {
		t.Errorf("answered %+v", a)
	}
	if err := b.emu.RemoveFault(id); err == nil {
		t.Error("removed twice")
	}
}

func TestASlowAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{})
	b.fault(apns.Fault{Kind: apns.FaultDelay, Delay: 30 * time.Millisecond})
	for _, latency := range []time.Duration{0, 30 * time.Millisecond} {
		b.emu.SetLatency(latency)
		start := time.Now()
		b.send("200")
		if took := time.Since(start); took < 30*time.Millisecond {
			t.Errorf("took %s", took)
		}
	}
}

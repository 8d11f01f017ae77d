package send_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/provider"
	"peal/internal/stream"
)

func TestEveryJobIsSentOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited())
	b.run()
	rows := b.send(400)
	b.publish(rows...) // whether it stands or not
	b.reaches(peal.Sent, rows...)
	b.called(1, rows...)
	if b.carrier.most > 16 {
		t.Errorf("%d calls were made at once; 16 may be", b.carrier.most)
	}
	if d := b.delivery(rows[0].ID); d.MessageID != "m-"+d.ID || d.Attempts != 1 {
		t.Errorf("sent as %+v", d)
	}
	b.publish(rows...) // jobs for rows that are done
	more := b.send(20)
	b.reaches(peal.Sent, more...)
	b.called(1, rows...)
}

// TestARetryBeforeItsTurn: the schedule of a rung's turn, which came before its time, does not stand in the way of its retry.
func TestARetryBeforeItsTurn(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited())
	b.carrier.answer = func(m *provider.Message, nth int) peal.Outcome {
		if nth == 1 {
			return peal.Outcome{Class: peal.ClassTemporary, Code: "http_500"}
		}
		return accepted(m, nth)
	}
	rows := b.accept(3, func(d *peal.Delivery) {
		d.Rung = &peal.Rung{Number: 1, Unless: peal.Delivered, At: d.CreatedAt.Add(time.Hour)}
	})
	planned := slices.Clone(rows)
	for i := range planned {
		planned[i].DueAt = planned[i].Rung.At
	}
	b.publish(planned...)
	b.publish(rows...)
	b.run()
	b.reaches(peal.Sent, rows...)
	b.called(2, rows...)
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited())
	outcomes := map[string]func(nth int) peal.Outcome{}
	var mu sync.Mutex
	b.carrier.answer = func(m *provider.Message, nth int) peal.Outcome {
		mu.Lock()
		f := outcomes[m.To]
		mu.Unlock()
		if f == nil {
			return accepted(m, nth)
		}
		return f(nth)
	}
	b.run()
	class := func(c peal.Class) func(int) peal.Outcome {
		return func(int) peal.Outcome { return peal.Outcome{Class: c, Code: "c"} }
	}
	for name, c := range map[string]struct {
		outcome func(nth int) peal.Outcome
		want    peal.Status
		calls   int
		check   func(*testing.T, *peal.Delivery)
	}{
		"permanent": {class(peal.ClassPermanent), peal.Failed, 1, func(t *testing.T, d *peal.Delivery) {
			if !d.DeadAt.IsZero() {
				t.Error("it is a dead letter")
			}
		}},
		"gone":    {class(peal.ClassGone), peal.Failed, 1, nil},
		"unknown": {class(peal.ClassUnknown), peal.Uncertain, 1, nil},
		"panic": {func(int) peal.Outcome { panic("a bug in a provider") }, peal.Uncertain, 1, func(t *testing.T, d *peal.Delivery) {
			if d.ErrorCode != "panic" {
				t.Errorf("its code is %s", d.ErrorCode)
			}
		}},
		"temporary once": {func(nth int) peal.Outcome {
			if nth == 1 {
				return peal.Outcome{Class: peal.ClassTemporary, Code: "http_500"}
			}
			return peal.Outcome{Class: peal.ClassAccepted, MessageID: "m"}
		}, peal.Sent, 2, func(t *testing.T, d *peal.Delivery) {
			if d.Attempts != 2 || d.ErrorCode != "" {
				t.Errorf("sent as %+v", d)
			}
		}},
	} {
		d := b.accept(1)[0]
		mu.Lock()
		outcomes[d.Recipient] = c.outcome
		mu.Unlock()
		t.Run(name, func(t *testing.T) {
			b.publish(d)
			b.reaches(c.want, d)
			if n := b.carrier.count(d.ID); n != c.calls {
				t.Errorf("%d calls, want %d", n, c.calls)
			}
			if c.check != nil {
				c.check(t, b.delivery(d.ID))
			}
		})
	}
}

func TestWhatMayNotBeSentIsNot(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited())
	later := b.accept(1, func(d *peal.Delivery) { d.DueAt = time.Now().Add(time.Hour) })[0]
	soon := b.accept(1, func(d *peal.Delivery) { d.DueAt = time.Now().Add(1500 * time.Millisecond) })[0]
	expired := b.accept(1, func(d *peal.Delivery) { d.ExpiresAt = time.Now().Add(-time.Second) })[0]
	canceled := b.accept(1)[0]
	if err := b.store.Cancel(t.Context(), "a", canceled.NotificationID); err != nil {
		t.Fatal(err)
	}
	interrupted := b.accept(1)[0] // its owner died in the middle of the call
	if _, err := b.store.Claim(t.Context(), b.in, []string{interrupted.ID}, true); err != nil {
		t.Fatal(err)
	}
	ghost := peal.Delivery{IntegrationID: b.in.ID, ID: peal.NewID()}
	broken := b.accept(1, func(d *peal.Delivery) { d.Payload = []byte(`{"text":`) })[0]
	for _, d := range []peal.Delivery{later, soon, expired, canceled, interrupted, ghost, broken} {
		d.DueAt = time.Time{} // whatever the rows say
		b.publish(d)
	}
	b.run()
	b.reaches(peal.Uncertain, interrupted)
	b.reaches(peal.Expired, expired)
	b.reaches(peal.Failed, broken)
	b.reaches(peal.Sent, soon)
	if at := b.carrier.times[0]; at.Before(soon.DueAt) {
		t.Errorf("sent %s before its time", soon.DueAt.Sub(at))
	}
	b.called(0, later, expired, canceled, interrupted, ghost, broken)
	b.reaches(peal.Queued, later)
	b.reaches(peal.Canceled, canceled)
}

func TestWhereARepeatDoesNoHarm(t *testing.T) {
	t.Parallel()
	s := unlimited()
	s.OnUnknown = "resend"
	b := setup(t, s)
	b.carrier.mayDouble = true
	b.carrier.answer = func(m *provider.Message, nth int) peal.Outcome {
		if nth == 1 {
			return peal.Outcome{Class: peal.ClassUnknown, Code: "timeout"}
		}
		return accepted(m, nth)
	}
	b.run()
	d := b.send(1)[0]
	b.reaches(peal.Sent, d)
	b.called(2, d)
}

// TestCallsInFlightAreFinished stops the stage in the middle of calls.
func TestCallsInFlightAreFinished(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited())
	begun, release := make(chan struct{}, 16), make(chan struct{})
	b.carrier.answer = func(m *provider.Message, nth int) peal.Outcome {
		begun <- struct{}{}
		<-release
		return accepted(m, nth)
	}
	stop := b.run()
	rows := b.send(100)
	for range 16 {
		<-begun
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		stop()
	}()
	close(release)
	go func() {
		for range begun { //nolint:revive // whoever else began
		}
	}()
	<-ended
	close(begun)
	inFlight, sent := 0, 0
	for _, d := range rows {
		switch b.delivery(d.ID).Status {
		case peal.Sending:
			inFlight++
		case peal.Sent:
			sent++
			b.called(1, d)
		default:
			b.called(0, d)
		}
	}
	if inFlight != 0 || sent < 16 {
		t.Errorf("%d are left in the air and %d were sent; want none, and what had begun", inFlight, sent)
	}
	b.carrier.answer = accepted
	b.run() // the next owner
	b.reaches(peal.Sent, rows...)
	b.called(1, rows...)
}

// watched is a broker that tells when a queue was dropped.
type watched struct {
	*stream.Stream
	dropped chan string
}

func (w *watched) DropQueue(ctx context.Context, integrationID string) error {
	err := w.Stream.DropQueue(ctx, integrationID)
	w.dropped <- integrationID
	return err
}

func TestTheQueueOfADeletedIntegrationGoes(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited())
	w := &watched{Stream: b.stream, dropped: make(chan string, 10)}
	b.queues = w
	begun, release := make(chan struct{}, 100), make(chan struct{})
	b.carrier.answer = func(m *provider.Message, nth int) peal.Outcome {
		begun <- struct{}{}
		<-release
		return accepted(m, nth)
	}
	b.run()
	rows := b.send(60)
	for range 16 {
		<-begun
	}
	if err := b.service.Delete(t.Context(), "a", b.in.ID); err != nil {
		t.Fatal(err)
	}
	close(release)
	var jobs []pipeline.Job
	for _, d := range rows {
		jobs = append(jobs, pipeline.Job{IntegrationID: d.IntegrationID, DeliveryID: d.ID})
	}
	select {
	case <-w.dropped:
	case <-time.After(patience):
		t.Fatal("its queue is not dropped")
	}
	if added, err := b.stream.Ensure(t.Context(), jobs); err != nil || added != len(jobs) {
		t.Errorf("%d of %d jobs were gone, %v", added, len(jobs), err)
	}
	if _, err := b.store.CancelOrphans(t.Context(), rows); err != nil { // as the ledger does with what was claimed and not called for
		t.Fatal(err)
	}
	sent := 0
	for _, d := range rows {
		switch got := b.delivery(d.ID); got.Status {
		case peal.Sent:
			sent++
			b.called(1, d)
		case peal.Canceled:
			b.called(0, d)
		default:
			t.Errorf("%s is %s", d.ID, got.Status)
		}
	}
	if sent < 16 {
		t.Errorf("%d were sent; 16 calls had begun", sent)
	}
}

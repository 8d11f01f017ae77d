package send_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/pipeline/send"
	"peal/internal/provider"
)

// TestTheOwnerGoesWhenTold hands the lease over while calls are in the air: these end and are recorded, and what was not
// called for is left to the next owner.
func TestTheOwnerGoesWhenTold(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited())
	first := &owner{done: make(chan struct{})}
	released := make(chan struct{})
	next := make(chan send.Lease, 1)
	once := make(chan send.Lease, 1)
	once <- &releases{first, released}
	b.own = func(ctx context.Context, _ string) (send.Lease, error) {
		select {
		case l := <-once:
			return l, nil
		case l := <-next:
			return l, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	inAir := make(chan struct{})
	answer := make(chan struct{})
	b.carrier.answer = func(m *provider.Message, nth int) peal.Outcome {
		select {
		case inAir <- struct{}{}:
		case <-answer:
		}
		<-answer
		return accepted(m, nth)
	}
	b.run()
	rows := b.send(60)
	for range 16 {
		<-inAir
	}
	first.mu.Lock()
	first.over = true // as a process that was stopped for long finds it
	first.mu.Unlock()
	close(first.done)
	select {
	case <-released:
		t.Fatal("the lease was released with calls in the air")
	case <-time.After(100 * time.Millisecond):
	}
	close(answer)
	<-released
	if n := len(b.carrier.ids); n != 16 {
		t.Errorf("%d calls were made; with the lease run out there may be none after the 16", n)
	}
	next <- &owner{later: true, done: make(chan struct{})}
	b.reaches(peal.Sent, rows...)
	b.called(1, rows...)
}

// releases tells when a lease is released.
type releases struct {
	*owner

	released chan struct{}
}

func (r *releases) Release() { close(r.released) }

// TestAClaimThatWasWrittenAfterAll loses the answer of a claim, as a connection that breaks during the commit does. This
// owner knows that it has not called, so nothing is in doubt.
func TestAClaimThatWasWrittenAfterAll(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited())
	b.records = &lossy{Records: b.store}
	b.run()
	rows := b.send(5)
	b.reaches(peal.Sent, rows...)
	b.called(1, rows...)
}

// lossy loses the answer of the first claim.
type lossy struct {
	send.Records

	once sync.Once
}

func (l *lossy) Claim(ctx context.Context, in *peal.Integration, ids []string, intent bool) (pipeline.Claimed, error) {
	c, err := l.Records.Claim(ctx, in, ids, intent)
	l.once.Do(func() { c, err = pipeline.Claimed{}, errors.New("the connection broke") })
	return c, err
}

// TestAnEarlierClaimStaysInDoubt has a row that an earlier process left in a call, and a claim that fails: that this owner
// has not called says nothing of the other.
func TestAnEarlierClaimStaysInDoubt(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited())
	rows := b.accept(1)
	if _, err := b.store.Claim(t.Context(), b.in, []string{rows[0].ID}, true); err != nil {
		t.Fatal(err)
	}
	b.records = &lossy{Records: b.store}
	b.run()
	b.publish(rows...)
	b.reaches(peal.Uncertain, rows...)
	b.called(0, rows...)
}

func TestPoisonIsSetAside(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited())
	rows := b.accept(21)
	bad, good := rows[7], slices.Delete(slices.Clone(rows), 7, 8)
	b.records = &poisonous{Records: b.store, of: bad.ID}
	b.run()
	b.publish(rows...)
	b.reaches(peal.Sent, good...)
	b.reaches(peal.Failed, bad)
	b.called(0, bad)
	if d := b.delivery(bad.ID); d.ErrorCode != peal.CodePoison || d.DeadAt.IsZero() {
		t.Errorf("set aside as %s, dead at %v", d.ErrorCode, d.DeadAt)
	}
}

// TestAPanicAfterTheCall leaves the outcome unknown; before it, the delivery has some more tries.
func TestAPanicAfterTheCall(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited())
	b.jitter = func() float64 { panic("a bug that nobody knows of") }
	b.carrier.answer = func(*provider.Message, int) peal.Outcome { return peal.Outcome{Class: peal.ClassTemporary, Code: "x"} }
	b.run()
	rows := b.send(3)
	b.reaches(peal.Uncertain, rows...)
	b.called(1, rows...)
}

// poisonous panics over one delivery: in the claim, as a bug that nobody knows of would.
type poisonous struct {
	send.Records

	of string
}

func (p *poisonous) Claim(ctx context.Context, in *peal.Integration, ids []string, intent bool) (pipeline.Claimed, error) {
	if slices.Contains(ids, p.of) {
		panic("a bug that nobody knows of")
	}
	return p.Records.Claim(ctx, in, ids, intent)
}

func TestCriticalOvertakesACampaign(t *testing.T) {
	t.Parallel()
	s := unlimited()
	s.Limit = &api.Limit{Rate: 20, Period: "1s", Burst: 1}
	b := setup(t, s)
	b.run()
	campaign := b.send(200, func(d *peal.Delivery) { d.Priority = peal.Bulk })
	b.reaches(peal.Sent, campaign[:3]...)
	password := b.send(1, func(d *peal.Delivery) { d.Priority = peal.Critical })
	b.reaches(peal.Sent, password...)
	b.carrier.mu.Lock()
	defer b.carrier.mu.Unlock()
	if n := len(b.carrier.ids); n > 60 {
		t.Errorf("%d went before the one that is critical", n)
	}
}

func TestARecipientOverItsLimitLetsOthersGo(t *testing.T) {
	t.Parallel()
	s := unlimited()
	s.RecipientLimit = &api.RecipientLimit{Rate: 1, Period: "1s", Burst: 2}
	b := setup(t, s)
	b.run()
	flooded := b.send(5, func(d *peal.Delivery) { d.Recipient = "+919800000001" })
	others := b.send(50)
	b.reaches(peal.Sent, others...)
	waits := 0
	for _, d := range flooded {
		if row := b.delivery(d.ID); row.Status == peal.Queued && row.ErrorCode == peal.CodeRecipientLimit {
			waits++
		}
	}
	if waits == 0 {
		t.Error("none of those over the limit waits, or says why")
	}
	b.reaches(peal.Sent, flooded...)
	b.called(1, flooded...)
	b.carrier.mu.Lock()
	defer b.carrier.mu.Unlock()
	var times []time.Time
	for i, id := range b.carrier.ids {
		for _, d := range flooded {
			if d.ID == id {
				times = append(times, b.carrier.times[i])
			}
		}
	}
	if n := within(times, 950*time.Millisecond); n > 2 {
		t.Errorf("%d within a second to one recipient", n)
	}
	for _, d := range flooded {
		if row := b.delivery(d.ID); row.Attempts != 1 || row.ErrorCode != "" {
			t.Errorf("waiting counts as an attempt: %d, code %q", row.Attempts, row.ErrorCode)
		}
	}
}

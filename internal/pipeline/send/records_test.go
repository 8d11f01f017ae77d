package send_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/provider"
	"peal/internal/store"
)

// flaky is records that are away now and then.
type flaky struct {
	*store.Store
	claims, records atomic.Int64 // how often they are still to fail
	after           bool         // they do it, and then fail to say so
}

var errAway = &peal.Error{Kind: peal.Unavailable, Message: "the records are away"}

func (f *flaky) Claim(ctx context.Context, in *peal.Integration, ids []string, intent bool) (pipeline.Claimed, error) {
	if f.claims.Add(-1) >= 0 {
		return pipeline.Claimed{}, errAway
	}
	return f.Store.Claim(ctx, in, ids, intent)
}

func (f *flaky) Record(ctx context.Context, attempts []peal.Attempt) ([]peal.Moved, error) {
	if f.records.Add(-1) >= 0 {
		if f.after {
			if _, err := f.Store.Record(ctx, attempts); err != nil {
				return nil, err
			}
		}
		return nil, errAway
	}
	return f.Store.Record(ctx, attempts)
}

func TestRecordsThatAreAway(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]bool{"before they write": false, "after they wrote": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, unlimited())
			f := &flaky{Store: b.store, after: after}
			f.claims.Store(1)
			f.records.Store(2)
			b.records = f
			b.run()
			rows := b.send(30)
			b.reaches(peal.Sent, rows...)
			b.called(1, rows...)
			b.empty()
			for _, d := range rows {
				if _, events, err := b.store.Delivery(t.Context(), "a", d.ID); err != nil || len(events) != 2 {
					t.Errorf("the timeline is %+v, %v", events, err)
				}
			}
		})
	}
}

// TestRecordsThatAreAwayAtTheStop: what is known of calls is recorded before a stage ends, if the records come back soon.
func TestRecordsThatAreAwayAtTheStop(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited())
	f := &flaky{Store: b.store}
	b.records = f
	begun, release := make(chan struct{}, 100), make(chan struct{})
	b.carrier.answer = func(m *provider.Message, nth int) peal.Outcome {
		begun <- struct{}{}
		<-release
		return accepted(m, nth)
	}
	stop := b.run()
	rows := b.send(5)
	for range rows {
		<-begun
	}
	f.records.Store(2)
	time.AfterFunc(50*time.Millisecond, func() { close(release) }) // when it has been told to stop
	stop()
	for _, d := range rows {
		if got := b.delivery(d.ID); got.Status != peal.Sent {
			t.Errorf("%s is %s", d.ID, got.Status)
		}
	}
}

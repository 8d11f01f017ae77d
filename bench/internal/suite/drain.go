package suite

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"peal/bench/internal/tally"
)

// pass runs one loop and waits for what it sent. The error says what was refused, lost or doubled.
func (s *scene) pass(ctx context.Context, t *tally.Tally, loop func(context.Context, *tally.Tally) error) error {
	s.prov.Record(t)
	runtime.GC() // what earlier runs left is not to be collected during this one
	loopCtx, cancel := context.WithTimeout(ctx, s.Duration+grace+time.Duration(s.Messages)*perMessage)
	defer cancel()
	err := loop(loopCtx, t)
	err = errors.Join(err, s.drain(ctx, t))
	r := t.Report()
	if !r.ExactlyOnce() {
		err = errors.Join(err, fmt.Errorf("not exactly once: of %d accepted, %d never came, numbers %v and on; %d came again; %d came without a 202",
			r.Accepted, r.Missing, r.MissingSeq, r.Duplicates, r.Uninvited))
	}
	if strays := s.prov.Counts().Strays; strays > 0 {
		err = errors.Join(err, fmt.Errorf("%d messages came that nobody sent in this run", strays))
	}
	return err
}

// drain waits until everything accepted has arrived, and then for what should not come.
func (s *scene) drain(ctx context.Context, t *tally.Tally) error {
	var exited <-chan struct{}
	if s.sys != nil {
		exited = s.sys.Exited
	}
	if err := Drain(ctx, t, s.Stall, exited); err != nil {
		return err
	}
	return s.wait(ctx, s.Settle)
}

// Drain waits until everything accepted has arrived; without an arrival for as long as stall, it gives up.
func Drain(ctx context.Context, t *tally.Tally, stall time.Duration, exited <-chan struct{}) error {
	want := t.CountAccepted()
	look := time.NewTicker(10 * time.Millisecond) // when the last one came is in the tally, to the nanosecond
	defer look.Stop()
	seen, since := t.Distinct(), time.Now()
	for t.Distinct() < want {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-exited:
			return errors.New("what is measured has ended by itself")
		case <-look.C:
		}
		if n := t.Distinct(); n > seen {
			seen, since = n, time.Now()
		} else if time.Since(since) > stall {
			return fmt.Errorf("nothing has come for %v", stall)
		}
	}
	return nil
}

func (s *scene) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

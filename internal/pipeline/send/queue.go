package send

import (
	"context"
	"sync"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// open opens the three lanes of an integration's queue as one feed, in which the more urgent goes first.
func (l *lane) open(ctx context.Context, in *peal.Integration) (*pipeline.Feed, error) {
	if !l.owned {
		if err := l.cfg.Queues.TakeOver(ctx, in.ID); err != nil {
			return nil, err
		}
		l.owned = true
	}
	feeds := [3]*pipeline.Feed{}
	stop := func() {
		for _, f := range feeds {
			if f != nil {
				f.Stop()
			}
		}
	}
	for i, priority := range peal.Priorities() {
		f, err := l.cfg.Queues.OpenQueue(ctx, in.ID, priority, prefetch(in), ackWait(in))
		if err != nil {
			stop()
			return nil, err
		}
		feeds[i] = f
	}
	out, quit, done := make(chan pipeline.Message), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer close(out)
		for {
			m, ok := urgent(feeds[0].C, feeds[1].C, feeds[2].C, quit)
			if !ok {
				return
			}
			select {
			case out <- m:
			case <-quit:
				l.giveBack([]pipeline.Message{m})
				return
			}
		}
	}()
	var once sync.Once
	return &pipeline.Feed{C: out, Stop: func() {
		once.Do(func() {
			close(quit)
			<-done
			stop()
		})
	}}, nil
}

// urgent takes from the first that has something, or waits for any; false when one of them has ended.
func urgent(critical, normal, bulk <-chan pipeline.Message, quit <-chan struct{}) (m pipeline.Message, ok bool) {
	for _, c := range []<-chan pipeline.Message{critical, normal, bulk} {
		select {
		case m, ok = <-c:
			return m, ok
		default:
		}
	}
	select {
	case m, ok = <-critical:
	case m, ok = <-normal:
	case m, ok = <-bulk:
	case <-quit:
	}
	return m, ok
}

package store

import (
	"context"
	"testing"
	"time"
)

// TestWhoGivesUpIsGivenNothing: what a write tells is known before it is on disk. Who gives up in between is not told,
// for it may yet come to nothing.
func TestWhoGivesUpIsGivenNothing(t *testing.T) {
	t.Parallel()
	s := openIn(t, t.TempDir(), time.Now)
	block := func() (begun, goOn, ended chan struct{}) {
		begun, goOn, ended = make(chan struct{}), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			if err := s.write(context.Background(), func(*tx) error { close(begun); <-goOn; return nil }); err != nil {
				t.Error(err)
			}
		}()
		return begun, goOn, ended
	}
	queued := func(want int) {
		again := time.NewTicker(time.Millisecond)
		defer again.Stop()
		for len(s.writer.(*sqliteWriter).ops) < want {
			<-again.C
		}
	}
	begun, first, firstEnded := block()
	<-begun
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	type told struct {
		n   int
		err error
	}
	answer := make(chan told, 1)
	go func() {
		n, err := wrote(ctx, s, func(*tx) (int, error) { return 5, nil })
		answer <- told{n, err}
	}()
	queued(1)
	behind, second, secondEnded := block() // in one transaction with it
	queued(2)
	close(first)
	<-behind
	giveUp()
	if a := <-answer; a.n != 0 || a.err == nil {
		t.Errorf("who has given up is told %d, %v", a.n, a.err)
	}
	close(second)
	<-firstEnded
	<-secondEnded
	if n, err := wrote(t.Context(), s, func(*tx) (int, error) { return 6, nil }); n != 6 || err != nil {
		t.Errorf("the next one is told %d, %v", n, err)
	}
}

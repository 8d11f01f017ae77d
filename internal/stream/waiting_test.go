package stream

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"peal/internal/pipeline"
)

func waitingOf(t *testing.T, s *Stream) (all []string) {
	t.Helper()
	err := s.Waiting(t.Context(), func(h pipeline.Held) error {
		if h.ID == "" || time.Since(h.ReceivedAt) > time.Minute {
			t.Errorf("%+v", h)
		}
		all = append(all, h.IntegrationID+" "+string(h.Body))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestWaiting: the webhooks that wait are told of, those in somebody's hands too, and none of them is taken away.
func TestWaiting(t *testing.T) {
	t.Parallel()
	s := openIn(t, t.TempDir())
	if got := waitingOf(t, s); len(got) != 0 {
		t.Errorf("in a new stream wait %v", got)
	}
	for i := range 6 {
		if err := s.Keep(t.Context(), fmt.Sprint("wa", i%2), []byte{byte('a' + i)}); err != nil {
			t.Fatal(err)
		}
	}
	f, err := s.OpenCallbacks(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Stop()
	m := <-f.C
	<-f.C // is in hand
	if err := m.Ack(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		if n, err := s.Backlog(ctx); err != nil {
			t.Fatal(err)
		} else if n == 5 {
			break
		}
	}
	want := "[wa1 b wa0 c wa1 d wa0 e wa1 f]"
	for range 2 {
		if got := fmt.Sprint(waitingOf(t, s)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	stop := errors.New("enough")
	if err := s.Waiting(t.Context(), func(pipeline.Held) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}

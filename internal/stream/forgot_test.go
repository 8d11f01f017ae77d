package stream

import (
	"testing"

	"peal/internal/stream/natstest"
)

// TestTheWholeClusterForgetsItsConsumer: what was remembered as folded in does not come again.
func TestTheWholeClusterForgetsItsConsumer(t *testing.T) {
	t.Parallel()
	c := natstest.New(t)
	s := openAt(t, c.URLs())
	keepAll(t, s, "abcdef")
	f := openCallbacks(t, s)
	ack(t, take(t, f, 6)...)
	folded(t, s, 6)
	if err := s.Remember(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Kill(0)
	c.Kill(1)
	c.Kill(2)
	eventually(t, "not ready", func() bool { return s.Ready() != nil && !s.conn.IsConnected() })
	c.Restart(t, 0, 1, 2)
	eventually(t, "ready", func() bool { return s.Ready() == nil })
	eventually(t, "kept", func() bool { return s.Keep(t.Context(), "wa0", []byte("g")) == nil })
	for m := range f.C { // it ends, as its consumer is not to be asked
		t.Errorf("whoever folds is given %q once more", m.Data())
	}
	if got := string(take(t, openCallbacks(t, s), 1)[0].Data()); got != "g" {
		t.Errorf("after the restart %q comes, which was folded in", got)
	}
	folded(t, s, 6)
}

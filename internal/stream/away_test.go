package stream

import (
	"sync/atomic"
	"testing"
	"time"

	"peal/internal/pipeline"
)

// TestNobodyWaitsForABrokerThatIsAway stops the broker under the stream's feet.
func TestNobodyWaitsForABrokerThatIsAway(t *testing.T) {
	t.Parallel()
	var lost atomic.Int64
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), Lost: func() { lost.Add(1) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.server.Shutdown()
	eventually(t, "the connection is gone", func() bool { return !s.conn.IsConnected() })
	start := time.Now()
	for range 100 {
		s.Publish(jobs("in", 10))
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("a hundred publishes took %s", took)
	}
	if lost.Load() < 100 {
		t.Errorf("the ledger was told of %d of 100", lost.Load())
	}
	if s.Ready() == nil {
		t.Error("it says that it is ready")
	}
}

// TestSchedulesGoByPealsClock: the broker goes by the wall clock, from which Peal's may be far off.
func TestSchedulesGoByPealsClock(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"behind": -time.Hour, "ahead": time.Hour} {
		now := func() time.Time { return time.Now().Add(off) }
		s, err := Open(t.Context(), Config{Dir: t.TempDir(), Now: now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		f := openQueue(t, s, "in")
		list := jobs("in", 1)
		list[0].Due = now().Add(time.Second)
		ensure(t, s, 1, list...)
		got := take(t, f, 1)
		if early := list[0].Due.Sub(now()); early > 0 {
			t.Errorf("%s: it came %s early", name, early)
		}
		ack(t, got...)
		standing(t, s, pipeline.Deliveries, 0)
	}
}

package httpapi

import "testing"

func TestGate(t *testing.T) {
	t.Parallel()
	g := newGate(10)
	in := func(holder string, weight int64, want bool) {
		t.Helper()
		if err := g.enter(holder, weight); (err == nil) != want {
			t.Errorf("%s with %d: %v, want in %v", holder, weight, err, want)
		}
	}
	in("a", 5, true)
	in("a", 1, false) // its half is taken
	in("b", 4, true)
	in("c", 2, false) // all is taken but one
	in("c", 1, true)
	in("b", 1, false)
	g.leave("a", 5)
	in("b", 1, true)
	for holder, weight := range map[string]int64{"b": 5, "c": 1} {
		g.leave(holder, weight)
	}
	if g.inside != 0 || len(g.by) != 0 {
		t.Errorf("%d inside, held by %v", g.inside, g.by)
	}
}

func TestBatchPassesSmallGate(t *testing.T) {
	t.Parallel()
	for _, most := range []int64{1, 2, 31, 33, 4096} {
		g := newGate(most)
		for range 3 {
			if err := g.enter("a", batchWeight); err != nil {
				t.Errorf("a gate of %d never lets a batch in: %v", most, err)
				continue
			}
			g.leave("a", batchWeight)
		}
		if g.inside != 0 || len(g.by) != 0 {
			t.Errorf("gate of %d: %d inside, held by %v", most, g.inside, g.by)
		}
	}
}

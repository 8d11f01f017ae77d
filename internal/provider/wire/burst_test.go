package wire

import "testing"

func TestBurst(t *testing.T) {
	t.Parallel()
	var b Burst
	for i := range 200 { // two in five are bad: many devices are gone
		if b.Add(i%5 < 2) {
			t.Fatalf("answer %d: taken for a burst", i)
		}
	}
	n := 0
	for ; !b.Add(true); n++ {
	}
	if n > burstWindow/2 {
		t.Errorf("%d bad ones in a row are no burst", n)
	}
	for i := range 100 { // those that were on their way with it
		if !b.Add(true) {
			t.Fatalf("%d later it is none any more", i+1)
		}
	}
	if b.Add(false) {
		t.Error("a good one is one of a burst")
	}
	b = Burst{}
	for i := range burstLeast {
		if b.Add(true) != (i == burstLeast-1) {
			t.Errorf("%d bad ones from the beginning", i+1)
		}
	}
}

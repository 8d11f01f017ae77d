package tally

import (
	"slices"
	"sync"
	"testing"
)

func TestReport(t *testing.T) {
	t.Parallel()
	ta := New(1, 0, 10)
	ta.Sent(0, 100) // the plain case
	ta.Accepted(0, 110)
	ta.Arrived(0, 130)
	ta.Sent(1, 200) // at the provider before the 202 was read
	ta.Accepted(1, 220)
	ta.Arrived(1, 215)
	if !reportOf(ta).ExactlyOnce() {
		t.Error("two good ones are not exactly once")
	}
	ta.Sent(2, 300) // lost
	ta.Accepted(2, 310)
	ta.Sent(3, 400) // refused, sent all the same, and twice
	ta.Arrived(3, 420)
	ta.Arrived(3, 430)

	r := reportOf(ta)
	if r.Accepted != 3 || r.Arrived != 3 || r.Missing != 1 || r.Duplicates != 1 || r.Uninvited != 1 || r.ExactlyOnce() {
		t.Errorf("counts: %+v", r)
	}
	if r.FirstSent != 100 || r.LastAccepted != 310 || r.LastArrived != 420 {
		t.Errorf("times: %+v", r)
	}
	if !slices.Equal(r.Accept, []int64{10, 20, 10}) || !slices.Equal(r.ToProvider, []int64{30, 15}) ||
		!slices.Equal(r.After202, []int64{20, -5}) || !slices.Equal(r.MissingSeq, []int{2}) {
		t.Errorf("latencies: %+v", r)
	}
}

func reportOf(t *Tally) *Report {
	r := t.Report()
	return &r
}

func TestArrivedConcurrently(t *testing.T) {
	t.Parallel()
	ta := New(1, 0, 100)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for seq := range 100 {
				ta.Arrived(seq, int64(seq+1))
			}
		})
	}
	wg.Wait()
	if ta.Distinct() != 100 || ta.Report().Duplicates != 300 {
		t.Errorf("%d distinct, %d duplicates", ta.Distinct(), ta.Report().Duplicates)
	}
	if ta.Arrived(100, 1) || ta.Arrived(-1, 1) {
		t.Error("took a number without a slot")
	}
}

func TestMarker(t *testing.T) {
	t.Parallel()
	text := AppendMarker([]byte(`{"to":"+919800000042","text":"`), 7)
	if got, want := len(text), 30+MarkerLen; got != want {
		t.Fatalf("length %d, want %d", got, want)
	}
	PutDigits(text[30+SeqAt:30+SeqAt+SeqDigits], 42)
	PutDigits(text[30+SentAt:30+SentAt+SentDigits], 123456789)
	text = append(text, ` and so on"}`...)
	if want := `peal-bench run=0007 seq=0000000042 sent=0000000123456789 and so on"}`; string(text[30:]) != want {
		t.Errorf("marker %q, want %q", text[30:], want)
	}
	run, seq, ok := FindMarker(text)
	if run != 7 || seq != 42 || !ok {
		t.Errorf("FindMarker = %d, %d, %v", run, seq, ok)
	}
	for _, bad := range []string{"", "peal-bench run=", "peal-bench run=0007 seq=00000000x2 sent=0000000123456789"} {
		if _, _, ok := FindMarker([]byte(bad)); ok {
			t.Errorf("found a marker in %q", bad)
		}
	}
}

func TestPhones(t *testing.T) {
	t.Parallel()
	ta := New(1, phones-1, 2)
	if ta.Phone(0) != 99_999_999 || ta.Phone(1) != 0 {
		t.Errorf("phones %d, %d", ta.Phone(0), ta.Phone(1))
	}
}

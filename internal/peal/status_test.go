package peal_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"peal/internal/peal"
)

func TestAfter(t *testing.T) {
	t.Parallel()
	type to struct {
		next    peal.Status
		flagged bool
	}
	seen := []peal.Status{peal.Sent, peal.Delivered, peal.Read, peal.Failed}
	for from, want := range map[peal.Status][4]to{
		peal.Queued:    {{peal.Sent, false}, {peal.Delivered, false}, {peal.Read, false}, {peal.Failed, false}},
		peal.Sending:   {{peal.Sent, false}, {peal.Delivered, false}, {peal.Read, false}, {peal.Failed, false}},
		peal.Uncertain: {{peal.Sent, false}, {peal.Delivered, false}, {peal.Read, false}, {peal.Failed, false}},
		peal.Sent:      {{peal.Sent, false}, {peal.Delivered, false}, {peal.Read, false}, {peal.Failed, false}},
		peal.Delivered: {{peal.Delivered, false}, {peal.Delivered, false}, {peal.Read, false}, {peal.Delivered, true}},
		peal.Read:      {{peal.Read, false}, {peal.Read, false}, {peal.Read, false}, {peal.Read, true}},
		peal.Failed:    {{peal.Failed, false}, {peal.Delivered, true}, {peal.Read, true}, {peal.Failed, false}},
		peal.Skipped:   {{peal.Skipped, false}, {peal.Delivered, true}, {peal.Read, true}, {peal.Skipped, false}},
		peal.Canceled:  {{peal.Canceled, false}, {peal.Delivered, true}, {peal.Read, true}, {peal.Canceled, false}},
		peal.Expired:   {{peal.Expired, false}, {peal.Delivered, true}, {peal.Read, true}, {peal.Expired, false}},
	} {
		for i, s := range seen {
			if next, flagged := from.After(s); next != want[i].next || flagged != want[i].flagged {
				t.Errorf("%s after %s: %s, flagged %v; want %s, %v", from, s, next, flagged, want[i].next, want[i].flagged)
			}
		}
	}
}

// TestAfterKnowsNoOrder: the same receipts in any order and number end in the same state, with the same flag.
func TestAfterKnowsNoOrder(t *testing.T) {
	t.Parallel()
	receipt := rapid.SampledFrom([]peal.Status{peal.Sent, peal.Delivered, peal.Read, peal.Failed})
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.SampledFrom(peal.Statuses()).Draw(t, "from")
		told := rapid.SliceOfN(receipt, 1, 8).Draw(t, "told")
		other := append(rapid.Permutation(told).Draw(t, "permutation"), rapid.SliceOfN(rapid.SampledFrom(told), 0, 3).Draw(t, "repeats")...)
		fold := func(list []peal.Status) (s peal.Status, flag bool) {
			s = from
			for _, r := range list {
				next, flagged := s.After(r)
				if s.Rank() > peal.Sent.Rank() && next.Rank() < s.Rank() {
					t.Fatalf("%s fell to %s after %s", s, next, r)
				}
				s, flag = next, flag || flagged
			}
			return s, flag
		}
		one, flag1 := fold(told)
		two, flag2 := fold(other)
		if one != two || flag1 != flag2 {
			t.Fatalf("%v leads to %s (%v), %v to %s (%v)", told, one, flag1, other, two, flag2)
		}
	})
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	inFlight := []peal.Status{peal.Queued, peal.Sending, peal.Uncertain}
	for _, s := range peal.Statuses() {
		if !s.Valid() || s.InFlight() != slices.Contains(inFlight, s) {
			t.Errorf("%s: valid %v, in flight %v", s, s.Valid(), s.InFlight())
		}
	}
	for _, s := range []peal.Status{"", "Queued", "gone"} {
		if s.Valid() {
			t.Errorf("%q is valid", s)
		}
	}
}

func TestSum(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		of   []peal.Status
		want peal.Status
	}{
		{[]peal.Status{peal.Queued}, peal.Queued},
		{[]peal.Status{peal.Read, peal.Queued}, peal.Queued},
		{[]peal.Status{peal.Sending, peal.Queued}, peal.Queued},
		{[]peal.Status{peal.Failed, peal.Uncertain}, peal.Uncertain},
		{[]peal.Status{peal.Sent, peal.Read}, peal.Read},
		{[]peal.Status{peal.Failed, peal.Delivered}, peal.Delivered},
		{[]peal.Status{peal.Skipped, peal.Failed}, peal.Failed},
		{[]peal.Status{peal.Canceled, peal.Skipped}, peal.Canceled},
		{[]peal.Status{peal.Expired, peal.Canceled}, peal.Expired},
		{[]peal.Status{peal.Skipped, peal.Skipped}, peal.Skipped},
		{[]peal.Status{peal.Skipped, peal.Sent}, peal.Sent},                                   // a device that was left out makes it no failure
		{[]peal.Status{peal.Failed, peal.Skipped, peal.Delivered, peal.Sent}, peal.Delivered}, // one of the devices got it
		{[]peal.Status{peal.Skipped, peal.Expired}, peal.Expired},
	} {
		back := slices.Clone(c.of)
		slices.Reverse(back)
		for _, list := range [][]peal.Status{c.of, back} {
			if got := peal.Sum(list); got != c.want {
				t.Errorf("%v sums up to %s, want %s", list, got, c.want)
			}
		}
	}
}

func ExampleStatus_After() {
	next, flagged := peal.Failed.After(peal.Delivered)
	fmt.Println(next, flagged)
	// Output: delivered true
}

package stats

import (
	"math/rand/v2"
	"testing"
)

func TestPercentileNearestRank(t *testing.T) {
	t.Parallel()
	hundred := make([]int64, 100)
	for i := range hundred {
		hundred[i] = int64(i + 1)
	}
	for _, tt := range []struct {
		values []int64
		p      float64
		want   int64
	}{
		{nil, 50, 0},
		{[]int64{7}, 50, 7},
		{[]int64{7}, 99, 7},
		{[]int64{1, 2}, 50, 1},
		{[]int64{1, 2}, 99, 2},
		{[]int64{-5, 1, 2}, 50, 1},
		{hundred, 50, 50},
		{hundred, 99, 99},
		{hundred, 99.5, 100},
		{hundred, 100, 100},
		{hundred, 0, 1},
	} {
		if got := Percentile(tt.values, tt.p); got != tt.want {
			t.Errorf("Percentile(%d values, %v) = %d, want %d", len(tt.values), tt.p, got, tt.want)
		}
	}
}

// The definition itself, on random data: at least p percent are at or below the answer, and fewer are below it.
func TestPercentileDefinition(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		values := make([]int64, 1+rng.IntN(300))
		for i := range values {
			values[i] = rng.Int64N(50) - 10
		}
		q := Of(values)
		for p, got := range map[float64]int64{50: q.P50, 99: q.P99} {
			below, atOrBelow := 0, 0
			for _, v := range values {
				if v < got {
					below++
				}
				if v <= got {
					atOrBelow++
				}
			}
			n := float64(len(values))
			if float64(atOrBelow)*100 < p*n || float64(below)*100 >= p*n {
				t.Fatalf("p%v of %v = %d: %d below, %d at or below", p, values, got, below, atOrBelow)
			}
		}
	}
}

func TestSpreadOf(t *testing.T) {
	t.Parallel()
	in := []float64{3, 1, 2}
	if got, want := SpreadOf(in), (Spread{Median: 2, Min: 1, Max: 3}); got != want {
		t.Errorf("SpreadOf = %+v, want %+v", got, want)
	}
	if in[0] != 3 {
		t.Error("SpreadOf reordered its argument")
	}
	if got := SpreadOf([]float64{4, 1}).Median; got != 2.5 {
		t.Errorf("median of two = %v, want 2.5", got)
	}
	if got := SpreadOf(nil); got != (Spread{}) {
		t.Errorf("SpreadOf(nil) = %+v", got)
	}
}

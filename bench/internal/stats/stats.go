// Package stats has the exact percentiles and the medians of the report.
package stats

import (
	"math"
	"slices"
)

// Quantiles sums up a set of durations in nanoseconds. They may be negative: the provider can have a message before
// the client has read its 202.
type Quantiles struct {
	Count int   `json:"count"`
	P50   int64 `json:"p50_ns"`
	P99   int64 `json:"p99_ns"`
	Max   int64 `json:"max_ns"`
}

// Of sorts the values in place and reads the quantiles off them; nothing is estimated.
func Of(values []int64) Quantiles {
	if len(values) == 0 {
		return Quantiles{}
	}
	slices.Sort(values)
	return Quantiles{
		Count: len(values),
		P50:   Percentile(values, 50),
		P99:   Percentile(values, 99),
		Max:   values[len(values)-1],
	}
}

// Percentile is the nearest-rank percentile of sorted values: the least value with at least p percent of all values at
// or below it. It is 0 for no values.
func Percentile(sorted []int64, p float64) int64 {
	if len(sorted) == 0 {
		return 0
	}
	// Division last keeps whole ranks whole: 0.99*100 is not 99 in floating point, 99*100/100 is.
	rank := int(math.Ceil(p * float64(len(sorted)) / 100))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Spread is the median of several runs with the least and greatest of them.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// SpreadOf leaves its argument as it is. The median of an even number is the mean of the middle two.
func SpreadOf(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	s := slices.Sorted(slices.Values(values))
	mid := len(s) / 2
	median := s[mid]
	if len(s)%2 == 0 {
		median = (s[mid-1] + s[mid]) / 2
	}
	return Spread{Median: median, Min: s[0], Max: s[len(s)-1]}
}

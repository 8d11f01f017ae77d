package send

import (
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	t.Parallel()
	const base, most = 5 * time.Second, time.Hour
	for _, tt := range []struct {
		name       string
		base, most time.Duration
		tries      int
		jitter     float64
		want       time.Duration
	}{
		{"first", base, most, 1, 0, 5 * time.Second},
		{"second", base, most, 2, 0, 15 * time.Second},
		{"third", base, most, 3, 0, 45 * time.Second},
		{"fourth", base, most, 4, 0, 135 * time.Second},
		{"jitter adds", base, most, 2, 0.5, 15*time.Second + 750*time.Millisecond},
		{"jitter adds a tenth at most", base, most, 1, 0.999999999, 5*time.Second + 499999999*time.Nanosecond},
		{"the cap", base, 20 * time.Second, 3, 0, 20 * time.Second},
		{"jitter comes on top of the cap", base, 20 * time.Second, 3, 0.5, 21 * time.Second},
		{"a cap below the base", base, time.Second, 1, 0, time.Second},
		{"before any attempt", base, most, 0, 0, 5 * time.Second},
		{"so many that times three would overflow", base, most, 1000, 0, time.Hour},
	} {
		if got := Backoff(tt.base, tt.most, tt.tries, tt.jitter); got != tt.want {
			t.Errorf("%s: Backoff(%v, %v, %d, %v) = %v, want %v", tt.name, tt.base, tt.most, tt.tries, tt.jitter, got, tt.want)
		}
	}
	for range 1000 {
		if got := Backoff(base, most, 1, randomJitter()); got < base || got > base+base/10 {
			t.Fatalf("with the jitter of production the first wait is %v", got)
		}
	}
}

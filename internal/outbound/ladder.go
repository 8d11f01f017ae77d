package outbound

import "time"

// ladder is how long a message waits after each try that failed; after the last one it is given up.
func ladder() []time.Duration {
	return []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour,
	}
}

// spread makes a wait up to a tenth longer, so that those who failed together do not come back together.
func spread(d time.Duration, jitter func() float64) time.Duration {
	return d + time.Duration(float64(d)/10*jitter())
}

// untried is more than the longest time between two tries.
const untried = 24 * time.Hour

const (
	firstProbe = 5 * time.Second
	lastProbe  = 5 * time.Minute
)

// probeWait is how long an endpoint that answers nothing but failures is left in peace after so many probes.
func probeWait(probes int) time.Duration {
	d := firstProbe
	for range probes {
		if d *= 2; d >= lastProbe {
			return lastProbe
		}
	}
	return d
}

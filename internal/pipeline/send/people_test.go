package send

import (
	"testing"
	"time"
)

// TestClosed: the window is closed when it is known to be, not when nothing is known.
func TestClosed(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for name, c := range map[string]struct {
		p    person
		want bool
	}{
		"wrote just now":                        {person{wrote: now, heard: ago(time.Hour)}, false},
		"wrote a second too late":               {person{wrote: ago(openFor - time.Second)}, false},
		"wrote a day ago":                       {person{wrote: ago(openFor)}, true},
		"wrote long ago, webhooks came lately":  {person{wrote: ago(48 * time.Hour), heard: ago(time.Minute)}, true},
		"never wrote, and webhooks come":        {person{heard: ago(openFor)}, true},
		"never wrote, and webhooks came lately": {person{heard: ago(openFor - time.Second)}, false},
		"never wrote, and no webhook ever came": {person{}, false},
		"wrote in the future, by Meta's clock":  {person{wrote: now.Add(time.Minute)}, false},
	} {
		if got := c.p.closed(now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

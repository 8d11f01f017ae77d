package track

import (
	"testing"
	"time"

	"peal/internal/peal"
)

// TestWhenANumberIsAskedFor: at once, then rarely; soon after news that say only a part; and after a failure not until the
// integration is another one, or as rarely.
func TestWhenANumberIsAskedFor(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	in := &peal.Integration{ID: "i", Version: 2}
	for what, k := range map[string]struct {
		known  peal.NumberState
		failed map[string]failure
		want   bool
	}{
		"never asked":                   {want: true},
		"asked a while ago":             {known: peal.NumberState{At: ago(30 * time.Minute), AskedAt: ago(30 * time.Minute)}},
		"asked long ago":                {known: peal.NumberState{At: ago(time.Hour), AskedAt: ago(time.Hour)}, want: true},
		"news right after":              {known: peal.NumberState{At: ago(time.Second), AskedAt: ago(2 * time.Second)}},
		"news a while after":            {known: peal.NumberState{At: ago(time.Second), AskedAt: ago(2 * time.Minute)}, want: true},
		"failed just now":               {failed: map[string]failure{"i": {2, ago(time.Minute)}}},
		"failed long ago":               {failed: map[string]failure{"i": {2, ago(time.Hour)}}, want: true},
		"failed before it was changed":  {failed: map[string]failure{"i": {1, ago(time.Second)}}, want: true},
		"another one's failed just now": {failed: map[string]failure{"j": {2, ago(time.Second)}}, want: true},
	} {
		w := &NumberWatch{failed: k.failed}
		if got := w.due(in, &k.known, now); got != k.want {
			t.Errorf("%s: %v, want %v", what, got, k.want)
		}
	}
}

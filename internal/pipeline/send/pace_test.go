package send_test

import (
	"slices"
	"testing"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
)

// within is the largest number of calls in any window of the length.
func within(times []time.Time, window time.Duration) (most int) {
	slices.SortFunc(times, time.Time.Compare)
	from := 0
	for i, at := range times {
		for at.Sub(times[from]) >= window {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

func TestTheLimitHoldsOverRestartsAndChanges(t *testing.T) {
	t.Parallel()
	s := unlimited()
	s.Limit = &api.Limit{Rate: 20, Period: "200ms", Burst: 20}
	b := setup(t, s)
	b.carrier.answer = func(m *provider.Message, nth int) peal.Outcome {
		<-time.NewTimer(30 * time.Millisecond).C // so that calls are in the air when something changes
		return accepted(m, nth)
	}
	stop := b.run()
	rows := b.send(80)
	b.reaches(peal.Sent, rows[:15]...)
	stop()
	b.run()
	b.reaches(peal.Sent, rows[:45]...)
	_, err := b.service.Update(t.Context(), "a", b.in.ID, &api.IntegrationPatch{Settings: &api.Settings{Concurrency: 30}})
	if err != nil {
		t.Fatal(err)
	}
	b.reaches(peal.Sent, rows...)
	b.called(1, rows...)
	if n := within(b.carrier.times, 200*time.Millisecond); n > 20 {
		t.Errorf("%d calls within 200 ms; 20 may be", n)
	}
}

// TestALowerLimitHoldsAtOnce lowers the limit while many calls are in the air: these are the old limit's, and make no
// room under the new one.
func TestALowerLimitHoldsAtOnce(t *testing.T) {
	t.Parallel()
	s := unlimited()
	s.Concurrency = 64
	b := setup(t, s)
	release := make(chan struct{})
	b.carrier.answer = func(m *provider.Message, nth int) peal.Outcome {
		<-release
		return accepted(m, nth)
	}
	b.run()
	rows := b.send(200)
	var old []string // what the shift without a limit has claimed: in the air, and as many again
	b.eventually("128 claimed", func() bool {
		old = nil
		for _, d := range rows {
			if b.delivery(d.ID).Status == peal.Sending {
				old = append(old, d.ID)
			}
		}
		return len(old) == 128
	})
	_, err := b.service.Update(t.Context(), "a", b.in.ID, &api.IntegrationPatch{Settings: &api.Settings{Limit: &api.Limit{Rate: 30, Period: "500ms", Burst: 30}}})
	if err != nil {
		t.Fatal(err)
	}
	close(release)
	b.reaches(peal.Sent, rows...)
	b.called(1, rows...)
	b.carrier.mu.Lock()
	defer b.carrier.mu.Unlock()
	var late []time.Time
	for i, id := range b.carrier.ids {
		if !slices.Contains(old, id) {
			late = append(late, b.carrier.times[i])
		}
	}
	if len(late) != len(rows)-128 {
		t.Fatalf("%d calls were made under the new limit", len(late))
	}
	if n := within(late, 500*time.Millisecond); n > 30 {
		t.Errorf("%d calls within 500 ms of the new limit; 30 may be", n)
	}
}

package peal_test

import (
	"testing"
	"time"

	"peal/internal/peal"
)

func TestAnIDTellsItsHour(t *testing.T) {
	t.Parallel()
	before := time.Now().Unix() / 3600
	id := peal.NewID()
	hour := peal.HourOf(id)
	if after := time.Now().Unix() / 3600; hour < before || hour > after {
		t.Errorf("%s is of hour %d, not %d to %d", id, hour, before, after)
	}
	from, to := peal.HourRange(hour)
	if id < from || id >= to || peal.HourOf(from) != hour || peal.HourOf(to) != hour+1 {
		t.Errorf("hour %d is from %s until %s; %s is of it", hour, from, to, id)
	}
	if last, _ := peal.HourRange(hour + 1); last != to {
		t.Errorf("hour %d ends at %s, the next begins at %s", hour, to, last)
	}
	d, err := peal.DeliveryID(id, "in", "x")
	if err != nil || peal.HourOf(d) != hour || d < from || d >= to {
		t.Errorf("%s is a delivery of %s, and of hour %d (%v)", d, id, peal.HourOf(d), err)
	}
	if peal.HourOf("x") != 0 {
		t.Error("what is no id has an hour")
	}
	if got := peal.HourName(0); got != "1970-01-01T00" {
		t.Errorf("the first hour is %s", got)
	}
}

func TestATallyIsBalanced(t *testing.T) {
	t.Parallel()
	var sum peal.Tally
	for _, part := range []peal.Tally{
		{Notifications: 2, Deliveries: 3, NotificationRows: 1, DeliveryRows: 1, ByStatus: map[peal.Status]int64{peal.Sent: 1}},
		{NotificationRows: 1, DeliveryRows: 2, ByStatus: map[peal.Status]int64{peal.Sent: 1, peal.Uncertain: 1}},
	} {
		if part.Balanced() {
			t.Errorf("%+v is balanced", part)
		}
		sum.Add(&part)
	}
	if !sum.Balanced() || sum.InFlight() != 1 || sum.ByStatus[peal.Sent] != 2 {
		t.Errorf("the sum is %+v", sum)
	}
	old := peal.Tally{Uncounted: 1, DeliveryRows: 1}
	if !old.Balanced() {
		t.Error("rows older than the counters are held to them")
	}
}

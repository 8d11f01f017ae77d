package e2e_test

import (
	"fmt"
	"testing"

	"peal/client"
)

// TestCollapsibleBudget: what a phone gets no more of for now waits, and is not called for; its other messages arrive.
func TestCollapsibleBudget(t *testing.T) {
	t.Parallel()
	w := silent(t)
	f := w.firebase(t)
	token := f.phone(t, w, "raju", "one")
	score := pushTo("raju", "1:0")
	score.Content.Push.CollapseKey = "score"
	for range 25 {
		w.send(t, score)
	}
	eventually(t, "the budget is used up", func() error { return want("taken", f.Taken(token), 20) })
	_, id := w.send(t, pushTo("raju", "a message"))
	w.reaches(t, id, "sent")
	states := map[string]int{}
	for d, err := range w.peal.Deliveries(t.Context(), client.DeliveryQuery{Recipient: "one"}) {
		if err != nil {
			t.Fatal(err)
		}
		states[d.Status]++
	}
	if got := fmt.Sprint(states); got != "map[queued:5 sent:21]" || f.Counts().Arrived != 21 {
		t.Errorf("%s; %d calls", got, f.Counts().Arrived)
	}
}

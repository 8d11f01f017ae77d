package fcm_test

import (
	"testing"

	"peal/api"
	emulator "peal/emulator/fcm"
	"peal/internal/peal"
	"peal/internal/provider"
)

// TestBudget: as many collapsible messages as the budget has are taken, and the next is not.
func TestBudget(t *testing.T) {
	t.Parallel()
	b := setup(t, emulator.Options{})
	key := api.Push{Body: "x", CollapseKey: "k"}
	m := b.phone(emulator.Android, key)
	budgeter := b.client.(provider.Budgeter)
	most := budgeter.Budget().Burst
	for i := range most + 1 {
		if out := b.client.Send(t.Context(), m); (out.Class == peal.ClassAccepted) != (i < most) {
			t.Fatalf("number %d: %+v", i+1, out)
		}
	}
	for _, over := range []string{`{"android":{"collapseKey":"k"}}`, `{"android":{"collapse_key":"k"}}`} {
		if !budgeter.Within(b.phone(emulator.Android, api.Push{Body: "x", Overrides: api.PushOverrides{FCM: []byte(over)}})) {
			t.Errorf("%s: not counted", over)
		}
	}
	if !budgeter.Within(m) || budgeter.Within(b.phone(emulator.IOS, key)) || budgeter.Within(b.phone(emulator.Android, api.Push{Body: "x"})) {
		t.Error("other messages are meant than Android's with a collapse key")
	}
}

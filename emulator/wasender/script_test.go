package wasender_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"peal/emulator/wasender"
)

func TestMixedShapesAreSeeded(t *testing.T) {
	t.Parallel()
	run := func() []string {
		clk := newClock()
		b := setup(t, wasender.Options{Now: clk.Now, Script: &wasender.Script{
			Steps: wasender.StatusScript(0, 1, 2, 3, 4, 5).Steps, Shape: wasender.Shape{Mixed: true}, Seed: 3,
		}})
		for range 10 {
			b.text("x")
		}
		b.idle()
		var bodies []string
		for _, h := range b.recv.hooks() {
			bodies = append(bodies, h.body)
		}
		slices.Sort(bodies)
		return bodies
	}
	first := run()
	if !slices.Equal(first, run()) {
		t.Error("one seed, two results")
	}
	all := strings.Join(first, "\n")
	for _, part := range []string{`"data":[`, `"data":{`, `"status":"read"`, `"status":4`, `@lid`, `@s.whatsapp.net`, `"sessionId":"1"`, `"timestamp":1700000000}`, `"timestamp":1700000000000}`} {
		if !strings.Contains(all, part) {
			t.Errorf("no event with %s", part)
		}
	}
}

func TestOrders(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		script wasender.Script
		want   string
	}{
		"reverse":       {wasender.Script{Order: wasender.OrderReverse, Steps: wasender.StatusScript(time.Millisecond, 2, 3, 4).Steps}, "4 3 2"},
		"shuffle":       {wasender.Script{Order: wasender.OrderShuffle, Seed: 5, Steps: wasender.StatusScript(time.Millisecond, 1, 2, 3, 4, 5).Steps}, ""},
		"twice":         {wasender.Script{Steps: []wasender.Step{{Status: 2, Times: 2}, {Status: 3}}}, "2 2 3"},
		"all doubled":   {wasender.Script{DuplicateChance: 1, Steps: wasender.StatusScript(0, 2, 3).Steps}, "2 2 3 3"},
		"one dropped":   {wasender.Script{Steps: []wasender.Step{{Status: 2}, {Status: 3, Drop: true}, {Status: 4}}}, "2 4"},
		"all dropped":   {wasender.Script{DropChance: 1, Steps: wasender.StatusScript(0, 2, 3).Steps}, ""},
		"failed":        {wasender.Script{Steps: wasender.StatusScript(0, 2, 0).Steps}, "2 0"},
		"late downward": {wasender.Script{Steps: wasender.StatusScript(time.Millisecond, 4, 2).Steps}, "4 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, wasender.Options{Script: &tc.script})
			id := b.text("x")
			b.idle()
			got := statuses(b, b.recv.hooks())
			if name == "shuffle" {
				if slices.IsSorted(got) {
					t.Errorf("not shuffled: %v", got)
				}
				slices.Sort(got)
				tc.want = "1 2 3 4 5"
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("statuses %v, want %s", got, tc.want)
			}
			want := 0
			for _, st := range tc.script.Steps {
				want = max(want, st.Status)
			}
			if name == "failed" {
				want = wasender.StatusError
			}
			if m, _ := b.emu.Message(id); m.Status != want {
				t.Errorf("status %d, want %d: it moves whatever is posted", m.Status, want)
			}
		})
	}
}

func TestScriptOfOneRecipient(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{Script: script(wasender.Shape{}, 2), NotOnWhatsApp: []string{"+4900000001"}})
	if err := b.emu.SetScriptFor("+4900000002", wasender.StatusScript(0, 4)); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{phone, "+4900000001", "+4900000002"} {
		b.send(`{"to":"`+to+`","text":"x"}`, 200)
	}
	b.idle()
	for id, want := range map[int64]int{100000: 2, 100001: 0, 100002: 4} {
		if m, _ := b.emu.Message(id); m.Status != want {
			t.Errorf("%s: status %d, want %d", m.To, m.Status, want)
		}
	}
}

func TestScriptValidation(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	for want, sc := range map[string]wasender.Script{
		"order":              {Order: "random"},
		"drop_chance":        {DropChance: 2},
		"duplicate_chance":   {DuplicateChance: -1},
		"shape.data":         {Shape: wasender.Shape{Data: "list"}},
		"steps[1].status":    {Steps: []wasender.Step{{}, {Status: 6}}},
		"steps[0].event":     {Steps: []wasender.Step{{Event: "call"}}},
		"steps[0].delay":     {Steps: []wasender.Step{{Delay: -1}}},
		"steps[0].times":     {Steps: []wasender.Step{{Times: -1}}},
		"steps[0].shape.sta": {Steps: []wasender.Step{{Shape: &wasender.Shape{Status: "x"}}}},
		"at most":            {Steps: make([]wasender.Step, 101)},
	} {
		if err := b.emu.SetScript(sc); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

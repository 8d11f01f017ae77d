package storetest

import (
	"bytes"
	"time"

	"peal/internal/pipeline"
)

func heldCases() []testCase {
	return []testCase{{"what is held reads back in order until it is dropped", held}}
}

func held(b *bundle) {
	large := bytes.Repeat([]byte{0, 1, 0xff}, 1<<20) // as large as a webhook may be
	bodies := [][]byte{[]byte("one"), large, []byte("three")}
	for i, body := range bodies {
		b.ok(b.HoldCallback(b.Context(), "in", b.clock.now().Add(time.Duration(i)*time.Second), body))
	}
	all, err := b.HeldCallbacks(b.Context(), false, "", 10)
	b.ok(err)
	if len(all) != len(bodies) {
		b.Fatalf("%d are held, want %d", len(all), len(bodies))
	}
	for i, h := range all {
		want := pipeline.Held{ID: h.ID, IntegrationID: "in", ReceivedAt: b.clock.now().Add(time.Duration(i) * time.Second), Body: bodies[i]}
		b.same("held", h, want)
	}
	rest, err := b.HeldCallbacks(b.Context(), false, all[0].ID, 1)
	b.ok(err)
	b.same("after the first, one", rest, all[1:2])

	b.ok(b.HeldFolded(b.Context(), all[0].ID))
	b.ok(b.HeldFolded(b.Context(), "nobody's"))
	rest, err = b.HeldCallbacks(b.Context(), false, "", 10)
	b.ok(err)
	b.same("not folded in", rest, all[1:])
	rest, err = b.HeldCallbacks(b.Context(), true, "", 10)
	b.ok(err)
	all[0].Folded = true
	b.same("folded in", rest, all[:1])

	b.ok(b.DropHeld(b.Context(), []string{all[0].ID, all[2].ID, "nobody's"}))
	b.ok(b.DropHeld(b.Context(), []string{all[0].ID}))
	b.ok(b.DropHeld(b.Context(), nil))
	rest, err = b.HeldCallbacks(b.Context(), false, "", 10)
	b.ok(err)
	b.same("left", rest, all[1:2])
}

package ledger_test

import (
	"log/slog"
	"testing"

	"peal/internal/peal"
	"peal/internal/pipeline/ledger"
)

// explosive panics when it is asked after one integration.
type explosive struct {
	known

	bad string
}

// ByID implements ledger.Integrations.
func (e explosive) ByID(id string) *peal.Integration {
	if id == e.bad {
		panic("a bug in the directory")
	}
	return e.known.ByID(id)
}

// TestAPoisonedRowDoesNotStopTheWalk: one row makes the code panic; all others get their jobs.
func TestAPoisonedRowDoesNotStopTheWalk(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := b.accept(3, func(d *peal.Delivery) { d.IntegrationID = "in" })
	b.accept(1, func(d *peal.Delivery) { d.IntegrationID = "bad" })
	l := ledger.New(ledger.Config{
		Records: b.store, Jobs: b.stream, Integrations: explosive{known{"in": true}, "bad"}, Metrics: b.metrics,
		Log: slog.New(slog.DiscardHandler),
	})
	b.walked(l, true, len(before))
	b.each(b.jobs(len(before)), before...)
}

package storetest

import (
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// uncertainCounts fails the test unless the filter chooses so many.
func (b *bundle) uncertainCounts(f peal.UncertainFilter, matched, expired int64) {
	b.Helper()
	m, e, err := b.UncertainCounts(b.Context(), "a", f)
	b.ok(err)
	if m != matched || e != expired {
		b.Errorf("%+v chooses %d, %d of them past sending; want %d, %d", f, m, e, matched, expired)
	}
}

func (b *bundle) resolveAll(f peal.UncertainFilter, v peal.Verdict, limit int, want int64) []pipeline.Job {
	b.Helper()
	n, jobs, err := b.ResolveAll(b.Context(), "a", f, v, limit)
	b.ok(err)
	if n != want {
		b.Errorf("%+v resolved %d, want %d", f, n, want)
	}
	return jobs
}

func resolveAll(b *bundle) {
	in, other := b.integration("a"), b.integration("a")
	start := b.clock.now()
	one, two := b.lost(in, time.Minute), b.lost(in, time.Minute)
	b.clock.advance(time.Minute)
	three, foreign := b.lost(other, time.Minute), b.lost(b.integration("b"), time.Minute)
	b.sent(in)
	waits := b.accept(in)
	late := b.clock.now()
	all := peal.UncertainFilter{}
	b.uncertainCounts(all, 3, 0)
	b.uncertainCounts(peal.UncertainFilter{IntegrationID: in.ID}, 2, 0)
	b.uncertainCounts(peal.UncertainFilter{IDs: []string{three.DeliveryID, foreign.DeliveryID, waits.ID}}, 1, 0)
	b.uncertainCounts(peal.UncertainFilter{Since: late}, 1, 0)
	b.uncertainCounts(peal.UncertainFilter{Until: late}, 2, 0)
	b.uncertainCounts(peal.UncertainFilter{ErrorCode: "unknown_code", Since: start}, 3, 0)
	b.uncertainCounts(peal.UncertainFilter{ErrorCode: "other"}, 0, 0)

	failed := peal.Verdict{As: peal.Failed, Note: "an outage"}
	b.resolveAll(peal.UncertainFilter{IntegrationID: in.ID}, failed, 1, 1)
	b.status(row(&one), peal.Failed)
	b.status(row(&two), peal.Uncertain)
	if jobs := b.resolveAll(peal.UncertainFilter{IntegrationID: in.ID}, failed, 10, 1); len(jobs) != 0 {
		b.Errorf("jobs %+v for what has failed", jobs)
	}
	b.resolveAll(peal.UncertainFilter{IDs: []string{three.DeliveryID, foreign.DeliveryID}}, peal.Verdict{As: peal.Sent}, 10, 1)
	if got := b.status(row(&three), peal.Sent); got.SentAt.IsZero() {
		b.Errorf("as sent: %+v", got)
	}
	b.same("timeline", b.timeline(row(&two)), []string{"queued queued", "attempt uncertain", "resolved failed"})
	b.resolveAll(all, failed, 10, 0)
	b.status(row(&foreign), peal.Uncertain)
	b.status(waits, peal.Queued)
}

func resolvePaced(b *bundle) {
	in := b.integration("a")
	one, two, three := b.lost(in, time.Minute), b.lost(in, time.Minute), b.lost(in, time.Minute)
	now := b.clock.advance(time.Minute)
	v := peal.Verdict{As: peal.Queued, Note: "again", Pace: peal.Pace{Start: time.Second, Spacing: 2 * time.Second}}
	jobs := b.resolveAll(peal.UncertainFilter{IDs: []string{one.DeliveryID, two.DeliveryID}}, v, 10, 2)
	job := func(l *pipeline.Lost, due time.Time) pipeline.Job {
		return pipeline.Job{IntegrationID: in.ID, DeliveryID: l.DeliveryID, Due: due}
	}
	b.same("jobs", jobs, []pipeline.Job{job(&one, now.Add(time.Second)), job(&two, now.Add(3*time.Second))})
	if got := b.status(row(&two), peal.Queued); got.Round != 1 || !got.DueAt.Equal(now.Add(3*time.Second)) {
		b.Errorf("to be sent again: %+v", got)
	}
	v.Pace = peal.Pace{}
	b.same("at once", b.resolveAll(peal.UncertainFilter{}, v, 10, 1), []pipeline.Job{job(&three, time.Time{})})
}

func resolveSpares(b *bundle) {
	in, gone := b.registered("a"), b.registered("a")
	over, orphan := b.lost(in, time.Minute, expires(b.clock.now().Add(time.Minute))), b.lost(gone, time.Minute)
	_, err := b.DeleteIntegration(b.Context(), "a", gone.ID)
	b.ok(err)
	b.clock.advance(time.Minute)
	b.uncertainCounts(peal.UncertainFilter{}, 2, 2)
	b.resolveAll(peal.UncertainFilter{}, peal.Verdict{As: peal.Queued}, 10, 0)
	b.status(row(&over), peal.Uncertain)
	job, err := b.Resolve(b.Context(), "a", orphan.DeliveryID, peal.Queued, "")
	b.refused(err, peal.Conflict)
	if job != nil {
		b.Error("a job for an integration that is no more")
	}
	b.status(row(&orphan), peal.Uncertain)
	b.resolveAll(peal.UncertainFilter{}, peal.Verdict{As: peal.Failed}, 10, 2)
}

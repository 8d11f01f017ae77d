package pipeline_test

import (
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

func TestSubjectsNameTheirDelivery(t *testing.T) {
	t.Parallel()
	in, id := peal.NewID(), peal.NewID()
	for _, subject := range []string{pipeline.DeliverSubject(in, 3, peal.Bulk, id), pipeline.LaterSubject(id), pipeline.CallbackSubject(id)} {
		if got := pipeline.DeliveryOf(subject); got != id {
			t.Errorf("%s names %s", subject, got)
		}
	}
	if got, want := pipeline.DeliverSubject("in", 3, peal.Critical, "d"), "deliver.in.3.critical.d"; got != want {
		t.Errorf("the subject is %s, want %s", got, want)
	}
	if got, want := pipeline.DeliverFilter("in", 0, peal.Normal), "deliver.in.0.normal.*"; got != want {
		t.Errorf("the filter is %s, want %s", got, want)
	}
}

func TestOnlyWhatIsQueuedHasAJob(t *testing.T) {
	t.Parallel()
	due := time.Now()
	sub := pipeline.Submission{Deliveries: []peal.Delivery{
		{ID: "a", IntegrationID: "in", Status: peal.Queued, DueAt: due}, {ID: "b", IntegrationID: "in", Status: peal.Skipped},
	}}
	jobs := sub.Jobs()
	if len(jobs) != 1 || jobs[0] != (pipeline.Job{IntegrationID: "in", DeliveryID: "a", Due: due}) {
		t.Errorf("jobs are %+v", jobs)
	}
}

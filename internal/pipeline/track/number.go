package track

import (
	"context"
	"time"

	"peal/internal/peal"
)

// Numbers keep what providers say of sending numbers.
type Numbers interface {
	PutNumber(ctx context.Context, tenantID, integrationID string, news peal.NumberState) (before, after peal.NumberState, err error)
}

// numberNews are what a webhook says of a number.
type numberNews struct {
	in    *peal.Integration
	state *peal.NumberState
}

// numbered writes down what a webhook says of numbers. It is false when that could not be done: then the webhook is to come
// again, which changes nothing else.
func (f *Folder) numbered(ctx context.Context, o *opened) bool {
	if f.Numbers == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), foldTime)
	defer cancel()
	for _, n := range o.numbers {
		if !f.noted(ctx, o, "news of a number", func() error { return f.number(ctx, n, o.callback.ReceivedAt) }) {
			return false
		}
	}
	return true
}

func (f *Folder) number(ctx context.Context, n numberNews, received time.Time) error {
	news := *n.state
	if !news.At.IsZero() { // some time in that second
		news.At = news.At.Truncate(time.Second).Add(time.Second - time.Microsecond)
	}
	if news.At.IsZero() || news.At.After(received) {
		news.At = received
	}
	if news.Alert != "" {
		news.AlertAt = news.At
	}
	before, after, err := f.Numbers.PutNumber(ctx, n.in.TenantID, n.in.ID, news)
	if err == nil && !before.Same(after) {
		f.Log.Warn("the provider says something new of the number", "integration_id", n.in.ID, "quality", after.Quality, "tier", after.Tier,
			"throughput", after.Throughput, "status", after.Status, "alert", after.Alert)
	}
	return err
}

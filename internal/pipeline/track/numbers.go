package track

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"peal/internal/metrics"
	"peal/internal/peal"
	"peal/internal/provider"
)

const (
	numberLook  = 5 * time.Second  // how often it is looked which numbers are to be asked for
	numberEvery = time.Hour        // how often a provider is asked: it allows few such calls
	numberSoon  = time.Minute      // between that and asking again, after a webhook that says only a part
	reachEvery  = 10 * time.Minute // how often it is counted whom a number reached
	reachTime   = 24 * time.Hour   // for which a messaging limit is
	numberTime  = 30 * time.Second
)

// NumberRecords is where what is known of numbers is kept.
type NumberRecords interface {
	Numbers

	Number(ctx context.Context, integrationID string) (n peal.NumberState, ok bool, err error)
	Reached(ctx context.Context, tenantID, integrationID string, since time.Time) (int64, error)
}

// Accounts are integrations that tell when they change.
type Accounts interface {
	Integrations

	Changed() <-chan struct{}
}

// NumberWatch asks providers now and then what they say of the numbers that integrations send from, and counts how much of
// their messaging limit is used. One node does.
type NumberWatch struct {
	Integrations Accounts
	Records      NumberRecords
	Env          provider.Env
	Metrics      *metrics.Metrics
	Log          *slog.Logger
	Now          func() time.Time

	failed map[string]failure // by integration
}

// failure is a try that did not succeed.
type failure struct {
	version int64
	at      time.Time
}

// Run asks until ctx ends.
func (w *NumberWatch) Run(ctx context.Context) error {
	w.failed = map[string]failure{}
	tick := time.NewTicker(numberLook)
	defer tick.Stop()
	for {
		changed := w.Integrations.Changed()
		for _, in := range w.Integrations.All() {
			if ctx.Err() != nil {
				return nil
			}
			if err := w.watch(ctx, in); err != nil && ctx.Err() == nil {
				w.failed[in.ID] = failure{in.Version, w.Now()}
				w.Log.Warn("the number's state is not known; it is asked for again later", "integration_id", in.ID, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-changed:
		}
	}
}

// watch brings what is known of one integration's number up to date.
func (w *NumberWatch) watch(ctx context.Context, in *peal.Integration) error {
	kind, _ := w.Integrations.Kind(in.Kind)
	if _, ok := kind.(provider.NumberKind); !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, numberTime)
	defer cancel()
	n, _, err := w.Records.Number(ctx, in.ID)
	if err != nil {
		return err
	}
	now := w.Now()
	if w.due(in, &n, now) {
		if n, err = w.ask(ctx, kind, in); err != nil {
			return err
		}
		delete(w.failed, in.ID)
	}
	if n.Limit > 0 && now.Sub(n.UsedAt) >= reachEvery && !w.failedWithin(in, now, reachEvery) {
		used, err := w.Records.Reached(ctx, in.TenantID, in.ID, now.Add(-reachTime))
		if err != nil {
			return err
		}
		if _, n, err = w.Records.PutNumber(ctx, in.TenantID, in.ID, peal.NumberState{Used: used, UsedAt: now, At: n.At}); err != nil {
			return err
		}
	}
	w.measure(in.ID, &n)
	return nil
}

// due tells whether the provider is to be asked: never before, not for long, or soon after news that say only a part.
func (w *NumberWatch) due(in *peal.Integration, n *peal.NumberState, now time.Time) bool {
	if w.failedWithin(in, now, numberEvery) {
		return false
	}
	since := now.Sub(n.AskedAt)
	return since >= numberEvery || (n.At.After(n.AskedAt) && since >= numberSoon)
}

// failedWithin tells whether the last try did not succeed, not longer ago than that.
func (w *NumberWatch) failedWithin(in *peal.Integration, now time.Time, long time.Duration) bool {
	f, ok := w.failed[in.ID]
	return ok && f.version == in.Version && now.Sub(f.at) < long
}

// ask asks the provider. One that does not tell is not asked again for as long as one that did.
func (w *NumberWatch) ask(ctx context.Context, kind provider.Kind, in *peal.Integration) (n peal.NumberState, err error) {
	client, err := kind.Open(in, w.Env)
	if err != nil {
		return n, err
	}
	defer client.Close()
	asked, ok := client.(provider.Numbered)
	if !ok {
		return n, nil
	}
	now := w.Now()
	news, err := asked.Number(ctx)
	var e *provider.Error
	if errors.As(err, &e) && e.Class == peal.ClassPermanent {
		w.Log.Debug("the provider does not tell of the number", "integration_id", in.ID, "error", err)
		news = peal.NumberState{}
	} else if err != nil {
		return n, err
	}
	news.At, news.AskedAt = now, now
	before, after, err := w.Records.PutNumber(ctx, in.TenantID, in.ID, news)
	if err == nil && !before.Same(after) && !before.At.IsZero() {
		w.Log.Warn("the provider says something new of the number", "integration_id", in.ID, "quality", after.Quality, "tier", after.Tier,
			"throughput", after.Throughput, "status", after.Status)
	}
	return after, err
}

// measure shows it to the operator.
func (w *NumberWatch) measure(id string, n *peal.NumberState) {
	if n.Limit != 0 {
		w.Metrics.NumberLimit.WithLabelValues(id).Set(float64(n.Limit))
	}
	if n.Limit > 0 {
		w.Metrics.NumberUsed.WithLabelValues(id).Set(float64(n.Used))
	}
	if level, ok := map[string]float64{"RED": 1, "YELLOW": 2, "GREEN": 3}[n.Quality]; ok {
		w.Metrics.NumberQuality.WithLabelValues(id).Set(level)
	}
}

package track

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"peal/internal/metrics"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/provider"
)

const (
	maxBatch   = 256
	batchBytes = 8 << 20 // from which on a batch is full: a webhook may be megabytes
	prefetch   = 128     // messages on their way from the broker; each may be as large, or many webhooks
	foldTime   = 30 * time.Second
	afterError = time.Second
	maxTries   = 3 // of a webhook on its own, while the records answer otherwise
)

// Records are the rows that receipts belong to.
type Records interface {
	Fold(ctx context.Context, evidence []peal.Evidence) (peal.Folded, error)
	Unreadable(ctx context.Context, integrationID string, received time.Time, reason string, sealed []byte) error
	Ping(ctx context.Context) error
	IntegrationDeleted(ctx context.Context, id string) (bool, error)
}

// Callbacks gives out the webhooks that were kept.
type Callbacks interface {
	OpenCallbacks(ctx context.Context, prefetch int) (*pipeline.Feed, error)
}

// Folder folds kept webhooks into the records.
type Folder struct {
	Integrations Integrations
	Records      Records
	People       People // nil: what people write is not kept
	Jobs         Jobs   // nil: nothing is queued again
	Callbacks    Callbacks
	Held         Held      // nil: nothing is held
	Archive      LateComer // where held webhooks go when they are folded in; nil: nowhere
	Sealer       Sealer
	Metrics      *metrics.Metrics
	Log          *slog.Logger
	Now          func() time.Time
	Sightings    *Sightings // nil: nothing is noted
	Templates    Templates  // nil: no template is known
	Numbers      Numbers    // nil: nothing is kept of them
	// Parked is called when an integration's receipts name messages that no row knows yet.
	Parked func(integrationID string)

	listens  sync.Map // when it was noted of integrations that their webhooks come, by id
	sessions sessions
}

// opened is a webhook that has been understood, or not.
type opened struct {
	message  pipeline.Message
	callback pipeline.Callback
	facts    []provider.Fact // all that it says
	evidence []peal.Evidence
	heard    []peal.Heard
	again    bool // some of it came too early, and is to come again
	sessions []session
	news     []news
	numbers  []numberNews
	err      error // why it could not be understood
}

// received is when it came, as far as it could be opened.
func (o *opened) received(now time.Time) time.Time {
	if o.callback.ReceivedAt.IsZero() {
		return now
	}
	return o.callback.ReceivedAt
}

// Run folds until ctx ends. What it has not finished comes again.
func (f *Folder) Run(ctx context.Context) error {
	if f.Held != nil {
		var holding sync.WaitGroup
		defer holding.Wait()
		holding.Go(func() { f.foldHeld(ctx) })
	}
	for ctx.Err() == nil {
		feed, err := f.Callbacks.OpenCallbacks(ctx, prefetch)
		if err != nil {
			f.Log.Warn("callbacks not opened", "error", err)
			sleep(ctx, afterError)
			continue
		}
		f.consume(ctx, feed.C)
		feed.Stop()
	}
	return nil
}

func (f *Folder) consume(ctx context.Context, c <-chan pipeline.Message) {
	for {
		select {
		case <-ctx.Done():
			return
		case m, ok := <-c:
			if !ok {
				return
			}
			batch, size := []pipeline.Message{m}, len(m.Data())
		more:
			for len(batch) < maxBatch && size < batchBytes {
				select {
				case m, ok := <-c:
					if !ok {
						break more
					}
					batch = append(batch, m)
					size += len(m.Data())
				default:
					break more
				}
			}
			f.fold(ctx, batch)
		}
	}
}

// fold brings a batch into the records in one go; when that fails though the records answer, one by one, so that a
// webhook that cannot be folded does not stand in the way of the others.
func (f *Folder) fold(ctx context.Context, batch []pipeline.Message) {
	batch = f.letGo(batch)
	all := make([]opened, len(batch))
	var evidence []peal.Evidence
	var heard []peal.Heard
	var failed error
	for i, m := range batch {
		all[i] = f.open(m)
		if err := f.fallBack(&all[i]); err != nil {
			failed = err
		}
		evidence = append(evidence, all[i].evidence...)
		heard = append(heard, all[i].heard...)
	}
	if failed == nil {
		failed = f.keep(evidence, heard)
	}
	if err := failed; err != nil {
		f.Log.Warn("webhooks not folded together; going one by one", "webhooks", len(batch), "error", err)
		for i := range all {
			f.foldOne(ctx, &all[i])
		}
		return
	}
	for i := range all {
		f.finish(ctx, &all[i])
	}
}

func (f *Folder) foldOne(ctx context.Context, o *opened) {
	for try := 1; ctx.Err() == nil; {
		err := f.fallBack(o)
		if err == nil {
			err = f.keep(o.evidence, o.heard)
		}
		if err == nil {
			f.finish(ctx, o)
			return
		}
		pctx, cancel := context.WithTimeout(ctx, foldTime)
		alive := f.Records.Ping(pctx) == nil
		cancel()
		if alive {
			try++
		}
		if try > maxTries {
			o.err = fmt.Errorf("it could not be folded: %w", err)
			f.finish(ctx, o)
			return
		}
		sleep(ctx, afterError)
	}
	f.giveBack(o.message)
}

// keep writes receipts and what people say. Evidence goes first: what somebody answers is found by it.
func (f *Folder) keep(evidence []peal.Evidence, heard []peal.Heard) error {
	if err := f.write(evidence); err != nil {
		return err
	}
	return f.hear(heard)
}

func (f *Folder) write(evidence []peal.Evidence) error {
	if len(evidence) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), foldTime)
	defer cancel()
	return f.guard("fold", func() error {
		folded, err := f.Records.Fold(ctx, evidence)
		if err != nil {
			return err
		}
		f.count(&folded)
		return nil
	})
}

func (f *Folder) count(folded *peal.Folded) {
	for _, m := range folded.Moved {
		f.Metrics.Moved.WithLabelValues(m.IntegrationID, string(m.Status)).Inc()
	}
	f.Metrics.Parked.Add(float64(len(folded.Parked)))
	told := map[string]bool{}
	for _, id := range folded.Parked {
		if !told[id] && f.Parked != nil {
			f.Parked(id)
		}
		told[id] = true
	}
}

// errGone is of a webhook whose integration this node does not see.
var errGone = errors.New("its integration is no more")

// open unseals and understands a webhook. It never fails: what is wrong is in the result.
func (f *Folder) open(m pipeline.Message) (o opened) {
	o.message = m
	o.callback.IntegrationID = pipeline.DeliveryOf(m.Subject())
	in := f.Integrations.ByID(o.callback.IntegrationID)
	if in == nil {
		o.err = errGone
		return o
	}
	if err := f.unseal(m.Data(), &o.callback); err != nil {
		o.err = fmt.Errorf("it could not be opened: %w", err)
		return o
	}
	if o.err = f.guard("parsing", func() error { return f.parse(in, &o) }); o.err != nil {
		o.evidence, o.heard, o.sessions, o.news, o.numbers = nil, nil, nil, nil, nil // half of it is none of it
	}
	return o
}

// unseal opens a webhook that has its integration.
func (f *Folder) unseal(sealed []byte, c *pipeline.Callback) error {
	return f.guard("opening", func() error {
		raw, err := f.Sealer.Open(sealed, "callback:"+c.IntegrationID)
		if err != nil {
			return err
		}
		return pipeline.DecodeCallback(raw, c)
	})
}

func (f *Folder) parse(in *peal.Integration, o *opened) error {
	kind, ok := f.Integrations.Kind(in.Kind)
	if !ok {
		return fmt.Errorf("this binary has no provider %q", in.Kind)
	}
	facts, err := kind.ParseWebhook(o.callback.Header, o.callback.Body)
	if err != nil {
		return fmt.Errorf("it could not be understood: %w", err)
	}
	o.facts = facts
	for _, fact := range facts {
		if e := fact.Evidence; e != nil {
			e.TenantID, e.IntegrationID = in.TenantID, in.ID
			e.Keyless = len(kind.Defaults().Checks) == 0
			o.evidence = append(o.evidence, *e)
		}
		if h := fact.Session; h != nil {
			o.sessions = append(o.sessions, session{in, *h})
		}
		if n := fact.Number; n != nil {
			o.numbers = append(o.numbers, numberNews{in, n})
		}
		if t := fact.Template; t != nil {
			o.news = append(o.news, news{in, t})
		}
		if h, ok := f.said(in, &fact, o.callback.ReceivedAt); ok {
			o.heard = append(o.heard, h)
		}
	}
	return nil
}

// finish does what is left of a webhook whose evidence is in the records, and lets it go.
func (f *Folder) finish(ctx context.Context, o *opened) {
	f.listen(o)
	if len(o.evidence) > 0 {
		f.Sightings.receipt(o.callback.IntegrationID, o.callback.ReceivedAt)
	}
	for _, s := range o.sessions {
		if err := f.guard("sessions", func() error { f.session(ctx, s); return nil }); err != nil && o.err == nil {
			o.err = err
		}
	}
	if !f.heard(ctx, o) || !f.numbered(ctx, o) {
		time.AfterFunc(afterError, func() { f.giveBack(o.message) })
		return
	}
	if errors.Is(o.err, errGone) && !f.gone(ctx, o.callback.IntegrationID) {
		time.AfterFunc(afterError, func() { f.giveBack(o.message) })
		return
	}
	if o.err != nil {
		wctx, cancel := context.WithTimeout(context.Background(), foldTime)
		err := f.Records.Unreadable(wctx, o.callback.IntegrationID, o.received(f.Now()), o.err.Error(), o.message.Data())
		cancel()
		if err != nil {
			f.Log.Warn("unreadable webhook not kept; it comes again", "error", err)
			f.giveBack(o.message)
			return
		}
		f.Metrics.Unreadable.Inc()
		f.Log.Warn("webhook kept as unreadable", "integration_id", o.callback.IntegrationID, "reason", o.err)
	}
	if o.again && o.err == nil {
		time.AfterFunc(afterError, func() { f.giveBack(o.message) })
		return
	}
	if err := o.message.Ack(); err != nil {
		f.Log.Debug("webhook not acknowledged; it comes again and changes nothing", "error", err)
	}
}

// noted records what a webhook tells beside receipts; false when it has to come again, since the records are away. What
// cannot be recorded though they answer makes it an unreadable one.
func (f *Folder) noted(ctx context.Context, o *opened, what string, record func() error) bool {
	for try := 1; ; try++ {
		var failed error
		if err := f.guard(what, func() error { failed = record(); return nil }); err != nil {
			failed, try = err, maxTries // its code fails on it, and would again
		}
		if failed == nil {
			return true
		}
		if ctx.Err() != nil || f.Records.Ping(ctx) != nil {
			f.Log.Warn(what+" not recorded; the webhook comes again", "integration_id", o.callback.IntegrationID, "error", failed)
			return false
		}
		if try >= maxTries {
			if o.err == nil {
				o.err = fmt.Errorf("%s could not be recorded: %w", what, failed)
			}
			return true
		}
		sleep(ctx, afterError)
	}
}

// gone tells whether the records say so, too. An integration that was made a moment ago on another node, or whose
// credentials cannot be opened here, is not gone, and its webhooks are for somebody else, or for later.
func (f *Folder) gone(ctx context.Context, id string) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), foldTime)
	defer cancel()
	deleted, err := f.Records.IntegrationDeleted(ctx, id)
	if err == nil && !deleted {
		f.Log.Debug("webhook of an integration that is not known here yet; it comes again", "integration_id", id)
	}
	return err == nil && deleted
}

func (f *Folder) giveBack(m pipeline.Message) {
	if err := m.Nak(); err != nil {
		f.Log.Debug("webhook not given back; it comes again by itself", "error", err)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

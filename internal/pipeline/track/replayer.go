package track

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// Replays are what is to be run through the parser again, and the rows that it may change.
type Replays interface {
	OpenReplay(ctx context.Context) (r peal.CallbackReplay, there bool, err error)
	SaveReplay(ctx context.Context, r *peal.CallbackReplay) error
	Refold(ctx context.Context, evidence []peal.Retold) (peal.Refolded, error)
}

// Unreadables are the webhooks that could not be understood.
type Unreadables interface {
	UnreadableAfter(ctx context.Context, integrationIDs []string, after int64, since, until time.Time, limit int) ([]peal.Unreadable, error)
	UnreadableBy(ctx context.Context, id int64) (peal.Unreadable, error)
	WhyUnreadable(ctx context.Context, marks []string) (map[string]string, error)
	ForgetUnreadable(ctx context.Context, marks []string) (int64, error)
}

// Library is where kept webhooks are read.
type Library interface {
	Archive(ctx context.Context) (pipeline.Archive, error)
	Backlog(ctx context.Context) (uint64, error)
	Callbacks(ctx context.Context, integrationIDs []string, from uint64, since time.Time, limit int) (page []pipeline.Kept, more bool, err error)
	CallbacksAt(ctx context.Context, seq uint64) ([]pipeline.Kept, error)
}

// Replayer runs kept webhooks through the parser again, in the background. Receipts are folded in again, and what people wrote
// is taken in, which changes nothing that was right. News of accounts, templates and numbers is left out: it is old.
type Replayer struct {
	Folder      *Folder
	Replays     Replays
	Unreadables Unreadables
	Library     Library
	Retention   time.Duration // of the records: what people wrote before that has left them, and stays out. 0: nothing leaves
	Log         *slog.Logger
	Now         func() time.Time

	wake chan struct{}
}

const (
	replayBatch = 64
	replayEvery = 5 * time.Second
	// liveFirst is how many webhooks may wait to be folded in while others are replayed.
	liveFirst = 1000
)

// NewReplayer makes a Replayer.
func NewReplayer(r Replayer) *Replayer {
	r.wake = make(chan struct{}, 1)
	return &r
}

// Wake has it look at once.
func (r *Replayer) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run replays what is to be replayed, one after the other, until ctx ends. A replay that is interrupted goes on where it was.
func (r *Replayer) Run(ctx context.Context) error {
	tick := time.NewTicker(replayEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		replay, there, err := r.Replays.OpenReplay(ctx)
		if err == nil && there {
			err = r.replay(ctx, &replay)
			if err == nil {
				continue
			}
		}
		if err != nil && ctx.Err() == nil {
			r.Log.Warn("replay of webhooks interrupted; it goes on", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-r.wake:
		}
	}
	return nil
}

// replay runs one to its end.
func (r *Replayer) replay(ctx context.Context, p *peal.CallbackReplay) error {
	for p.EndedAt.IsZero() {
		if err := r.giveWay(ctx); err != nil {
			return err
		}
		start := time.Now()
		if err := r.step(ctx, p); err != nil {
			return err
		}
		if err := r.Replays.SaveReplay(ctx, p); err != nil {
			return err
		}
		if p.EndedAt.IsZero() {
			sleep(ctx, time.Since(start)) // half of the time is for others
		}
	}
	r.Log.Info("webhooks replayed", "integration_id", p.IntegrationID, "read", p.Read, "changed", p.Changed, "mended", p.Mended,
		"unreadable", p.Unreadable, "dry_run", p.DryRun, "failure", p.Failure)
	return nil
}

// giveWay waits while live webhooks pile up.
func (r *Replayer) giveWay(ctx context.Context) error {
	for {
		n, err := r.Library.Backlog(ctx)
		if err != nil || n < liveFirst {
			return err
		}
		if sleep(ctx, afterError); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// step does the next few, and notes how far it is.
func (r *Replayer) step(ctx context.Context, p *peal.CallbackReplay) error {
	if r.Folder.Integrations.ByID(p.IntegrationID) == nil {
		gone, err := r.Folder.Records.IntegrationDeleted(ctx, p.IntegrationID)
		if err != nil {
			return err
		}
		if !gone {
			return fmt.Errorf("integration %s is not known here yet", p.IntegrationID)
		}
		p.EndedAt, p.Failure = r.Now(), "its integration was deleted"
		return nil
	}
	next := *p
	kept, err := r.next(ctx, &next)
	if err != nil {
		return err
	}
	if len(kept) == 0 {
		p.Last, p.EndedAt = next.Last, r.Now()
		return nil
	}
	if err := r.again(ctx, &next, kept); err != nil {
		return err
	}
	*p = next
	return nil
}

// again runs some webhooks through the parser, and folds in what they say.
func (r *Replayer) again(ctx context.Context, p *peal.CallbackReplay, kept []pipeline.Kept) error {
	all := make([]opened, len(kept))
	var heard []peal.Retold
	var said []peal.Heard
	var marks []string // of those that are understood
	for i, k := range kept {
		o := r.Folder.open(keptMessage{k})
		all[i] = o
		p.Read++
		p.Facts += int64(len(o.facts))
		if o.err != nil {
			p.Unreadable++
			continue
		}
		marks = append(marks, peal.CallbackMark(k.Body))
		heard = append(heard, o.retold()...)
		if r.Retention == 0 || o.received(k.At).After(r.Now().Add(-r.Retention)) {
			said = append(said, lasting(o.heard)...)
		}
	}
	if !p.DryRun && len(heard) > 0 {
		if err := r.refold(ctx, p, all, heard); err != nil {
			return err
		}
	}
	if !p.DryRun {
		if err := r.Folder.hear(said); err != nil { // a bug of its code must not keep all others from being replayed
			if r.Folder.Records.Ping(ctx) != nil || ctx.Err() != nil {
				return err
			}
			r.Log.Warn("what people wrote was not taken in", "integration_id", p.IntegrationID, "error", err)
		}
	}
	was, err := r.Unreadables.WhyUnreadable(ctx, marks)
	if err != nil {
		return err
	}
	p.Mended += int64(len(was))
	if p.DryRun || len(was) == 0 {
		return nil
	}
	_, err = r.Unreadables.ForgetUnreadable(ctx, marks)
	return err
}

// lasting is what is as true as when it was heard: messages, and words that carry their time. Who moved may have moved since.
func lasting(heard []peal.Heard) (some []peal.Heard) {
	for _, h := range heard {
		if h.Inbound == nil {
			h.Move = nil
		}
		if h.Inbound != nil || h.Consent != nil {
			some = append(some, h)
		}
	}
	return some
}

// retold is the evidence of a webhook.
func (o *opened) retold() []peal.Retold {
	heard := make([]peal.Retold, len(o.evidence))
	for i, e := range o.evidence {
		heard[i] = peal.Retold{Evidence: e, HeardAt: o.callback.ReceivedAt}
	}
	return heard
}

// refold folds evidence in together, and when that fails though the records answer, one webhook after the other.
func (r *Replayer) refold(ctx context.Context, p *peal.CallbackReplay, all []opened, heard []peal.Retold) error {
	err := r.write(ctx, p, heard)
	if err == nil || r.Folder.Records.Ping(ctx) != nil || ctx.Err() != nil {
		return err
	}
	for i := range all {
		if len(all[i].evidence) == 0 {
			continue
		}
		if err := r.write(ctx, p, all[i].retold()); err != nil {
			if r.Folder.Records.Ping(ctx) != nil || ctx.Err() != nil {
				return err
			}
			p.Unreadable++
			r.Log.Warn("replayed webhook not folded in", "integration_id", p.IntegrationID, "error", err)
		}
	}
	return nil
}

func (r *Replayer) write(ctx context.Context, p *peal.CallbackReplay, heard []peal.Retold) error {
	return r.Folder.guard("replay", func() error {
		ctx, cancel := context.WithTimeout(ctx, foldTime)
		defer cancel()
		folded, err := r.Replays.Refold(ctx, heard)
		if err != nil {
			return err
		}
		p.Changed += folded.Changed
		r.Folder.count(&folded.Folded)
		return nil
	})
}

// keptMessage is a kept webhook as if it came from the stream.
type keptMessage struct{ kept pipeline.Kept }

var _ pipeline.Message = keptMessage{}

func (m keptMessage) Subject() string { return pipeline.CallbackSubject(m.kept.IntegrationID) }
func (m keptMessage) Data() []byte    { return m.kept.Body }
func (m keptMessage) Ack() error      { return nil }
func (m keptMessage) Nak() error      { return nil }

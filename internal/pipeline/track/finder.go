package track

import (
	"context"
	"encoding/json"
	"errors"
	"runtime/debug"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/provider"
)

const (
	findBatch   = 500
	maxLogPages = 200             // that are read to find a batch
	maxOthers   = 5000            // deliveries that one batch is compared with
	findRest    = 5 * time.Second // between two readings of a log, and findShare times as long as a reading took
	findShare   = 4
)

// Lost are uncertain deliveries, and what they have to be told from.
type Lost interface {
	DueFinds(ctx context.Context, integrationID string, by time.Time, limit int) ([]pipeline.Lost, error)
	ToldTo(ctx context.Context, tenantID string, recipients []string, since time.Time, limit int) ([]pipeline.Told, error)
	ToldAs(ctx context.Context, tenantID string, messageIDs []string) ([]pipeline.Told, error)
	Reconcile(ctx context.Context, findings []pipeline.Finding) (pipeline.Reconciled, error)
}

// Jobs hands deliveries that were not sent after all to send.
type Jobs interface {
	Publish(jobs []pipeline.Job)
}

// findAll looks for an integration's lost deliveries that are due. One reading of the log serves a whole batch; where
// something is lost again and again, the readings keep their distance, or look-ups would do nothing else.
func (c *Checker) findAll(ctx context.Context, in *peal.Integration) {
	kind, ok := c.Integrations.Kind(in.Kind)
	if !ok || len(kind.Defaults().Finds) == 0 {
		return
	}
	start := c.Now()
	c.mu.Lock()
	early := start.Before(c.reads[in.ID])
	c.mu.Unlock()
	if early {
		return
	}
	rows, err := c.Lost.DueFinds(ctx, in.ID, start, findBatch)
	if err != nil {
		c.Log.Warn("lost deliveries not read", "integration_id", in.ID, "error", err)
		return
	}
	if len(rows) == 0 {
		return
	}
	c.find(ctx, in, kind, rows)
	end := c.Now()
	c.mu.Lock()
	c.reads[in.ID] = end.Add(max(findRest, findShare*end.Sub(start)))
	c.mu.Unlock()
}

// find looks for a batch of lost deliveries, and writes what it found.
func (c *Checker) find(ctx context.Context, in *peal.Integration, kind provider.Kind, rows []pipeline.Lost) {
	findings, err := c.findings(ctx, in, kind, rows)
	var done pipeline.Reconciled
	if err == nil {
		done, err = c.Lost.Reconcile(ctx, findings)
	}
	if err != nil {
		if ctx.Err() == nil {
			c.Log.Warn("lost deliveries not looked for; they are later", "integration_id", in.ID, "error", err)
			c.rest(in.ID, c.Now().Add(checkRest))
		}
		return
	}
	for _, m := range done.Moved {
		c.Metrics.Moved.WithLabelValues(m.IntegrationID, string(m.Status)).Inc()
	}
	if len(done.Moved) > 0 {
		c.Log.Info("lost deliveries settled by the provider's log", "integration_id", in.ID, "deliveries", len(done.Moved), "requeued", len(done.Jobs))
	}
	c.Jobs.Publish(done.Jobs)
}

func (c *Checker) findings(ctx context.Context, in *peal.Integration, kind provider.Kind, rows []pipeline.Lost) ([]pipeline.Finding, error) {
	if in.OnUnknown != peal.Reconcile { // it was, when they were lost
		findings := make([]pipeline.Finding, len(rows))
		for i := range rows {
			findings[i].Lost = rows[i]
		}
		return findings, nil
	}
	findings, err := c.lookInto(ctx, in, kind, rows)
	if pe, ok := errors.AsType[*provider.Error](err); ok && ctx.Err() == nil {
		c.Log.Debug("the provider's log was not read", "integration_id", in.ID, "deliveries", len(rows), "error", err)
		return c.postpone(rows, pe, kind.Defaults().Finds), nil
	}
	return findings, err
}

// postpone is for when the log could not be read: not long, if that passes by itself.
func (c *Checker) postpone(rows []pipeline.Lost, pe *provider.Error, finds []time.Duration) []pipeline.Finding {
	now := c.Now()
	findings := make([]pipeline.Finding, len(rows))
	for i := range rows {
		f := pipeline.Finding{Lost: rows[i], Check: nextCheck(rows[i].To, now, finds), Detail: "the provider's log could not be read: " + pe.Error()}
		again := now.Add(max(checkAgain, pe.RetryAfter))
		if pe.Class != peal.ClassPermanent && now.Sub(f.To) < maxCheckTime && (f.Check.IsZero() || again.Before(f.Check)) {
			f.Check = again
		}
		findings[i] = f
	}
	return findings
}

// lookInto reads the log and judges a batch by it. It fails with a *provider.Error when the log cannot be read, or the
// provider's code panics on it.
func (c *Checker) lookInto(ctx context.Context, in *peal.Integration, kind provider.Kind, rows []pipeline.Lost) (_ []pipeline.Finding, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.Log.Error("looking into the provider's log panicked", "integration_id", in.ID, "panic", peal.PanicText(p), "stack", string(debug.Stack()))
			err = &provider.Error{Class: peal.ClassTemporary, Code: "panic"}
		}
	}()
	client, err := kind.Open(in, c.Env)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	reader, ok := client.(provider.LogReader)
	if !ok {
		return nil, &provider.Error{Class: peal.ClassPermanent, Code: "no_log", Err: errors.New("this provider has no log to look into")}
	}
	since, recipients := rows[0].From, make([]string, len(rows))
	for i := range rows {
		if recipients[i] = rows[i].Recipient; rows[i].From.Before(since) {
			since = rows[i].From
		}
	}
	since = since.Add(-findSkew)
	e, err := c.readLog(ctx, in, reader, since)
	if err != nil {
		return nil, err
	}
	if err := c.compare(ctx, in, reader, e, recipients, since); err != nil {
		return nil, err
	}
	return judgeAll(in, kind, reader, e, rows), nil
}

// judgeAll judges a batch, and says when to look again.
func judgeAll(in *peal.Integration, kind provider.Kind, reader provider.LogReader, e *evidence, rows []pipeline.Lost) []pipeline.Finding {
	findings := make([]pipeline.Finding, len(rows))
	for i := range rows {
		f := e.judge(&rows[i], printOf(reader, rows[i].Payload))
		if f.Next == peal.Queued && f.Attempts-f.Round >= in.MaxAttempts {
			f.Next, f.Detail = "", f.Detail+"; but it has had all its attempts"
		}
		switch f.Next { //nolint:exhaustive // of the others nothing is to be asked again
		case "":
			f.Check = nextCheck(f.To, e.now, kind.Defaults().Finds)
		case peal.Sent:
			if checks := kind.Defaults().Checks; len(checks) > 0 && f.MessageID != "" {
				f.Check = e.now // to learn its key: its receipts may be waiting for that
			}
		}
		findings[i] = f
	}
	return findings
}

// readLog reads the log back to a time. What is read while the log grows is met again on the next page, and taken once.
func (c *Checker) readLog(ctx context.Context, in *peal.Integration, reader provider.LogReader, since time.Time) (*evidence, error) {
	e := &evidence{sorted: true, owners: map[string]told{}}
	seen := map[string]bool{}
	limit := c.limit(in)
	var last time.Time
	for page := 1; page <= maxLogPages; page++ {
		if err := limit.Wait(ctx); err != nil {
			return nil, err
		}
		lctx, cancel := context.WithTimeout(ctx, in.Timeout)
		p, err := reader.ReadLog(lctx, page)
		cancel()
		if err != nil {
			return nil, err
		}
		reached := p.Last
		for _, x := range p.Entries {
			if x.ID != "" && seen[x.ID] {
				continue
			}
			seen[x.ID] = true
			e.sorted = e.sorted && (last.IsZero() || !x.At.After(last))
			last = x.At
			e.entries = append(e.entries, x)
			reached = reached || !x.At.IsZero() && x.At.Before(since)
		}
		if e.whole = reached; reached {
			break
		}
	}
	e.now = c.Now()
	return e, nil
}

// compare brings in what of the log is known to be ours, and who else was told what.
func (c *Checker) compare(ctx context.Context, in *peal.Integration, reader provider.LogReader, e *evidence, recipients []string, since time.Time) error {
	var ids []string
	for i := range e.entries {
		if id := e.entries[i].ID; id != "" {
			ids = append(ids, id)
		}
	}
	ours, err := c.Lost.ToldAs(ctx, in.TenantID, ids)
	if err != nil {
		return err
	}
	for i := range ours {
		e.owners[ours[i].MessageID] = told{ours[i], printOf(reader, ours[i].Payload)}
	}
	// One that has been in doubt since before may have come into the log late.
	others, err := c.Lost.ToldTo(ctx, in.TenantID, recipients, since.Add(-findLate), maxOthers)
	if err != nil {
		return err
	}
	if len(others) == maxOthers {
		return &provider.Error{Class: peal.ClassPermanent, Code: "too_many", Err: errors.New("too many messages to these numbers to tell them apart")}
	}
	for i := range others {
		e.others = append(e.others, told{others[i], printOf(reader, others[i].Payload)})
	}
	return nil
}

// printOf is the fingerprint of a kept content; empty when it cannot be read.
func printOf(reader provider.LogReader, payload json.RawMessage) string {
	var content api.Content
	if json.Unmarshal(payload, &content) != nil {
		return ""
	}
	return reader.Print(&content)
}

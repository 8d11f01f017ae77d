package outbound

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"peal/api"
	"peal/internal/peal"
)

// run calls an endpoint, from the moment that this node has it until it has it no more. One goroutine does it all but the
// calls.
type run struct {
	*Stage

	lease      Lease
	calls      sync.WaitGroup
	e          *peal.Endpoint
	to         *target
	types      []string  // that are asked for; nil for all
	keysUntil  time.Time // when the first of several secrets signs no more
	generation int64
	log        *slog.Logger

	began  string   // where it was in the log
	read   string   // where reading goes on
	more   bool     // there is more than was read
	window []*entry // what was read beyond the cursor, in order
	ahead  map[string]bool
	unread []string // those of them that an earlier run has told, until they are read again
	lines  *lines
	rows   map[string]bool // messages that wait, by their notices

	flying   int
	landed   chan landing
	probes   int // since it answers nothing but failures; only then
	notUntil time.Time
	lookAt   time.Time // when the log is looked at again
	checkAt  time.Time // when it is looked at whether it still has what comes next

	moved time.Time             // when the cursor was last written
	p     peal.EndpointProgress // since the last write
	dirty bool
}

// landing is a call that has ended.
type landing struct {
	l *line
	result

	missing error // there was nothing to tell
}

// begin reads where the endpoint is.
func (s *Stage) begin(ctx context.Context, id string, lease Lease) (*run, error) {
	from, err := s.cfg.Records.StartEndpoint(ctx, id)
	if err != nil {
		return nil, err
	}
	r := &run{
		Stage: s, lease: lease, rows: map[string]bool{}, generation: from.Generation, began: from.Cursor, read: from.Cursor, more: true, ahead: map[string]bool{}, lines: newLines(),
		landed: make(chan landing, s.cfg.InFlight), log: s.cfg.Log.With("endpoint_id", id, "tenant_id", from.TenantID),
	}
	if err := r.use(&from.Endpoint); err != nil {
		return nil, err
	}
	for _, id := range from.Ahead {
		r.ahead[id] = true
	}
	r.unread = from.Ahead
	for i := range from.Messages {
		r.addRow(&from.Messages[i])
	}
	r.p = peal.EndpointProgress{
		TenantID: from.TenantID, EndpointID: id, Generation: from.Generation, Cursor: from.Cursor, CursorAt: from.CursorAt, Ahead: from.Ahead,
		FailingAt: from.FailingAt, OKAt: from.OKAt, FailedAt: from.FailedAt, LastError: from.LastError, Fails: from.Fails, Replay: from.Replay,
	}
	return r, nil
}

// use goes on with an endpoint as it is now.
func (r *run) use(e *peal.Endpoint) error {
	secrets, err := open(r.cfg.Vault, e.ID, e.Secrets, r.cfg.Now())
	if err != nil {
		return err
	}
	keys, err := keysOf(secrets)
	if err != nil {
		return err
	}
	r.keysUntil = time.Time{}
	for _, s := range secrets {
		if !s.Until.IsZero() && (r.keysUntil.IsZero() || s.Until.Before(r.keysUntil)) {
			r.keysUntil = s.Until
		}
	}
	r.e, r.to, r.types = e, &target{url: e.URL, timeout: e.Timeout, keys: keys}, typesOf(e.Types)
	return nil
}

func (r *run) addRow(m *peal.EndpointMessage) {
	r.ahead[m.NoticeID] = true // should the log be read once more where it stands
	r.lines.add(&entry{EndpointMessage: *m, row: true})
	r.rows[m.NoticeID] = true
}

// tick does what can be done now, and tells when there is more to do. It reports false when the endpoint is not this run's
// any more.
func (r *run) tick(ctx context.Context) (next time.Time, ours bool, err error) {
	if err := r.fill(ctx); err != nil {
		return next, !errors.Is(err, errAnew), err
	}
	if r.dirty { // before anything is begun: what it begins with is on disk
		if ours, err = r.write(ctx); err != nil || !ours {
			return next, ours, err
		}
	}
	if err := r.launch(); err != nil {
		return next, true, err
	}
	return r.wakeAt(), true, nil
}

// broken tells whether the endpoint answers nothing but failures: then it is only probed.
func (r *run) broken() bool { return r.p.Fails >= r.cfg.FailLimit }

// launch starts the calls that may be made.
func (r *run) launch() error {
	now := r.cfg.Now()
	if !r.keysUntil.IsZero() && !now.Before(r.keysUntil) {
		if err := r.use(r.e); err != nil {
			return err
		}
	}
	for {
		l := r.lines.next()
		most := r.cfg.InFlight
		if r.broken() {
			most = 1
		}
		if l == nil || r.flying >= most || now.Before(r.notUntil) || (!r.broken() && now.Before(l.due())) || !r.lease.Valid() {
			return nil
		}
		e := r.lines.fly(l)
		r.flying++
		to, tenantID, id, m := *r.to, r.e.TenantID, r.e.ID, e.EndpointMessage
		r.calls.Go(func() {
			if m.Data == nil {
				var err error
				if m, err = r.cfg.Records.EndpointMessage(r.calling, id, m.NoticeID); err != nil {
					r.landed <- landing{l: l, missing: err}
					return
				}
			}
			sent := &entry{EndpointMessage: m}
			r.landed <- landing{l: l, result: r.caller.call(r.calling, &to, sent.notice(tenantID))}
		})
	}
}

// wakeAt is when there is something to do if nothing happens until then.
func (r *run) wakeAt() time.Time {
	next := r.lookAt
	l := r.lines.next()
	if l == nil || (r.broken() && r.flying > 0) || r.flying >= r.cfg.InFlight {
		return next
	}
	if !r.lease.Valid() { // another node is to have it, or this one has it again soon
		return r.cfg.Now().Add(readAgain)
	}
	at := l.due()
	if r.broken() {
		at = time.Time{}
	}
	if at.Before(r.notUntil) {
		at = r.notUntil
	}
	if next.IsZero() || at.Before(next) {
		next = at
	}
	return next
}

// land notes what came of a call.
func (r *run) land(d landing) {
	e := d.l.entries[0]
	r.flying--
	r.dirty = true
	if d.missing != nil {
		r.miss(d.l, e, d.missing)
		return
	}
	if !d.ok() && d.status == 0 && r.calling.Err() != nil { // it was this node that hung up: the next one tells it
		r.lines.land(d.l, false)
		return
	}
	was := r.broken()
	a := peal.EndpointAttempt{
		ID: peal.NewID(), NoticeID: e.NoticeID, Type: e.Type, Try: e.Tries + 1, At: d.at, Took: d.took, Status: d.status, OK: d.ok(),
		Code: d.code, Error: d.reason,
	}
	if d.ok() {
		r.cfg.Metrics.EndpointCalls.WithLabelValues("ok").Inc()
		r.p.OKAt, r.p.FailingAt, r.p.LastError, r.p.Fails = d.at, time.Time{}, "", 0
		r.probes, r.notUntil = 0, time.Time{}
		r.told(d.l, e)
		if was { // what waits for another try waits for nothing
			r.p.PullIn = true
			r.lines.pullIn()
			r.log.Info("the endpoint answers again", "waiting", len(r.rows))
		}
	} else {
		r.cfg.Metrics.EndpointCalls.WithLabelValues("failed").Inc()
		r.fail(&d, e, was)
		if !e.Failed && r.p.Disabled == nil {
			a.NextAt = e.NextAt
			if a.NextAt.Before(r.notUntil) || r.broken() {
				a.NextAt = r.notUntil
			}
		}
	}
	r.p.Attempts = append(r.p.Attempts, a)
}

// miss deals with an entry whose data cannot be had.
func (r *run) miss(l *line, e *entry, err error) {
	if peal.KindOf(err) == peal.NotFound { // let go of, with the run that goes on elsewhere
		delete(r.rows, e.NoticeID)
		r.lines.land(l, true)
		return
	}
	if r.calling.Err() == nil {
		r.log.Warn("what an endpoint is to be told was not read; it is tried again", "error", err)
	}
	e.NextAt = r.cfg.Now().Add(readAgain)
	r.lines.land(l, false)
}

// told lets go of an entry that was taken.
func (r *run) told(l *line, e *entry) {
	if e.row {
		r.p.Told = append(r.p.Told, e.NoticeID)
		delete(r.rows, e.NoticeID)
		if !peal.Before(r.read, e.Position) { // it is not read from the log any more
			delete(r.ahead, e.NoticeID)
		}
	}
	e.settled = true
	r.lines.land(l, true)
}

// fail notes a failure: the entry becomes a message that is tried again later, and so does what stands behind it.
func (r *run) fail(d *landing, e *entry, was bool) {
	now := r.cfg.Now()
	if r.p.FailingAt.IsZero() || d.at.Sub(r.p.FailedAt) > untried { // days without a call are no days of failures
		r.p.FailingAt = d.at
	}
	r.p.Fails++
	r.p.FailedAt, r.p.LastError = d.at, d.reason
	if d.wait > 0 && (d.status == 429 || d.status == 503) { // it concerns the endpoint, not the event
		r.notUntil = now.Add(min(d.wait, maxHold))
	}
	if r.broken() {
		if !was {
			r.log.Warn("the endpoint fails again and again; it is only probed until it answers", "fails", r.p.Fails, "error", d.reason)
		}
		if at := now.Add(spread(probeWait(r.probes), r.cfg.Jitter)); at.After(r.notUntil) {
			r.notUntil = at
		}
		r.probes++
	}
	switch {
	case d.gone():
		r.disable(peal.EndpointGone, "it answered 410 Gone")
	case now.Sub(r.p.FailingAt) >= r.cfg.GiveUp:
		r.disable(peal.EndpointFailing, "nothing but failures since "+r.p.FailingAt.UTC().Format(time.RFC3339)+"; the last: "+d.reason)
	}
	steps := ladder()
	if !was || e.Tries == 0 { // a probe does not use up tries
		e.Tries++
	}
	e.NextAt = time.Time{}
	if e.Tries > len(steps) {
		e.Failed = true
	} else {
		e.NextAt = now.Add(max(spread(steps[e.Tries-1], r.cfg.Jitter), d.wait))
	}
	r.keep(e)
	for _, behind := range d.l.entries[1:] {
		if !behind.row {
			r.keep(behind)
		}
	}
	if e.Failed {
		delete(r.rows, e.NoticeID)
		r.log.Warn("an event was not taken and is given up; a replay tells it again", "event_id", e.NoticeID, "type", e.Type, "error", d.reason)
	}
	r.lines.land(d.l, e.Failed)
}

// keep writes an entry down as a message.
func (r *run) keep(e *entry) {
	if e.row {
		r.p.Kept = append(r.p.Kept, e.EndpointMessage)
		return
	}
	r.p.Put = append(r.p.Put, e.EndpointMessage)
	e.row, e.settled, e.Data = true, true, nil // it is read again when it is its turn
	r.rows[e.NoticeID] = true
}

func (r *run) disable(code peal.EndpointCode, reason string) {
	if r.p.Disabled == nil {
		r.p.Disabled = &peal.EndpointDisabled{Code: code, Reason: reason, At: r.cfg.Now()}
	}
}

// write puts down what the run has come to. It reports false when the endpoint is not its own any more.
func (r *run) write(ctx context.Context) (bool, error) {
	n := 0
	for n < len(r.window) && r.window[n].settled {
		r.p.Cursor, r.p.CursorAt = r.window[n].Position, r.window[n].At
		delete(r.ahead, r.window[n].NoticeID)
		n++
	}
	r.window = slices.Delete(r.window, 0, n)
	if len(r.window) == 0 && r.read != "" {
		r.p.Cursor = r.read
	}
	r.unread = slices.DeleteFunc(r.unread, func(id string) bool { return !peal.Before(r.read, peal.PositionOf(id)) })
	r.p.Ahead = slices.Clone(r.unread)
	for _, e := range r.window {
		if e.settled {
			r.p.Ahead = append(r.p.Ahead, e.NoticeID)
		}
	}
	if d := r.p.Disabled; d != nil {
		r.p.Notice = disabledNotice(r.e, d, r.p.FailingAt)
	}
	p := r.p // a write that is given up on may still be going on
	ours, err := r.cfg.Records.AdvanceEndpoint(ctx, &p)
	if err != nil || !ours {
		return ours, err
	}
	if d := r.p.Disabled; d != nil {
		r.cfg.Metrics.EndpointsDisabled.WithLabelValues(string(d.Code)).Inc()
		r.log.Error("the endpoint was disabled", "code", string(d.Code), "reason", d.Reason)
		return false, nil
	}
	r.dirty, r.moved = false, r.cfg.Now()
	r.p.Put, r.p.Kept, r.p.Told, r.p.Attempts, r.p.PullIn = nil, nil, nil, nil, false
	return true, nil
}

// lag is how long ago the oldest happened that is still to be told.
func (r *run) lag(now time.Time) time.Duration {
	for _, e := range r.window {
		if !e.settled {
			return max(0, now.Sub(e.At))
		}
	}
	if r.more && !r.p.CursorAt.IsZero() {
		return max(0, now.Sub(r.p.CursorAt))
	}
	return 0
}

// typesOf are the types that patterns name; nil for all.
func typesOf(patterns []string) []string {
	if len(patterns) == 0 {
		return nil
	}
	types, _ := api.MatchEventTypes(patterns)
	if types == nil {
		types = []string{strings.Join(patterns, " ")} // none that there is: nothing
	}
	return types
}

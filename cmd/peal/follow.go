package main

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"slices"
	"time"

	"peal/api"
	"peal/client"
)

const (
	// followOverlap is how far each look reaches back behind the newest row, because rows can be committed a
	// little later than the time they carry.
	followOverlap = 10 * time.Second
	// followAge is how long the status of a row is watched.
	followAge = 15 * time.Minute
	// followRows bounds the rows that are watched; the oldest are forgotten first.
	followRows = 5000
	// minInterval spares the server.
	minInterval = 100 * time.Millisecond
)

// follow prints the newest rows, oldest first, then what is new and what changes, until ctx ends.
func (c *LogListCmd) follow(ctx context.Context, t *term, cl *client.Client, q client.DeliveryQuery, asJSON bool) error {
	if c.Interval < minInterval {
		return usagef("--interval must be at least %v", minInterval)
	}
	if !q.Until.IsZero() {
		return usagef("--until makes no sense with -f")
	}
	// A row may come into the status asked for long after it was made, so all are watched and the right ones shown.
	status := q.Status
	q.Status = ""
	f := follower{
		show: func(d *api.Delivery, before string) error {
			if status != "" && d.Status != status {
				return nil
			}
			return t.followLine(d, before, asJSON)
		},
		list: func(ctx context.Context, since time.Time) iter.Seq2[api.Delivery, error] {
			q := q
			if since.After(q.Since) {
				q.Since = since
			}
			return cl.Deliveries(ctx, q)
		},
		first: c.Limit,
		rows:  map[string]followed{},
	}
	away := false
	for {
		err := f.look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // Ctrl-C is how following ends
		case err != nil && !passing(err):
			return err
		case err != nil && !away:
			report(t.err, err)
			t.notef("trying on\n")
		}
		away = err != nil
		if pause(ctx, c.Interval) != nil {
			return nil //nolint:nilerr // the same
		}
	}
}

// passing says whether a look may succeed later: nothing was answered, or the server is in trouble.
func passing(err error) bool {
	p, ok := errors.AsType[*api.Problem](err)
	return !ok || p.Status >= http.StatusInternalServerError || p.Status == http.StatusTooManyRequests
}

// follower finds what is new in the log. Rows are known by id, so that looking twice at one shows it once.
type follower struct {
	list  func(ctx context.Context, since time.Time) iter.Seq2[api.Delivery, error] // newest first
	show  func(d *api.Delivery, before string) error                                // before is the status shown last, "" for a new row
	first int                                                                       // rows to begin with; 0 for all
	rows  map[string]followed

	begun  bool
	floor  time.Time // rows from before were there already
	newest time.Time // the youngest row seen
}

// followed is what was shown of a row.
type followed struct {
	created time.Time
	status  string
	// settled rows change no more; they are known only so long as a look can meet them.
	settled bool
}

// look makes one round. It shows nothing of a walk that broke off, so that nothing comes out of order.
func (f *follower) look(ctx context.Context) error {
	var found, old []api.Delivery
	for d, err := range f.list(ctx, f.since()) {
		if err != nil {
			return err
		}
		if d.CreatedAt.Before(f.floor) {
			break
		}
		if known, ok := f.rows[d.ID]; ok && known.status == d.Status {
			continue
		}
		if f.begun || f.first == 0 || len(found) < f.first {
			found = append(found, d)
			continue
		}
		// The first look shows no more, but must know what the next ones will meet.
		if d.CreatedAt.Before(found[0].CreatedAt.Add(-followOverlap)) {
			break
		}
		old = append(old, d)
	}
	if !f.begun {
		f.begin(found, old)
	}
	for i := range slices.Backward(found) {
		before := f.rows[found[i].ID].status
		f.know(&found[i])
		if err := f.show(&found[i], before); err != nil {
			return err
		}
	}
	f.forget()
	return nil
}

// begin settles where the following starts: rows from before the floor are none of its business.
func (f *follower) begin(found, old []api.Delivery) {
	f.begun = true
	for i := range old {
		f.know(&old[i])
	}
	if f.first > 0 && len(found) == f.first {
		f.floor = found[len(found)-1].CreatedAt
		if overlap := found[0].CreatedAt.Add(-followOverlap); overlap.Before(f.floor) {
			f.floor = overlap
		}
	}
}

// know remembers how d was when it was met.
func (f *follower) know(d *api.Delivery) {
	f.rows[d.ID] = followed{created: d.CreatedAt, status: d.Status, settled: ended(d.Status) || d.Status == "read"}
	if d.CreatedAt.After(f.newest) {
		f.newest = d.CreatedAt
	}
}

// since is where the next look begins: at the oldest row that is watched, and some way behind the newest.
func (f *follower) since() time.Time {
	if f.newest.IsZero() {
		return f.floor
	}
	since := f.newest.Add(-followOverlap)
	for _, r := range f.rows {
		if !r.settled && r.created.Before(since) {
			since = r.created
		}
	}
	if since.Before(f.floor) {
		return f.floor
	}
	return since
}

// forget drops the rows that are too old or too many, and those that no look meets again. What is forgotten lies
// behind the floor, or it would come up as new.
func (f *follower) forget() {
	oldest := f.newest.Add(-followAge)
	if len(f.rows) > followRows {
		times := make([]time.Time, 0, len(f.rows))
		for _, r := range f.rows {
			times = append(times, r.created)
		}
		slices.SortFunc(times, time.Time.Compare)
		if t := times[len(times)-followRows]; t.After(oldest) {
			oldest = t
		}
	}
	// Never within the overlap: late commits are to be met there.
	if overlap := f.newest.Add(-followOverlap); oldest.After(overlap) {
		oldest = overlap
	}
	if oldest.After(f.floor) {
		f.floor = oldest
	}
	for id, r := range f.rows {
		if r.created.Before(f.floor) {
			delete(f.rows, id)
		}
	}
}

// followLine prints one row of a followed log.
func (t *term) followLine(d *api.Delivery, before string, asJSON bool) error {
	if asJSON {
		return t.jsonLine(d)
	}
	at, status := d.CreatedAt, d.Status
	if before != "" {
		at, status = d.UpdatedAt, before+" → "+d.Status
	}
	return t.printf("%-15s  %s  %-16s  %-21s  %s\n", t.shortTime(at), d.ID, clean(d.Recipient), clean(status), clean(what(d)))
}

package lease

import (
	"slices"
	"time"

	"peal/internal/peal"
)

// sight is how a row was seen, and when it was first seen so.
type sight struct {
	holder string
	writes int64
	since  time.Time
	first  time.Time // when there first was such a row
}

// look notes how a row stands at a time: by then, or earlier, it was written so.
func look(known sight, there bool, holder string, writes int64, at time.Time) sight {
	if there && known.holder == holder && known.writes == writes {
		return known
	}
	next := sight{holder: holder, writes: writes, since: at, first: at}
	if there {
		next.first = known.first
	}
	return next
}

// Roll tells which nodes live: those whose beats have risen within the last TTL by the monotonic clock of whoever looks.
// No other clock has a say, so one that jumps, the database's or a node's, makes nobody dead and nobody live on. What was
// not seen before counts as living until it has been watched for a TTL.
type Roll struct {
	ttl   time.Duration
	nodes map[string]sight
}

// NewRoll makes an empty Roll.
func NewRoll(ttl time.Duration) *Roll { return &Roll{ttl: ttl, nodes: map[string]sight{}} }

// Living gives those of the nodes that live, as they were read just now.
func (r *Roll) Living(nodes []peal.Node) (living []peal.Node) {
	now := time.Now()
	next := make(map[string]sight, len(nodes))
	for i := range nodes {
		n := &nodes[i]
		known, there := r.nodes[n.ID]
		s := look(known, there, n.ID, n.Beats, now)
		next[n.ID] = s
		if now.Sub(s.since) < r.ttl {
			living = append(living, *n)
		}
	}
	r.nodes = next
	return living
}

// forgettable gives the nodes that have been silent for so long that nobody needs their rows.
func (r *Roll) forgettable(after time.Duration) (ids []string) {
	for id, s := range r.nodes {
		if time.Since(s.since) > after {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// watched tells whether a node has been there for a TTL: so long it has watched the leases, and may take those that
// nobody renews.
func (r *Roll) watched(id string) bool {
	s, ok := r.nodes[id]
	return ok && time.Since(s.first) >= r.ttl
}

// watch is what a node has seen of the leases.
type watch struct {
	ttl    time.Duration
	leases map[string]sight
}

// see notes how the leases stand, as they were read just now.
func (w *watch) see(rows []peal.Lease) {
	now := time.Now() // after they were read: what stands in them was written before
	next := make(map[string]sight, len(rows))
	for i := range rows {
		l := &rows[i]
		known, there := w.leases[l.Name]
		next[l.Name] = look(known, there, l.Node, l.Renewals, now)
	}
	w.leases = next
}

// stale tells whether a lease's holder has not renewed it for a TTL: by its own count it has lost it before.
func (w *watch) stale(name string) bool {
	s, ok := w.leases[name]
	return ok && s.holder != "" && time.Since(s.since) >= w.ttl
}

// terms are those on which a lease may be taken: as it stands, if it is stale; else only if it is free or one's own.
func (w *watch) terms(name string) peal.Lease {
	if s := w.leases[name]; w.stale(name) {
		return peal.Lease{Name: name, Node: s.holder, Renewals: s.writes}
	}
	return peal.Lease{Name: name}
}

// next is how long it is until a lease becomes stale that is wanted; at most so long.
func (w *watch) next(wanted []string, most time.Duration) time.Duration {
	for _, name := range wanted {
		s, ok := w.leases[name]
		if left := w.ttl - time.Since(s.since); ok && s.holder != "" && left > 0 {
			most = min(most, left)
		}
	}
	return most
}

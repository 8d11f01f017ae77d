package outbound

import (
	"container/heap"
	"slices"
	"time"

	"peal/internal/peal"
)

// entry is an event that an endpoint is to be told.
type entry struct {
	peal.EndpointMessage

	row     bool // it is a message: a row of its own, whose data is read when it is needed
	settled bool // of one that was read from the log: nothing is left to do for it there
}

// notice is the event as it is told.
func (e *entry) notice(tenantID string) *peal.Notice {
	return &peal.Notice{TenantID: tenantID, ID: e.NoticeID, Type: e.Type, At: e.At, Subject: e.Subject, Data: e.Data, Position: e.Position}
}

// line is what an endpoint is to be told of one subject, in order; one at a time.
type line struct {
	subject string
	entries []*entry
	flying  bool // the first is being told
	place   int  // in the heap; -1 while it is not there
}

func (l *line) due() time.Time { return l.entries[0].NextAt }

// waits tells whether one of the line is a message; then what comes behind it is one, too.
func (l *line) waits() bool {
	return slices.ContainsFunc(l.entries, func(e *entry) bool { return e.row })
}

// lines are an endpoint's, by their subjects; those that may be told are in a heap, the soonest first.
type lines struct {
	of   map[string]*line
	heap lineHeap
}

func newLines() *lines { return &lines{of: map[string]*line{}} }

// add puts an entry in its line, behind all that happened before it.
func (ls *lines) add(e *entry) {
	l := ls.of[e.Subject]
	if l == nil {
		l = &line{subject: e.Subject, place: -1}
		ls.of[e.Subject] = l
	}
	i := len(l.entries)
	for i > 0 && peal.Before(e.Position, l.entries[i-1].Position) {
		i--
	}
	if l.flying {
		i = max(i, 1)
	}
	l.entries = slices.Insert(l.entries, i, e)
	ls.fix(l)
}

// fix puts a line where it belongs in the heap.
func (ls *lines) fix(l *line) {
	switch {
	case l.flying || len(l.entries) == 0:
		if l.place >= 0 {
			heap.Remove(&ls.heap, l.place)
		}
		if len(l.entries) == 0 {
			delete(ls.of, l.subject)
		}
	case l.place < 0:
		heap.Push(&ls.heap, l)
	default:
		heap.Fix(&ls.heap, l.place)
	}
}

// next gives the line whose first is to be told soonest; nil when there is none.
func (ls *lines) next() *line {
	if len(ls.heap) == 0 {
		return nil
	}
	return ls.heap[0]
}

// fly marks a line's first as being told.
func (ls *lines) fly(l *line) *entry {
	l.flying = true
	ls.fix(l)
	return l.entries[0]
}

// land marks it as told no more; with done it leaves.
func (ls *lines) land(l *line, done bool) {
	l.flying = false
	if done {
		l.entries = slices.Delete(l.entries, 0, 1)
	}
	ls.fix(l)
}

// pullIn makes whatever waits for its time due.
func (ls *lines) pullIn() {
	for _, l := range ls.of {
		l.entries[0].NextAt = time.Time{}
		ls.fix(l)
	}
}

// lineHeap is for container/heap.
type lineHeap []*line

// Len implements heap.Interface.
func (h lineHeap) Len() int { return len(h) }

// Less implements heap.Interface: what is due first, and of what is due at once, what happened first.
func (h lineHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	if !a.due().Equal(b.due()) {
		return a.due().Before(b.due())
	}
	return peal.Before(a.entries[0].Position, b.entries[0].Position)
}

// Swap implements heap.Interface.
func (h lineHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push implements heap.Interface.
func (h *lineHeap) Push(x any) {
	l, ok := x.(*line)
	if !ok {
		return
	}
	l.place = len(*h)
	*h = append(*h, l)
}

// Pop implements heap.Interface.
func (h *lineHeap) Pop() any {
	old := *h
	l := old[len(old)-1]
	l.place = -1
	*h = old[:len(old)-1]
	return l
}

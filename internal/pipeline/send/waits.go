package send

import (
	"time"

	"peal/internal/peal"
)

// waits is how long the jobs of a batch waited together for their admission, by what for.
type waits struct{ limit, place time.Duration }

// noWait is what is too short to have waited for anything.
const noWait = time.Millisecond

// waited tells how long it is since an attempt might have been made, and what it has mostly waited for. Most of that time
// its job stood behind others, and what those waited for is what it waited for, too.
func (s *shift) waited(d *peal.Delivery, w waits, now time.Time) (time.Duration, peal.WaitFor) {
	ready, why := d.From(), peal.WaitTurn
	switch {
	case d.Attempts <= 1 && held(d.ErrorCode):
		why = peal.WaitFor(d.ErrorCode)
	case d.DueAt.After(ready):
		ready = d.DueAt
	case d.Attempts > 1: // it was queued again, and nobody knows here when
		return 0, ""
	}
	waited := max(0, now.Sub(ready))
	switch {
	case why != peal.WaitTurn:
	case s.pausedFor(ready, now) > waited/2:
		why = peal.WaitPause
	case w.limit > noWait && w.limit >= w.place:
		why = peal.WaitLimit
	case w.place > noWait:
		why = peal.WaitPlace
	}
	return waited, why
}

// held is so of a row that was put back because it has to wait on its own account.
func held(code string) bool {
	return code == peal.CodeRecipientLimit || code == peal.CodeQuiet || peal.WaitsForTemplate(code)
}

// rested notes a pause that was sat out.
func (l *lane) rested(pause span) {
	l.mu.Lock()
	l.rest = pause
	l.mu.Unlock()
}

// pausedFor is how much of a time the last pause was.
func (l *lane) pausedFor(from, to time.Time) time.Duration {
	l.mu.Lock()
	pause := l.rest
	l.mu.Unlock()
	if pause.from.After(from) {
		from = pause.from
	}
	if pause.to.Before(to) {
		to = pause.to
	}
	return max(0, to.Sub(from))
}

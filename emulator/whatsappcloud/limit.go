package whatsappcloud

import "time"

// window counts what happened within the last second, exactly: at most limit
// times are kept, in a ring. Throughput is in and out: inbound messages use it
// too, but are never refused.
type window struct {
	limit int
	at    []int64 // ns on the server's clock
	head  int
	n     int
}

// resize keeps the newest when the number's throughput was changed.
func (w *window) resize(limit int) {
	if limit == w.limit && w.at != nil {
		return
	}
	var kept []int64
	for i := range w.n {
		kept = append(kept, w.at[(w.head+i)%len(w.at)])
	}
	if len(kept) > limit {
		kept = kept[len(kept)-limit:]
	}
	w.limit, w.head, w.n = limit, 0, len(kept)
	w.at = make([]int64, limit)
	copy(w.at, kept)
}

// take uses a slot; force takes it from the oldest.
func (w *window) take(limit int, now int64, force bool) bool {
	if limit <= 0 {
		return true
	}
	w.resize(limit)
	for w.n > 0 && w.at[w.head] <= now-int64(time.Second) {
		w.head = (w.head + 1) % len(w.at)
		w.n--
	}
	if w.n == len(w.at) {
		if !force {
			return false
		}
		w.head = (w.head + 1) % len(w.at)
		w.n--
	}
	w.at[(w.head+w.n)%len(w.at)] = now
	w.n++
	return true
}

func (w *window) giveBack() {
	if w.n > 0 {
		w.n--
	}
}

// pair is a number and a user: a leaky bucket (GCRA) and the times taken.
type pair struct {
	tat   int64 // when the bucket is empty, ns
	times timeline
}

// pairOf finds or makes the pair. The caller holds mu.
func (s *Server) pairOf(n *number, u *user) *pair {
	key := n.ID + "/" + u.UserID
	p := s.pairs[key]
	if p == nil {
		p = &pair{times: timeline{max: max(s.opt.KeepTimes/100, 1)}}
		s.pairs[key] = p
	}
	return p
}

// take uses the bucket: one every so often, burst at once.
func (p *pair) take(l Limits, now int64) bool {
	if l.PairBurst < 0 {
		return true
	}
	every := int64(l.PairEvery)
	tat := max(p.tat, now)
	if tat-now > every*int64(l.PairBurst-1) {
		return false
	}
	p.tat = tat + every
	return true
}

// since drops the times that are not within the last d.
func since(at []int64, now int64, d time.Duration) []int64 {
	for len(at) > 0 && at[0] <= now-int64(d) {
		at = at[1:]
	}
	return at
}

// within says whether the account may write to this user outside of the
// window: unique users in any 24 hours.
func (a *account) within(u *user, now int64) bool {
	most, _ := a.Tier.users()
	at := since(a.outside[u.UserID], now, day)
	if len(at) > 0 || most == 0 {
		return true
	}
	if len(a.outside) >= most {
		for id, at := range a.outside {
			if len(since(at, now, day)) == 0 {
				delete(a.outside, id)
			}
		}
	}
	return len(a.outside) < most
}

func (a *account) initiated(u *user, now int64) {
	// The newest time is all that counts.
	a.outside[u.UserID] = []int64{now}
}

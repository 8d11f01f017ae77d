package fcm

import (
	"strconv"
	"sync"
	"time"
)

// project has the quota and the times of a Firebase project.
type project struct {
	name, number string

	mu       sync.Mutex
	quota    bucket
	arrived  timeline
	accepted timeline
	refuses  map[Platform]bool // its APNs key or VAPID pair is missing
}

// project returns the project of that name, made if need be. The caller holds mu.
func (s *Server) project(name string) *project {
	p := s.projects[name]
	if p == nil {
		p = &project{name: name, number: strconv.Itoa(firstNumber + len(s.numbers))}
		s.projects[name], s.numbers[p.number] = p, name
	}
	return p
}

// firstNumber is that of the first project made; the vendor's have twelve digits.
const firstNumber = 100_000_000_001

// projectOf returns the project that a path names by id or by number, or nil.
func (s *Server) projectOf(path string) *project {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if p := s.projects[path]; p != nil {
		return p
	}
	return s.projects[s.numbers[path]]
}

// ProjectNumber is the number by which the project's path can go as well, or
// "" when there is no such project.
func (s *Server) ProjectNumber(name string) string {
	if p := s.projectOf(name); p != nil {
		return p.number
	}
	return ""
}

// AddProject makes a project without a service account.
func (s *Server) AddProject(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.project(name)
}

// SetPlatformAuth says whether the project has what APNs (IOS) or the browsers
// (Web) want of it; without, sends to such devices get THIRD_PARTY_AUTH_ERROR.
func (s *Server) SetPlatformAuth(name string, platform Platform, ok bool) {
	s.mu.Lock()
	p := s.project(name)
	s.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuses == nil {
		p.refuses = map[Platform]bool{}
	}
	p.refuses[platform] = !ok
}

func (p *project) platformRefused(platform Platform) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refuses[platform]
}

// bucket is filled up a period after it was first used: "quotas are
// per-minute, but these minutes are not aligned to the clock".
type bucket struct {
	from int64
	used int
}

// left says how long until there is room again; 0 is now.
func (b *bucket) left(now int64, most int, period time.Duration) time.Duration {
	if now-b.from >= int64(period) || now < b.from {
		b.from, b.used = now, 0
	}
	if most < 0 || b.used < most {
		return 0
	}
	return time.Duration(b.from + int64(period) - now)
}

// rates are those of one device.
type rates struct {
	minute, hour bucket
	// Collapsible messages: burst ones, then one each time that much has passed.
	used   float64
	usedAt int64
}

// take counts a message to a device, or says for how long there is no room.
func (r *rates) take(now int64, l Limits, collapsible bool) time.Duration {
	wait := max(r.minute.left(now, l.DevicePerMinute, time.Minute), r.hour.left(now, l.DevicePerHour, time.Hour))
	if collapsible && l.CollapsibleBurst >= 0 {
		every := float64(l.CollapsibleEvery)
		r.used = max(0, r.used-float64(now-r.usedAt)/every)
		r.usedAt = now
		if over := r.used + 1 - float64(l.CollapsibleBurst); over > 1e-9 {
			wait = max(wait, time.Duration(over*every))
		}
	}
	if wait > 0 {
		return wait
	}
	r.minute.used++
	r.hour.used++
	if collapsible {
		r.used++
	}
	return 0
}

// timeline keeps the last most times, in a ring, in order of arrival.
type timeline struct {
	at   []int64
	head int
}

func (t *timeline) add(now int64, most int) {
	if len(t.at) < most {
		t.at = append(t.at, now)
		return
	}
	t.at[t.head] = now
	t.head = (t.head + 1) % len(t.at)
}

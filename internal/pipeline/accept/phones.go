package accept

import (
	"strings"
	"sync"
)

// phoneHead is as much of a number as decides whether its length is possible: country code, and the digits that may
// belong to a national prefix.
const phoneHead = 7

const maxVerdicts = 100_000

// phones remembers what was said of numbers alike: asking the library costs more than all the rest of a check. The zero
// value is ready.
type phones struct {
	mu       sync.RWMutex
	verdicts map[phoneShape]string
}

type phoneShape struct {
	head   string
	length int
}

// check is CheckPhone with a memory.
func (p *phones) check(s string) string {
	if !isE164(s) {
		return CheckPhone(s)
	}
	shape := phoneShape{s[:min(len(s), phoneHead)], len(s)}
	p.mu.RLock()
	verdict, ok := p.verdicts[shape]
	p.mu.RUnlock()
	if ok {
		return verdict
	}
	verdict = possible(s)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.verdicts == nil || len(p.verdicts) >= maxVerdicts {
		p.verdicts = map[phoneShape]string{}
	}
	shape.head = strings.Clone(shape.head)
	p.verdicts[shape] = verdict
	return verdict
}

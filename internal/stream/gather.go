package stream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"

	"peal/internal/pipeline"
)

// Webhooks that come while others of their integration are being kept are kept together after that: in one message, and so
// with one sync. Nobody waits for a timer.
const (
	groupMost  = 64
	groupBytes = 128 << 10 // beyond that one is kept alone
)

// groupHeader says how many webhooks a message holds; without it, that it is one.
const groupHeader = "Peal-Group"

// gatherer has what waits to be kept, by integration. The zero value is ready.
type gatherer struct {
	mu      sync.Mutex
	waiting map[string][]*keeping // an integration that is in it is being worked for
}

// keeping is a webhook that waits to be kept.
type keeping struct {
	sealed []byte
	done   chan error
}

// add lets one wait; first tells that nobody works for its integration yet.
func (g *gatherer) add(integrationID string, k *keeping) (first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting == nil {
		g.waiting = map[string][]*keeping{}
	}
	before, working := g.waiting[integrationID]
	g.waiting[integrationID] = append(before, k)
	return !working
}

// next takes those that are to be kept together now; none when the work is done.
func (g *gatherer) next(integrationID string) []*keeping {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := g.waiting[integrationID]
	if len(all) == 0 {
		delete(g.waiting, integrationID)
		return nil
	}
	n, size := 0, 0
	for n < min(len(all), groupMost) {
		if size += len(all[n].sealed); n > 0 && size > groupBytes {
			break
		}
		n++
	}
	g.waiting[integrationID] = append([]*keeping(nil), all[n:]...)
	return all[:n:n]
}

// Keep appends a webhook and returns once it is kept: synced to disk by the embedded broker, or by most of its servers
// in a cluster. After an error it may stand there all the same: then it is folded in twice, which changes nothing.
func (s *Stream) Keep(ctx context.Context, integrationID string, sealed []byte) error {
	if err := s.away(); err != nil {
		return fmt.Errorf("keep webhook: %w", err)
	}
	k := &keeping{sealed, make(chan error, 1)}
	if s.gathered.add(integrationID, k) {
		if !s.linger(func(<-chan struct{}) { s.keepWaiting(integrationID) }) {
			s.keepWaiting(integrationID) // it is being closed: they learn that
		}
	}
	select {
	case err := <-k.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("keep webhook: %w", ctx.Err())
	}
}

// keepWaiting keeps what waits of an integration, until nothing does.
func (s *Stream) keepWaiting(integrationID string) {
	for group := s.gathered.next(integrationID); group != nil; group = s.gathered.next(integrationID) {
		err := s.publishWebhook(context.Background(), groupMessage(integrationID, group))
		for _, k := range group {
			k.done <- err
		}
	}
}

// KeepFolded appends a webhook that is folded in already.
func (s *Stream) KeepFolded(ctx context.Context, integrationID string, sealed []byte) error {
	return s.publishWebhook(ctx, &nats.Msg{
		Subject: pipeline.CallbackSubject(integrationID), Data: sealed, Header: nats.Header{foldedHeader: {"1"}},
	})
}

func (s *Stream) publishWebhook(ctx context.Context, m *nats.Msg) error {
	if err := s.away(); err != nil {
		return fmt.Errorf("keep webhook: %w", err)
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	_, err := s.js.PublishMsg(ctx, m)
	if !errors.Is(err, context.Canceled) { // that is the caller's doing
		s.refuses.Store(err != nil)
	}
	if err != nil {
		return fmt.Errorf("keep webhook: %w", err)
	}
	return nil
}

func groupMessage(integrationID string, group []*keeping) *nats.Msg {
	m := &nats.Msg{Subject: pipeline.CallbackSubject(integrationID), Data: group[0].sealed}
	if len(group) == 1 {
		return m
	}
	size := 0
	for _, k := range group {
		size += binary.MaxVarintLen32 + len(k.sealed)
	}
	m.Data = make([]byte, 0, size)
	for _, k := range group {
		m.Data = binary.AppendUvarint(m.Data, uint64(len(k.sealed)))
		m.Data = append(m.Data, k.sealed...)
	}
	m.Header = nats.Header{groupHeader: {strconv.Itoa(len(group))}}
	return m
}

// partsOf gives the webhooks that a message holds. What is no group of ours is one webhook.
func partsOf(h nats.Header, data []byte) [][]byte {
	whole := [][]byte{data}
	n, err := strconv.Atoi(h.Get(groupHeader))
	if err != nil || n < 1 || n > len(data) {
		return whole
	}
	parts := make([][]byte, 0, n)
	for range n {
		size, used := binary.Uvarint(data)
		if used <= 0 || size > uint64(len(data)-used) { //nolint:gosec // used is at most as long as data
			return whole
		}
		end := used + int(size) //nolint:gosec // it is at most as long as data
		parts = append(parts, data[used:end:end])
		data = data[end:]
	}
	return parts
}

// part is one of the webhooks of a message.
type part struct {
	message
	data  []byte
	group *handed
}

var _ pipeline.Message = part{}

// handed is a message whose webhooks are in hand: it is done when all of them are.
type handed struct {
	mu   sync.Mutex
	left int
	back bool // one of them was given back
}

// Data is this webhook alone.
func (p part) Data() []byte { return p.data }

// Ack says that it is done.
func (p part) Ack() error { return p.end(false) }

// Nak gives it back, and the others with it.
func (p part) Nak() error { return p.end(true) }

func (p part) end(back bool) error {
	p.group.mu.Lock()
	p.group.left--
	p.group.back = p.group.back || back
	last, back := p.group.left == 0, p.group.back
	p.group.mu.Unlock()
	switch {
	case !last:
		return nil
	case back:
		return p.message.Nak()
	default:
		return p.message.Ack()
	}
}

// split gives what a message is for the stage: itself, or each of its webhooks.
func split(m message) []pipeline.Message {
	if m.m.Header.Get(groupHeader) == "" {
		return []pipeline.Message{m}
	}
	parts := partsOf(m.m.Header, m.m.Data)
	all, group := make([]pipeline.Message, len(parts)), &handed{left: len(parts)}
	for i, data := range parts {
		all[i] = part{m, data, group}
	}
	return all
}

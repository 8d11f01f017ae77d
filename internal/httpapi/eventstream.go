package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"peal/api"
	"peal/internal/peal"
)

const (
	// maxStreams is how many streams of events a tenant may have on this node.
	maxStreams = 100
	// eventHeartbeat is how often a stream on which nothing happens shows that it is alive; proxies cut what is silent for
	// a minute. So often it is also looked at whether the key is still good.
	eventHeartbeat = 15 * time.Second
	// eventPatience is how long a reader may take nothing.
	eventPatience = 30 * time.Second
	// Who waits looks from time to time, though nobody woke it: soon after something has happened, and then ever later.
	eventSoon  = 10 * time.Millisecond
	eventLater = time.Second
	// eventTries is how often in a row the log may fail to be read.
	eventTries = 10
)

// streams counts tenants' streams of events, and ends them all.
type streams struct {
	ending chan struct{}
	once   sync.Once

	mu sync.Mutex
	of map[string]int
}

func newStreams() *streams { return &streams{ending: make(chan struct{}), of: map[string]int{}} }

func (s *streams) enter(tenantID string) error {
	select {
	case <-s.ending:
		return newProblem(api.CodeUnavailable, "this node is about to stop; come again")
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[tenantID] >= maxStreams {
		return newProblem(api.CodeTooManyStreams, "")
	}
	s.of[tenantID]++
	return nil
}

func (s *streams) leave(tenantID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[tenantID]--; s.of[tenantID] == 0 {
		delete(s.of, tenantID)
	}
}

// EndStreams ends the streams of events, and begins no more: readers go elsewhere and resume.
func (s *Server) EndStreams() { s.streams.once.Do(func() { close(s.streams.ending) }) }

// eventWriter is one stream on its way to its reader.
type eventWriter struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	buf      bytes.Buffer
	position string // that the reader was told
	wrote    time.Time
}

// streamEvents sends events as they come, until the reader goes, is too slow, may no longer read, or this node stops.
func (s *Server) streamEvents(w http.ResponseWriter, r *http.Request, q *eventQuery) {
	if err := s.streams.enter(q.tenantID); err != nil {
		s.writeProblem(w, r, err)
		return
	}
	defer s.streams.leave(q.tenantID)
	rings, stop := s.cfg.Waker.Watch(q.tenantID) // before it is read, or what comes in between would be seen late
	defer stop()
	position, lost, err := s.beginEvents(r.Context(), q)
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	e := &eventWriter{w: w, control: http.NewResponseController(w)}
	// The server's own limits are for requests that take seconds. Where they cannot be lifted they hold.
	_ = e.control.SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", eventStream)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would wait until it has enough of them
	w.WriteHeader(http.StatusOK)
	e.buf.WriteString("retry: 1000\n")
	if lost {
		e.reset(position)
	} else {
		e.place(position)
	}
	if e.flush() == nil {
		s.follow(r, q, e, rings, position)
	}
}

// follow sends what there is after a position, and then what comes.
func (s *Server) follow(r *http.Request, q *eventQuery, e *eventWriter, rings <-chan struct{}, position string) {
	ctx := r.Context()
	beat := time.NewTicker(eventHeartbeat)
	defer beat.Stop()
	look := time.NewTimer(0)
	defer look.Stop()
	wait, failed := eventSoon, 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.streams.ending:
			e.buf.WriteString(": this node stops; come again\n\n")
			_ = e.flush()
			return
		case <-beat.C:
			if on, ok := s.beat(r, q, e, position); !ok {
				return
			} else if on != position {
				position = on
				look.Reset(0)
			}
			continue
		case <-rings:
			wait = eventSoon
		case <-look.C:
		}
		page, next, err := s.cfg.Events.Notices(ctx, q.tenantID, position, q.types, eventPage)
		if err != nil {
			if failed++; failed == eventTries || ctx.Err() != nil {
				s.logStream(ctx, err)
				return
			}
			look.Reset(eventLater)
			continue
		}
		failed, position = 0, next
		if err := e.send(page, q); err != nil {
			return
		}
		switch {
		case len(page) == eventPage:
			wait = 0
		case len(page) > 0:
			wait = eventSoon
		}
		look.Reset(wait)
		wait = min(max(2*wait, eventSoon), eventLater)
	}
}

// beat shows that the stream is alive, and where a reader of few events is by now. It is false when the reader may no longer
// read, or is gone. A reader that is so slow that what it has not got yet is not kept any more is told, and goes on from there.
func (s *Server) beat(r *http.Request, q *eventQuery, e *eventWriter, position string) (on string, ok bool) {
	p, err := s.auth.authenticate(r.Context(), r.Header.Get("Authorization"))
	if err == nil {
		p, err = s.auth.forTenant(r.Context(), p, r.Header.Get(api.TenantHeader))
	}
	if err != nil && peal.KindOf(err) != peal.Unavailable || err == nil && !p.may(api.ScopeRead) {
		return "", false
	}
	if on, lost, err := s.cfg.Events.NoticesLost(r.Context(), q.tenantID, position); err == nil && lost {
		e.reset(on)
		return on, e.flush() == nil
	}
	if time.Since(e.wrote) < eventHeartbeat-time.Second {
		return position, true
	}
	e.buf.WriteString(":\n")
	if position != e.position {
		e.place(position)
	} else {
		e.buf.WriteByte('\n')
	}
	return position, e.flush() == nil
}

func (s *Server) logStream(ctx context.Context, err error) {
	if !errors.Is(err, context.Canceled) {
		s.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "a stream of events ended early; its reader comes again", slog.Any("error", err))
	}
}

// send writes the events that are asked for.
func (e *eventWriter) send(page []peal.Notice, q *eventQuery) error {
	for i := range page {
		n := &page[i]
		if !q.wants(n) {
			continue
		}
		body, err := json.Marshal(messageOf(n))
		if err != nil {
			return err
		}
		e.position = n.Position
		e.put("id: ", []byte(n.Position))
		e.put("event: ", []byte(n.Type))
		e.put("data: ", body)
		e.buf.WriteByte('\n')
	}
	return e.flush()
}

// put writes a line. JSON has no line breaks in it.
func (e *eventWriter) put(name string, value []byte) {
	e.buf.WriteString(name)
	e.buf.Write(value)
	e.buf.WriteByte('\n')
}

// place tells the reader where it is, which is no event: without data it is only remembered for the next time.
func (e *eventWriter) place(position string) {
	e.position = position
	e.put("id: ", []byte(position))
	e.buf.WriteByte('\n')
}

// reset tells the reader that it goes on from a position, and that it does not get what was before that.
func (e *eventWriter) reset(position string) {
	e.position = position
	e.put("id: ", []byte(position))
	e.put("event: ", []byte(api.EventReset))
	e.put("data: ", []byte(`{"reason":"what came after the place to resume at is not kept any more; the oldest that is follows"}`))
	e.buf.WriteByte('\n')
}

// flush sends what was written. A reader that takes nothing for too long is given up.
func (e *eventWriter) flush() error {
	if e.buf.Len() == 0 {
		return nil
	}
	_ = e.control.SetWriteDeadline(time.Now().Add(eventPatience))
	_, err := e.w.Write(e.buf.Bytes())
	if err == nil {
		err = e.control.Flush()
	}
	e.buf.Reset()
	e.wrote = time.Now()
	return err
}

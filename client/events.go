package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"peal/api"
)

// FirstEvent is the place before the oldest event that is kept, for EventQuery.After.
const FirstEvent = "0"

// EventQuery chooses events. Without After and Since they begin with what comes from now on.
type EventQuery struct {
	After        string    // the place to go on from: an Event's Position, or an [api.EventPage]'s Next
	Since        time.Time // what happened since then, as far as it is kept
	Types        []string  // none: all; "delivery.*" for all that begin so
	Integration  string    // id or name
	Notification string
	Delivery     string
	Limit        int // events of a page, 1 to 1000; 0 means 500

	// Trouble is told why a stream has broken, before it is tried again. nil: nobody.
	Trouble func(error)
}

// Event is one of a stream.
type Event struct {
	api.EventMessage

	// Position is its place in the log. Keep it once the event is dealt with, and go on there after a restart.
	Position string
	// Reset tells that events were missed: the place to go on from is not kept any more. It is no event; those that
	// follow begin with the oldest that is kept.
	Reset bool
}

func (q *EventQuery) values() url.Values {
	v := url.Values{}
	put(v, "after", q.After)
	if q.After == "" && !q.Since.IsZero() {
		v.Set("since", q.Since.UTC().Format(time.RFC3339Nano))
	}
	if len(q.Types) > 0 {
		v["type"] = q.Types
	}
	put(v, "integration", q.Integration)
	put(v, "notification_id", q.Notification)
	put(v, "delivery_id", q.Delivery)
	putRange(v, time.Time{}, time.Time{}, q.Limit, "")
	return v
}

// EventPage gets the events that are there, oldest first. Go on with Next as After.
func (c *Client) EventPage(ctx context.Context, q EventQuery) (*api.EventPage, error) {
	return get[api.EventPage](ctx, c, "/v1/events", q.values())
}

// eventSilence is after how long without a sign of life a stream counts as broken: the server gives one every 15 s.
const eventSilence = 45 * time.Second

// Events follows what happens, until ctx ends. When the stream breaks it comes again and goes on where it was, so nothing is
// missed; only what the server refuses for good ends it with an error.
func (c *Client) Events(ctx context.Context, q EventQuery) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		q := q
		q.Types = slices.Clone(q.Types)
		q.Limit = 0
		for try := 0; ; try++ {
			before := q.After
			stopped, err := c.stream(ctx, &q, func(e Event) bool { return yield(e, nil) })
			switch {
			case stopped:
				return
			case ctx.Err() != nil:
				yield(Event{}, ctx.Err())
				return
			case !passing(err):
				yield(Event{}, err)
				return
			}
			if q.Trouble != nil && !errors.Is(err, io.EOF) {
				q.Trouble(err)
			}
			if q.After != before {
				try = 0
			}
			if !wait(ctx, max(backoff(try), min(RetryAfter(err), maxRetryAfter))) {
				yield(Event{}, ctx.Err())
				return
			}
		}
	}
}

// passing says whether it may work later: nothing was answered, or the server is in trouble, or has too much to do.
func passing(err error) bool {
	p, ok := errors.AsType[*api.Problem](err)
	return !ok || p.Status >= http.StatusInternalServerError || p.Status == http.StatusTooManyRequests
}

func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// stream reads one stream to its end, and keeps in q where it has come to. It tells whether that was take's wish.
func (c *Client) stream(ctx context.Context, q *EventQuery, take func(Event) bool) (stopped bool, err error) {
	const op = "GET /v1/events"
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	alive := time.AfterFunc(eventSilence, cancel)
	defer alive.Stop()
	req, err := c.request(ctx, call{method: http.MethodGet, path: "/v1/events", query: q.values()}, nil)
	if err != nil {
		return false, fmt.Errorf("%s: %w", op, err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := c.http.Do(req)
	if err != nil {
		return false, &unansweredError{err: err}
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if resp.StatusCode != http.StatusOK {
		answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		if err != nil {
			return false, &unansweredError{err: err}
		}
		return false, &answerError{op: op, problem: problem(resp, answer), retryAfter: retryAfter(resp.Header)}
	}
	r := &eventReader{lines: bufio.NewReader(resp.Body), alive: func() { alive.Reset(eventSilence) }}
	for {
		e, at, err := r.next()
		if err != nil {
			return false, fmt.Errorf("%s: the stream ended: %w", op, err)
		}
		if e != nil && !take(*e) {
			return true, nil
		}
		if at != "" {
			q.After = at
		}
	}
}

// eventReader reads server-sent events.
type eventReader struct {
	lines *bufio.Reader
	alive func() // called with every line
	at    string // the newest id
}

// next gives the next event, or none where only the place is told.
func (r *eventReader) next() (*Event, string, error) {
	var kind string
	var data []byte
	for {
		line, err := r.lines.ReadString('\n')
		if err != nil {
			return nil, "", err
		}
		r.alive()
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			r.at = value
		case "event":
			kind = value
		case "data":
			data = append(data, value...)
		}
	}
	e := &Event{Position: r.at}
	switch {
	case data == nil:
		return nil, r.at, nil
	case kind == api.EventReset:
		e.Reset = true
	default:
		if err := json.Unmarshal(data, &e.EventMessage); err != nil {
			return nil, "", fmt.Errorf("read an event: %w", err)
		}
	}
	return e, r.at, nil
}

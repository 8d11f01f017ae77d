package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"peal/api"
	"peal/internal/peal"
)

// Events are the tenants' event logs.
type Events interface {
	EnableNotices(ctx context.Context, tenantID string) error
	Notices(ctx context.Context, tenantID, after string, types []string, limit int) (page []peal.Notice, next string, err error)
	NoticesEnd(ctx context.Context) (string, error)
	NoticesSince(ctx context.Context, tenantID string, since time.Time) (string, error)
	NoticesLost(ctx context.Context, tenantID, after string) (on string, lost bool, err error)
}

// Waker tells when a tenant's event log has grown.
type Waker interface {
	Watch(tenantID string) (rings <-chan struct{}, stop func())
}

// noWaker never wakes anybody: who waits looks from time to time all the same.
type noWaker struct{}

func (noWaker) Watch(string) (<-chan struct{}, func()) { return nil, func() {} }

const (
	eventPage    = 500
	maxEventPage = 1000
	eventStream  = "text/event-stream"
	firstEvent   = "0" // the place before the oldest that is kept
	resumeHeader = "Last-Event-ID"
)

func (s *Server) events() {
	s.mux.HandleFunc("GET /v1/events", s.getEvents)
	o := op("events", http.MethodGet, "/v1/events", "Events", "Follow what happens, as server-sent events")
	o.Description = "Each event's `id` is its place in the log, `event` its type and `data` an EventMessage. Without `after`, `since` or " +
		"`Last-Event-ID` it begins with what comes from now on. An event `reset` tells that the place to resume at is not kept any more: what " +
		"follows begins with the oldest that is. With `Accept: application/json`, or none, the answer is a page instead, and `next` is the `after` of the " +
		"next call. docs/events.md names the types."
	reg := s.api.OpenAPI().Components.Schemas
	text := &huma.Schema{Type: "string"}
	texts := &huma.Schema{Type: "array", Items: text}
	o.Parameters = append(o.Parameters, []*huma.Param{
		{Name: "after", In: "query", Schema: text, Description: "The place to go on from: an event's id in the stream, or next of a page; 0: the oldest that is kept"},
		{Name: "since", In: "query", Schema: &huma.Schema{Type: "string", Format: "date-time"}, Description: "What happened since then, RFC 3339, as far as it is kept"},
		{Name: "type", In: "query", Schema: texts, Description: "Only these types; delivery.* for all that begin so. May be given several times"},
		{Name: "integration", In: "query", Schema: text, Description: "Only of this integration: id or name"},
		{Name: "notification_id", In: "query", Schema: text, Description: "Only of this notification"},
		{Name: "delivery_id", In: "query", Schema: text, Description: "Only of this delivery"},
		{Name: "limit", In: "query", Schema: &huma.Schema{Type: "integer"}, Description: "Of a page: at most so many events, 1 to 1000; default 500"},
		{Name: resumeHeader, In: "header", Schema: text, Description: "As after, and goes before it: browsers send it when they come again"},
	}...)
	o.Responses = map[string]*huma.Response{
		"200": {Description: "Events", Content: map[string]*huma.MediaType{
			eventStream:        {Schema: reg.Schema(reflect.TypeFor[api.EventMessage](), true, "EventMessage")},
			"application/json": {Schema: reg.Schema(reflect.TypeFor[api.EventPage](), true, "EventPage")},
		}},
		"default": {Description: "Error", Content: map[string]*huma.MediaType{api.ProblemType: {Schema: reg.Schema(reflect.TypeFor[api.Problem](), true, "Problem")}}},
	}
	s.api.OpenAPI().AddOperation(&o)
}

// eventQuery is which events are asked for.
type eventQuery struct {
	tenantID                                  string
	after                                     string
	resume                                    bool // from after; else from now on, or since
	since                                     time.Time
	types                                     []string // nil: all
	integrationID, notificationID, deliveryID string
	limit                                     int
}

func (s *Server) getEvents(w http.ResponseWriter, r *http.Request) {
	tenantID, err := s.tenant(r.Context(), api.ScopeRead)
	var q eventQuery
	if err == nil {
		q, err = s.eventQuery(r, tenantID)
	}
	if err == nil {
		err = s.cfg.Events.EnableNotices(r.Context(), tenantID)
	}
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	if wantsStream(strings.Join(r.Header.Values("Accept"), ",")) {
		s.streamEvents(w, r, &q)
		return
	}
	s.pageOfEvents(w, r, &q)
}

// wantsStream is so of who says so, and of who takes anything, as curl does. A program that says nothing would wait for the
// end of the answer.
func wantsStream(accept string) bool {
	return strings.Contains(accept, eventStream) || strings.Contains(accept, "*/*") && !strings.Contains(accept, "application/json")
}

// eventQuery reads what is asked for, and refuses what it does not know.
func (s *Server) eventQuery(r *http.Request, tenantID string) (q eventQuery, err error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return q, newProblem(api.CodeInvalidRequest, "the query cannot be read", api.FieldError{Path: "query", Code: "invalid", Message: err.Error()})
	}
	var wrong []api.FieldError
	bad := func(path, code, format string, args ...any) {
		wrong = append(wrong, api.FieldError{Path: path, Code: code, Message: fmt.Sprintf(format, args...)})
	}
	q = eventQuery{tenantID: tenantID, limit: eventPage}
	for name, all := range values {
		value := all[len(all)-1]
		switch name {
		case "after":
			q.after, q.resume = value, true
		case "since":
			if q.since, err = time.Parse(time.RFC3339, strings.Replace(value, " ", "+", 1)); err != nil {
				bad(name, "invalid", "%q is no time; write it like 2026-07-20T09:30:00Z", value)
			}
		case "type":
			types, unknown := api.MatchEventTypes(strings.Split(strings.Join(all, ","), ","))
			if q.types = types; len(unknown) > 0 {
				bad(name, "invalid", "there is no type of events %s; docs/events.md names them", strings.Join(unknown, ", "))
			}
		case "integration":
			q.integrationID = s.integrationID(tenantID, value)
		case "notification_id":
			q.notificationID = strings.ToLower(value)
		case "delivery_id":
			q.deliveryID = strings.ToLower(value)
		case "limit":
			if q.limit, err = strconv.Atoi(value); err != nil || q.limit < 1 || q.limit > maxEventPage {
				bad(name, "invalid", "%q is not a number from 1 to %d", value, maxEventPage)
			}
		default:
			bad(name, "unknown", "unknown query parameter")
		}
	}
	if last := r.Header.Get(resumeHeader); last != "" {
		q.after, q.resume = last, true
	}
	if len(wrong) > 0 {
		slices.SortFunc(wrong, func(a, b api.FieldError) int { return strings.Compare(a.Path, b.Path) })
		return q, newProblem(api.CodeInvalidRequest, "", wrong...)
	}
	return q, nil
}

// begin is where what is asked for begins, and whether something before that is lost.
func (s *Server) beginEvents(ctx context.Context, q *eventQuery) (position string, lost bool, err error) {
	switch {
	case q.resume && (q.after == "" || q.after == firstEvent):
		return firstEvent, false, nil
	case q.resume:
		on, lost, err := s.cfg.Events.NoticesLost(ctx, q.tenantID, q.after)
		if err == nil && !lost {
			on = q.after
		}
		return on, lost, err
	case !q.since.IsZero():
		position, err = s.cfg.Events.NoticesSince(ctx, q.tenantID, q.since)
	default:
		position, err = s.cfg.Events.NoticesEnd(ctx)
	}
	return position, false, err
}

// wants tells whether an event is one that was asked for.
func (q *eventQuery) wants(n *peal.Notice) bool {
	if !q.resume && !q.since.IsZero() && n.At.Before(q.since) || q.deliveryID != "" && n.DeliveryID != q.deliveryID {
		return false
	}
	if q.integrationID == "" && q.notificationID == "" {
		return true
	}
	var of struct {
		IntegrationID  string `json:"integration_id"`
		NotificationID string `json:"notification_id"`
	}
	if err := json.Unmarshal(n.Data, &of); err != nil {
		return false
	}
	return (q.integrationID == "" || of.IntegrationID == q.integrationID) && (q.notificationID == "" || of.NotificationID == q.notificationID)
}

// pageOfEvents answers with what there is, for machines that come again.
func (s *Server) pageOfEvents(w http.ResponseWriter, r *http.Request, q *eventQuery) {
	after, lost, err := s.beginEvents(r.Context(), q)
	page := api.EventPage{Events: []api.EventMessage{}, Next: after, Reset: lost}
	var end string // by now: a page may end before it, as looking for rare events takes long
	if err == nil {
		end, err = s.cfg.Events.NoticesEnd(r.Context())
	}
	if err == nil {
		var found []peal.Notice
		found, page.Next, err = s.cfg.Events.Notices(r.Context(), q.tenantID, after, q.types, q.limit)
		page.More = len(found) == q.limit || peal.Before(page.Next, end)
		for i := range found {
			if q.wants(&found[i]) {
				page.Events = append(page.Events, messageOf(&found[i]))
			}
		}
	}
	var body []byte
	if err == nil {
		body, err = json.Marshal(&page)
	}
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	write(w, body)
}

func messageOf(n *peal.Notice) api.EventMessage {
	m := api.EventMessage{ID: n.ID, Type: n.Type, Timestamp: n.At, Data: n.Data}
	if m.Data == nil {
		m.Data = json.RawMessage(`{}`)
	}
	return m
}

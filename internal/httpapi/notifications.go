package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
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
	"peal/internal/pipeline/accept"
)

const replayedHeader = "Idempotent-Replayed"

func (s *Server) notifications() {
	s.mux.HandleFunc("POST /v1/notifications", s.postNotification)
	s.mux.HandleFunc("POST /v1/notifications/batch", s.postBatch)
	s.describe("send", "/v1/notifications", "Tell somebody something",
		"202 means that it is on disk, synced. With dry_run=true nothing is sent and nothing is written: the answer is 200, and tells what each delivery's provider would be sent.",
		reflect.TypeFor[api.NotificationRequest](), reflect.TypeFor[api.Accepted](), true)
	s.describe("send-batch", "/v1/notifications/batch", "Tell many at once: 1 to 1,000",
		"Every item has its own answer; one that is wrong does not sink the others. The answer is 202 even when all are wrong: look at each.",
		reflect.TypeFor[api.BatchRequest](), reflect.TypeFor[api.BatchResponse](), false)
	huma.Register(s.api, op("get-notification", http.MethodGet, "/v1/notifications/{id}", "Notifications", "Look at a notification and its deliveries; of an audience at the first 100"), s.getNotification)
	huma.Register(s.api, op("cancel-notification", http.MethodPost, "/v1/notifications/{id}/cancel", "Notifications", "Cancel what was not sent yet"), s.cancelNotification)
}

func op(id, method, path, tag, summary string) huma.Operation {
	return huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{tag}, Summary: summary, MaxBodyBytes: 256 << 10}
}

// describe puts a plain handler into the OpenAPI document.
func (s *Server) describe(id, path, summary, description string, in, out reflect.Type, keyed bool) {
	reg := s.api.OpenAPI().Components.Schemas
	o := op(id, http.MethodPost, path, "Notifications", summary)
	o.Description = description
	o.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {Schema: reg.Schema(in, true, in.Name())},
	}}
	o.Responses = map[string]*huma.Response{
		"202": {Description: "Accepted", Content: map[string]*huma.MediaType{"application/json": {Schema: reg.Schema(out, true, out.Name())}}},
		"default": {Description: "Error", Content: map[string]*huma.MediaType{
			api.ProblemType: {Schema: reg.Schema(reflect.TypeFor[api.Problem](), true, "Problem")},
		}},
	}
	if keyed {
		o.Parameters = append(o.Parameters, &huma.Param{Name: "dry_run", In: "query", Schema: &huma.Schema{Type: "boolean"},
			Description: "true: check and plan only, and show what would be sent. It uses no quota and no idempotency key"})
		o.Responses["200"] = &huma.Response{Description: "With dry_run", Content: map[string]*huma.MediaType{
			"application/json": {Schema: reg.Schema(reflect.TypeFor[api.DryRun](), true, "DryRun")},
		}}
		text := &huma.Schema{Type: "string"}
		o.Parameters = append(o.Parameters, &huma.Param{Name: "Idempotency-Key", In: "header", Schema: text,
			Description: "The same key with the same body within 24 hours gives the first answer again, and sends nothing"})
		o.Responses["202"].Headers = map[string]*huma.Param{replayedHeader: {Description: "true when it is an earlier request's answer", Schema: text}}
	}
	describeRate(&o)
	s.api.OpenAPI().AddOperation(&o)
}

func (s *Server) postNotification(w http.ResponseWriter, r *http.Request) {
	tenantID, err := s.tenant(r.Context(), api.ScopeSend)
	if err == nil {
		err = noEmptyKey(r.Header)
	}
	dry := false
	if err == nil {
		dry, err = dryRun(r)
	}
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	if err := s.accepts.enter(tenantID, 1); err != nil {
		s.writeProblem(w, r, err)
		return
	}
	defer s.accepts.leave(tenantID, 1)
	body, done, err := s.read(w, r, s.cfg.MaxBody)
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	req, err := accept.Decode(body)
	done()
	if err != nil {
		s.cfg.Metrics.Refused.WithLabelValues(s.fail(r.Context(), err).Code).Inc()
		s.writeProblem(w, r, err)
		return
	}
	if dry {
		s.dryRun(w, r, tenantID, req)
		return
	}
	res, err := s.accept(r.Context(), tenantID, []accept.Item{{Request: req, Key: r.Header.Get("Idempotency-Key")}})
	h := w.Header()
	s.rateHeaders(h, tenantID)
	if err == nil {
		err = res[0].Err
	}
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	h["Content-Type"] = jsonType
	if res[0].Replayed {
		h.Set(replayedHeader, "true")
	}
	w.WriteHeader(http.StatusAccepted)
	write(w, res[0].Answer)
}

// dryRun reads the query: dry_run, or nothing. Somebody who has mistyped it does not want to send.
func dryRun(r *http.Request) (dry bool, err error) {
	if r.URL.RawQuery == "" {
		return false, nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil { // Query would leave out what it cannot read
		return false, newProblem(api.CodeInvalidRequest, "", api.FieldError{Path: "dry_run", Code: "invalid", Message: "the query cannot be read; give ?dry_run=true alone"})
	}
	for name, values := range query {
		if name != "dry_run" {
			return false, newProblem(api.CodeInvalidRequest, "", api.FieldError{Path: name, Code: "unknown", Message: "there is no such parameter; there is dry_run"})
		}
		if len(values) != 1 || (values[0] != "true" && values[0] != "false") {
			return false, newProblem(api.CodeInvalidRequest, "", api.FieldError{Path: "dry_run", Code: "invalid", Message: "give true or false"})
		}
		dry = values[0] == "true"
	}
	return dry, nil
}

// dryRun answers what a notification would become.
func (s *Server) dryRun(w http.ResponseWriter, r *http.Request, tenantID string, req *api.NotificationRequest) {
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.AcceptTimeout)
	defer cancel()
	out, err := s.cfg.Accept.DryRun(ctx, tenantID, req)
	var answer []byte
	if err == nil {
		answer, err = json.Marshal(out)
	}
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(http.StatusOK)
	write(w, answer)
}

// noEmptyKey refuses an Idempotency-Key that says nothing: whoever sends one counts on it.
func noEmptyKey(h http.Header) error {
	if keys := h["Idempotency-Key"]; len(keys) > 0 && keys[0] == "" {
		return newProblem(api.CodeInvalidRequest, "", api.FieldError{
			Path: "idempotency_key", Code: "invalid", Message: "the header Idempotency-Key is empty; give a key, or leave the header out",
		})
	}
	return nil
}

// jsonType is shared by all answers; nobody writes to it.
var jsonType = []string{"application/json"}

func (s *Server) accept(ctx context.Context, tenantID string, items []accept.Item) ([]accept.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.AcceptTimeout)
	defer cancel()
	return s.cfg.Accept.Accept(ctx, tenantID, items)
}

func (s *Server) postBatch(w http.ResponseWriter, r *http.Request) {
	tenantID, err := s.tenant(r.Context(), api.ScopeSend)
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	if err := s.accepts.enter(tenantID, batchWeight); err != nil {
		s.writeProblem(w, r, err)
		return
	}
	defer s.accepts.leave(tenantID, batchWeight)
	body, done, err := s.read(w, r, s.cfg.MaxBatch)
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	items, err := accept.DecodeBatch(body)
	done()
	if err == nil && len(r.Header.Values("Idempotency-Key")) > 0 {
		err = newProblem(api.CodeInvalidRequest, "a batch has an idempotency_key per item; leave the header out")
	}
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	results, err := s.accept(r.Context(), tenantID, items)
	s.rateHeaders(w.Header(), tenantID)
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	answer, wait := s.batchAnswer(r, results)
	w.Header()["Content-Type"] = jsonType
	if wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(seconds(wait)))
	}
	w.WriteHeader(http.StatusAccepted)
	write(w, answer)
}

// batchItem is an api.BatchResult whose notification is JSON already.
type batchItem struct {
	Status       int             `json:"status"`
	Replayed     bool            `json:"replayed,omitempty"`
	Notification json.RawMessage `json:"notification,omitempty"`
	Error        *api.Problem    `json:"error,omitempty"`
}

// batchAnswer also tells when those that were over a limit may come again; 0 when none was.
func (s *Server) batchAnswer(r *http.Request, results []accept.Result) (_ []byte, wait time.Duration) {
	answer := struct {
		Accepted int         `json:"accepted"`
		Refused  int         `json:"refused"`
		Results  []batchItem `json:"results"`
	}{Results: make([]batchItem, len(results))}
	for i, res := range results {
		if res.Err != nil {
			p := s.fail(r.Context(), res.Err)
			answer.Results[i] = batchItem{Status: p.Status, Error: &p.Problem}
			answer.Refused++
			wait = max(wait, p.retry)
			continue
		}
		answer.Results[i] = batchItem{Status: http.StatusAccepted, Replayed: res.Replayed, Notification: res.Answer}
		answer.Accepted++
	}
	b, err := json.Marshal(&answer)
	if err != nil { // raw answers were JSON when they were written
		s.cfg.Log.Error("batch answer not written", "error", err)
	}
	return b, wait
}

type idInput struct {
	ID string `path:"id" maxLength:"128"`
}

type notificationOutput struct{ Body api.Notification }

func (s *Server) getNotification(ctx context.Context, in *idInput) (*notificationOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeRead)
	if err != nil {
		return nil, err
	}
	return s.notification(ctx, tenantID, in.ID)
}

func (s *Server) notification(ctx context.Context, tenantID, id string) (*notificationOutput, error) {
	n, ds, err := s.cfg.Deliveries.Notification(ctx, tenantID, strings.ToLower(id))
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	slices.SortStableFunc(ds, func(a, b peal.Delivery) int { return cmp.Compare(a.RungNumber(), b.RungNumber()) })
	out := notificationOf(n, ds, s.cfg.Now())
	next := peal.NextRung(ds)
	for i := range ds {
		if !ds[i].OnRung(next) {
			continue
		}
		out.Queue = accept.Later(out.Queue, s.cfg.Queues.Estimate(ctx, &ds[i]))
	}
	if n.Phone == "" && n.UserID == "" {
		x, err := s.cfg.Deliveries.Expansion(ctx, tenantID, n.ID)
		if err != nil {
			return nil, s.fail(ctx, err)
		}
		if x != nil {
			expansionOf(&out, x)
		}
	}
	return &notificationOutput{out}, nil
}

func (s *Server) cancelNotification(ctx context.Context, in *idInput) (*notificationOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeSend)
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Deliveries.Cancel(ctx, tenantID, strings.ToLower(in.ID)); err != nil {
		return nil, s.fail(ctx, err)
	}
	return s.notification(ctx, tenantID, in.ID)
}

package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"peal/api"
	"peal/internal/peal"
)

// problem is an api.Problem as huma's errors want to be.
type problem struct {
	api.Problem

	retry time.Duration // when to come again; 0: not said
}

// GetStatus implements huma.StatusError.
func (p *problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *problem) ContentType(string) string { return api.ProblemType }

// GetHeaders implements huma.HeadersError.
func (p *problem) GetHeaders() http.Header {
	wait := p.retry
	if wait == 0 && p.Status == http.StatusServiceUnavailable {
		wait = retryAfter
	}
	if wait == 0 && p.Status != http.StatusTooManyRequests {
		return nil
	}
	return http.Header{"Retry-After": {strconv.Itoa(seconds(wait))}}
}

// retryAfter is what a caller is told to wait when Peal could not keep what it was given.
const retryAfter = 2 * time.Second

// seconds rounds up to whole seconds, at least one.
func seconds(d time.Duration) int { return int(max(1, (d+time.Second-1)/time.Second)) }

// codes is the table of api.Codes by code.
var codes = sync.OnceValue(func() map[string]api.CodeInfo {
	m := map[string]api.CodeInfo{}
	for _, c := range api.Codes() {
		m[c.Code] = c
	}
	return m
})

func newProblem(code, detail string, fields ...api.FieldError) *problem {
	info, ok := codes()[code]
	if !ok {
		info = codes()[api.CodeInternal]
	}
	return &problem{Problem: api.Problem{
		Type: "/docs#error-" + info.Code, Title: info.Title, Status: info.Status, Code: info.Code, Detail: detail, Errors: fields,
	}}
}

// fail turns an error into its answer. What is not the caller's to know goes to the log only.
func (s *Server) fail(ctx context.Context, err error) *problem {
	var p *problem
	if !errors.As(err, &p) {
		p = s.problemOf(ctx, err)
	}
	p.RequestID = requestID(ctx)
	return p
}

func (s *Server) problemOf(ctx context.Context, err error) *problem {
	var e *peal.Error
	if !errors.As(err, &e) {
		e = &peal.Error{Kind: peal.Internal, Err: err}
	}
	fields := make([]api.FieldError, len(e.Fields))
	for i, f := range e.Fields {
		fields[i] = api.FieldError{Path: f.Path, Code: f.Code, Message: f.Message}
	}
	p := newProblem(string(e.Kind), e.Message, fields...)
	p.retry = e.RetryAfter
	if p.Status >= http.StatusInternalServerError && e.Kind != peal.ProviderFailed { // that is nothing of ours
		s.cfg.Log.LogAttrs(ctx, slog.LevelError, "request failed",
			slog.String("request_id", requestID(ctx)), slog.String("code", p.Code), slog.Any("error", err))
	}
	return p
}

func (s *Server) writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	p := s.fail(r.Context(), err)
	body, merr := json.Marshal(&p.Problem)
	if merr != nil {
		body = []byte(`{"title":"Something went wrong in Peal","status":500,"code":"internal"}`)
	}
	maps.Copy(w.Header(), p.GetHeaders())
	w.Header().Set("Content-Type", api.ProblemType)
	w.WriteHeader(p.Status)
	write(w, body)
}

// write sends a body; a caller that has gone away is nobody's error.
func write(w http.ResponseWriter, body []byte) {
	if _, err := w.Write(body); err != nil { //nolint:gosec // no XSS: it is JSON, is said to be, and nosniff is set
		return
	}
}

// useProblems makes huma answer its own errors as problems. huma keeps the function in a variable of its package, so it
// is set once for the process.
var useProblems = sync.OnceFunc(func() {
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		p := humaProblem(status, msg, errs)
		if ctx != nil {
			p.RequestID = requestID(ctx.Context())
		}
		return p
	}
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError { return humaProblem(status, msg, errs) }
})

// humaProblem words what huma found. It leaves out the values: they may be secrets.
func humaProblem(status int, msg string, errs []error) *problem {
	code := api.CodeInternal
	switch status {
	case http.StatusBadRequest:
		code = api.CodeMalformedJSON
	case http.StatusUnprocessableEntity:
		code = api.CodeInvalidRequest
	case http.StatusRequestEntityTooLarge:
		code = api.CodeBodyTooLarge
	}
	var fields []api.FieldError
	for _, err := range errs {
		var d huma.ErrorDetailer
		if !errors.As(err, &d) {
			continue
		}
		detail := d.ErrorDetail()
		path := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(detail.Location, "body."), "query."), "path.")
		if name, ok := strings.CutPrefix(detail.Message, "expected required property "); ok { // told of the object around it
			path = strings.TrimPrefix(path+"."+strings.TrimSuffix(name, " to be present"), "body.")
		}
		fields = append(fields, api.FieldError{Path: path, Code: humaCode(detail.Message), Message: humaMessage(detail.Message)})
	}
	if len(fields) > 0 && status == http.StatusBadRequest {
		code = api.CodeInvalidRequest
	}
	p := newProblem(code, msg, fields...)
	return p
}

func humaCode(message string) string {
	switch {
	case strings.Contains(message, "required property"):
		return "required"
	case strings.Contains(message, "unexpected property"), message == "unknown query parameter":
		return "unknown"
	default:
		return "invalid"
	}
}

// humaMessage says how to mend what huma only calls wrong.
func humaMessage(message string) string {
	switch {
	case strings.HasPrefix(message, "invalid date/time"):
		return "it is no time; write it like 2026-07-20T09:30:00Z"
	case message == "unexpected property":
		return "there is no such field; check its name and place"
	default:
		return message
	}
}

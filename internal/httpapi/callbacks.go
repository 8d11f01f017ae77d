package httpapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline/track"
	"peal/internal/provider"
)

// Callbacks are the webhooks that were kept.
type Callbacks interface {
	List(ctx context.Context, f *track.ReadFilter) (page []track.Shown, next string, err error)
	Get(ctx context.Context, integrations []string, id string) (track.Shown, error)
}

// Replays are runs of kept webhooks through the parser.
type Replays interface {
	AddReplay(ctx context.Context, r *peal.CallbackReplay) error
	Replay(ctx context.Context, tenantID, id string) (peal.CallbackReplay, error)
	Replays(ctx context.Context, tenantID string, limit int) ([]peal.CallbackReplay, error)
}

// openReplays is how many replays of a tenant may wait or run.
const openReplays = 20

func (s *Server) callbacks() {
	const tag = "Webhooks"
	huma.Register(s.api, op("list-callbacks", http.MethodGet, "/v1/callbacks", tag, "Webhooks as providers sent them, in the order that they came"), s.listCallbacks)
	huma.Register(s.api, op("get-callback", http.MethodGet, "/v1/callbacks/{id}", tag, "One webhook whole, and what it says"), s.getCallback)
	replay := op("replay-callbacks", http.MethodPost, "/v1/callbacks/replay", tag, "Run webhooks through the parser again, in the background")
	replay.DefaultStatus = http.StatusAccepted
	huma.Register(s.api, replay, s.replayCallbacks)
	huma.Register(s.api, op("list-replays", http.MethodGet, "/v1/callbacks/replays", tag, "The last replays, newest first"), s.listReplays)
	huma.Register(s.api, op("get-replay", http.MethodGet, "/v1/callbacks/replays/{id}", tag, "How far a replay is"), s.getReplay)
}

type callbacksInput struct {
	Limit       int       `query:"limit" minimum:"1" maximum:"500" default:"50"`
	Cursor      string    `query:"cursor" maxLength:"128" doc:"next_cursor of the page before"`
	Integration string    `query:"integration" maxLength:"64" doc:"Id or name"`
	State       string    `query:"state" enum:"unreadable" doc:"Only those that could not be understood"`
	Since       time.Time `query:"since" doc:"Kept then or later, RFC 3339"`
	Until       time.Time `query:"until" doc:"Kept before then, RFC 3339"`
}

type (
	callbacksOutput struct{ Body api.CallbackPage }
	callbackOutput  struct{ Body api.Callback }
	rerunInput      struct{ Body api.ReplayRequest }
	rerunOutput     struct{ Body api.Replay }
	rerunsOutput    struct{ Body api.ReplayList }
)

// accounts are the tenant's integrations, or the one of that id or name.
func (s *Server) accounts(tenantID, ref string) (ids []string) {
	if ref != "" {
		if in := s.cfg.Integrations.Find(tenantID, ref); in != nil {
			ids = append(ids, in.ID)
		}
		return ids
	}
	for _, in := range s.cfg.Integrations.OfTenant(tenantID) {
		ids = append(ids, in.ID)
	}
	return ids
}

func (s *Server) listCallbacks(ctx context.Context, in *callbacksInput) (*callbacksOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	f := track.ReadFilter{
		Integrations: s.accounts(tenantID, in.Integration), Since: in.Since, Until: in.Until,
		Unreadable: in.State == api.CallbackUnreadable, After: in.Cursor, Limit: in.Limit,
	}
	out := &callbacksOutput{api.CallbackPage{Callbacks: []api.Callback{}}}
	if len(f.Integrations) == 0 {
		return out, nil
	}
	page, next, err := s.cfg.Callbacks.List(ctx, &f)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	for i := range page {
		out.Body.Callbacks = append(out.Body.Callbacks, callbackOf(&page[i]))
	}
	out.Body.NextCursor = next
	return out, nil
}

func callbackOf(c *track.Shown) api.Callback {
	return api.Callback{
		ID: c.ID, IntegrationID: c.IntegrationID, ReceivedAt: c.ReceivedAt.UTC(), KeptAt: c.KeptAt.UTC(), Bytes: len(c.Body),
		Unreadable: c.Unreadable, Closed: c.Closed,
	}
}

func (s *Server) getCallback(ctx context.Context, in *idInput) (*callbackOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	c, err := s.cfg.Callbacks.Get(ctx, s.accounts(tenantID, ""), strings.ToLower(in.ID))
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out := &callbackOutput{callbackOf(&c)}
	b := &out.Body
	b.Header, b.Error = c.Header, c.Error
	if b.Body = string(c.Body); !utf8.Valid(c.Body) {
		b.Body, b.BodyEncoding = base64.StdEncoding.EncodeToString(c.Body), "base64"
	}
	for i := range c.Facts {
		facts, err := factsOf(&c.Facts[i])
		if err != nil {
			return nil, s.fail(ctx, fmt.Errorf("write what a webhook says: %w", err))
		}
		b.Facts = append(b.Facts, facts...)
	}
	return out, nil
}

// factsOf tells what a fact is about by the fields that it has.
func factsOf(f *provider.Fact) (facts []api.CallbackFact, err error) {
	if e := f.Evidence; e != nil {
		facts = append(facts, api.CallbackFact{Type: "status", Details: present(map[string]any{
			"status": string(e.Status), "message_id": e.MessageID, "message_key": e.MessageKey, "delivery_id": e.DeliveryID,
			"error_code": e.Code, "error_reason": e.Reason, "at": timeText(e.At),
		})})
	}
	if h := f.Session; h != nil {
		details := present(map[string]any{"state": h.State, "reason": h.Reason})
		details["ok"] = h.OK
		facts = append(facts, api.CallbackFact{Type: "session", Details: details})
	}
	other := *f
	other.Evidence, other.Session = nil, nil
	raw, err := json.Marshal(other)
	if err != nil {
		return nil, err
	}
	var fields map[string]map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, err
	}
	for name, details := range fields {
		if details != nil {
			facts = append(facts, api.CallbackFact{Type: strings.ToLower(name), Details: details})
		}
	}
	return facts, nil
}

// present leaves out what is empty.
func present(details map[string]any) map[string]any {
	for name, v := range details {
		if v == "" {
			delete(details, name)
		}
	}
	return details
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func (s *Server) replayCallbacks(ctx context.Context, in *rerunInput) (*rerunOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	req := &in.Body
	invalid := func(path, message string) error {
		return s.fail(ctx, newProblem(api.CodeInvalidRequest, "", api.FieldError{Path: path, Code: "invalid", Message: message}))
	}
	account := s.cfg.Integrations.Find(tenantID, req.Integration)
	switch {
	case account == nil:
		return nil, invalid("integration", "there is no integration of that id or name")
	case req.Since == nil && len(req.IDs) == 0 && req.State == "":
		return nil, invalid("since", "give since, ids or state")
	case len(req.IDs) > 0 && (req.Since != nil || req.Until != nil || req.State != ""):
		return nil, invalid("ids", "give ids alone, or fields that choose")
	case req.Since != nil && req.Until != nil && !req.Until.After(*req.Since):
		return nil, invalid("until", "it must be after since")
	}
	last, err := s.cfg.Replays.Replays(ctx, tenantID, 10*openReplays)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	open := 0
	for i := range last {
		if last[i].EndedAt.IsZero() {
			open++
		}
	}
	if open >= openReplays {
		return nil, s.fail(ctx, peal.Errorf(peal.Conflict, "%d replays wait or run already; wait for their end", open))
	}
	r := peal.CallbackReplay{
		TenantID: tenantID, ID: peal.NewID(), IntegrationID: account.ID, Since: deref(req.Since), Until: deref(req.Until), IDs: lower(req.IDs),
		Broken: req.State == api.CallbackUnreadable, DryRun: req.DryRun, CreatedAt: s.cfg.Now(),
	}
	if err := s.cfg.Replays.AddReplay(ctx, &r); err != nil {
		return nil, s.fail(ctx, err)
	}
	s.cfg.Replay()
	return &rerunOutput{replayOf(&r)}, nil
}

func (s *Server) listReplays(ctx context.Context, _ *struct{}) (*rerunsOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	all, err := s.cfg.Replays.Replays(ctx, tenantID, 100)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out := &rerunsOutput{api.ReplayList{Replays: []api.Replay{}}}
	for i := range all {
		out.Body.Replays = append(out.Body.Replays, replayOf(&all[i]))
	}
	return out, nil
}

func (s *Server) getReplay(ctx context.Context, in *idInput) (*rerunOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	r, err := s.cfg.Replays.Replay(ctx, tenantID, strings.ToLower(in.ID))
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &rerunOutput{replayOf(&r)}, nil
}

func replayOf(r *peal.CallbackReplay) api.Replay {
	out := api.Replay{
		ID: r.ID, IntegrationID: r.IntegrationID, Status: "waiting", DryRun: r.DryRun, CreatedAt: r.CreatedAt.UTC(), Failure: r.Failure,
		Read: r.Read, Facts: r.Facts, Changed: r.Changed, Mended: r.Mended, Unreadable: r.Unreadable,
	}
	if r.Reached > 0 {
		out.Status = "running"
	}
	if !r.EndedAt.IsZero() {
		at := r.EndedAt.UTC()
		out.Status, out.EndedAt = "done", &at
	}
	if r.Failure != "" {
		out.Status = "failed"
	}
	return out
}

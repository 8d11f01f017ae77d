package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"peal/api"
	"peal/internal/peal"
)

// maxRedrive is how many dead letters one call re-drives or discards; chunk is how many in one transaction. minRate is
// the slowest that they are re-driven, per second: slower, and the last of a call would fall due in years, or overflow.
const (
	maxRedrive = 10_000
	chunk      = 500
	minRate    = 0.001
)

func (s *Server) deadLetters() {
	const tag = "Dead letters"
	huma.Register(s.api, op("list-dead-letters", http.MethodGet, "/v1/dead-letters", tag, "Deliveries that ran out of attempts, newest first"), s.listDead)
	huma.Register(s.api, op("group-dead-letters", http.MethodGet, "/v1/dead-letters/groups", tag, "Dead letters by integration and error code, with a sample"), s.groupDead)
	huma.Register(s.api, op("get-dead-letter", http.MethodGet, "/v1/dead-letters/{id}", tag, "Inspect one whole"), s.getDead)
	huma.Register(s.api, op("redrive-dead-letters", http.MethodPost, "/v1/dead-letters/redrive", tag, "Queue dead letters again, by filter or all"), s.redrive)
	huma.Register(s.api, op("discard-dead-letters", http.MethodPost, "/v1/dead-letters/discard", tag, "Let go of dead letters, by filter or all"), s.discard)
	huma.Register(s.api, op("redrive-dead-letter", http.MethodPost, "/v1/dead-letters/{id}/redrive", tag, "Queue one again: same id, same history"), s.redriveOne)
	huma.Register(s.api, op("discard-dead-letter", http.MethodPost, "/v1/dead-letters/{id}/discard", tag, "Let go of one; it stays failed"), s.discardOne)
}

type deadInput struct {
	Page
	Integration string    `query:"integration" maxLength:"64" doc:"Id or name"`
	ErrorCode   string    `query:"error_code" maxLength:"64"`
	Since       time.Time `query:"since" doc:"Dead since then or later, RFC 3339"`
	Until       time.Time `query:"until" doc:"Dead before then, RFC 3339"`
}

func (s *Server) listDead(ctx context.Context, in *deadInput) (*pageOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeRead)
	if err != nil {
		return nil, err
	}
	f := peal.LogFilter{
		Dead: true, IntegrationID: s.integrationID(tenantID, in.Integration), ErrorCode: in.ErrorCode, Since: in.Since, Until: in.Until,
	}
	return s.page(ctx, tenantID, f, &in.Page)
}

type groupsOutput struct{ Body api.DeadLetterGroups }

func (s *Server) groupDead(ctx context.Context, _ *struct{}) (*groupsOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeRead)
	if err != nil {
		return nil, err
	}
	groups, err := s.cfg.DeadLetters.DeadGroups(ctx, tenantID)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out := &groupsOutput{api.DeadLetterGroups{Groups: make([]api.DeadLetterGroup, len(groups))}}
	for i := range groups {
		g := &groups[i]
		out.Body.Groups[i] = api.DeadLetterGroup{
			IntegrationID: g.IntegrationID, ErrorCode: g.ErrorCode, Count: g.Count, OldestAt: g.Oldest.UTC(),
			NewestAt: g.Newest.UTC(), Sample: deliveryOf(&g.Sample),
		}
	}
	return out, nil
}

func (s *Server) getDead(ctx context.Context, in *idInput) (*deliveryOutput, error) {
	out, err := s.getDelivery(ctx, in)
	if err == nil && !out.Body.DeadLetter {
		return nil, s.fail(ctx, peal.Errorf(peal.NotFound, "there is no such dead letter; its delivery is %s", out.Body.Status))
	}
	return out, err
}

// deadFilter checks and translates a filter. An empty one is refused: "all" has to be said.
func (s *Server) deadFilter(ctx context.Context, tenantID string, f *api.DeadLetterFilter) (peal.DeadFilter, error) {
	out := peal.DeadFilter{
		IDs: lower(f.IDs), ErrorCode: f.ErrorCode, IntegrationID: s.integrationID(tenantID, f.IntegrationID),
		Since: deref(f.Since), Until: deref(f.Until),
	}
	none := len(f.IDs) == 0 && f.ErrorCode == "" && f.IntegrationID == "" && f.Since == nil && f.Until == nil
	return out, s.chooses(ctx, none, f.All, "dead letter")
}

// chooses refuses a filter that chooses nothing without saying all, or says all and chooses.
func (s *Server) chooses(ctx context.Context, none, all bool, what string) error {
	if none == all {
		return nil
	}
	message := "it chooses nothing; give a field, or all: true for every " + what
	if all {
		message = "give all, or fields that choose, not both"
	}
	return s.fail(ctx, newProblem(api.CodeInvalidRequest, "", api.FieldError{Path: "filter", Code: "invalid", Message: message}))
}

// lower gives the ids as they are kept; nil for none: an empty list is as good as an absent one.
func lower(ids []string) []string {
	var out []string
	for _, id := range ids {
		out = append(out, strings.ToLower(id))
	}
	return out
}

type (
	redriveInput struct {
		Body api.RedriveRequest
	}
	discardInput struct {
		Body api.DiscardRequest
	}
	deadOutput struct{ Body api.DeadLetterResult }
)

func (s *Server) redrive(ctx context.Context, in *redriveInput) (*deadOutput, error) {
	pace, err := s.pace(ctx, in.Body.Rate)
	if err != nil {
		return nil, err
	}
	return s.dead(ctx, &in.Body.Filter, in.Body.DryRun, in.Body.Limit, true,
		func(tenantID string, f peal.DeadFilter, most int) (int64, error) {
			jobs, err := s.cfg.DeadLetters.Redrive(ctx, tenantID, f, most, pace)
			pace.Start += time.Duration(len(jobs)) * pace.Spacing // the next chunk falls due after this one
			s.cfg.Jobs.Publish(jobs)
			return int64(len(jobs)), err
		})
}

// pace is a rate per second as the time between two; 0 is none.
func (s *Server) pace(ctx context.Context, rate float64) (peal.Pace, error) {
	switch {
	case rate == 0:
		return peal.Pace{}, nil
	case rate < minRate:
		return peal.Pace{}, s.fail(ctx, newProblem(api.CodeInvalidRequest, "", api.FieldError{
			Path: "rate", Code: "out_of_range", Message: fmt.Sprintf("give 0 for all at once, or %v to 10000 per second", minRate),
		}))
	default:
		return peal.Pace{Spacing: time.Duration(float64(time.Second) / rate)}, nil
	}
}

func (s *Server) discard(ctx context.Context, in *discardInput) (*deadOutput, error) {
	return s.dead(ctx, &in.Body.Filter, in.Body.DryRun, in.Body.Limit, false,
		func(tenantID string, f peal.DeadFilter, most int) (int64, error) {
			return s.cfg.DeadLetters.Discard(ctx, tenantID, f, most)
		})
}

// dead does something to the dead letters that a filter chooses, a chunk at a time.
func (s *Server) dead(ctx context.Context, af *api.DeadLetterFilter, dry bool, limit int, spareExpired bool,
	do func(tenantID string, f peal.DeadFilter, most int) (int64, error),
) (*deadOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	f, err := s.deadFilter(ctx, tenantID, af)
	if err != nil {
		return nil, err
	}
	matched, expired, err := s.cfg.DeadLetters.DeadCounts(ctx, tenantID, f)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	if !spareExpired {
		expired = 0
	}
	res := api.DeadLetterResult{DryRun: dry, Matched: matched, Expired: expired, Remaining: matched - expired}
	if !dry {
		res.Done, err = inChunks(limit, func(most int) (int64, error) { return do(tenantID, f, most) })
		if err != nil {
			return nil, s.fail(ctx, err)
		}
		res.Remaining = max(0, res.Remaining-res.Done)
	}
	return &deadOutput{res}, nil
}

// inChunks does something to up to limit rows (0: maxRedrive), a transaction's worth at a time, until there are no more.
func inChunks(limit int, do func(most int) (int64, error)) (done int64, err error) {
	if limit == 0 {
		limit = maxRedrive
	}
	for done < int64(limit) {
		n, err := do(min(chunk, limit-int(done)))
		done += n
		if err != nil || n == 0 {
			return done, err
		}
	}
	return done, nil
}

func (s *Server) redriveOne(ctx context.Context, in *idInput) (*deliveryOutput, error) {
	return s.deadOne(ctx, in, func(tenantID string, f peal.DeadFilter) (bool, error) {
		jobs, err := s.cfg.DeadLetters.Redrive(ctx, tenantID, f, 1, peal.Pace{})
		s.cfg.Jobs.Publish(jobs)
		return len(jobs) == 1, err
	})
}

func (s *Server) discardOne(ctx context.Context, in *idInput) (*deliveryOutput, error) {
	return s.deadOne(ctx, in, func(tenantID string, f peal.DeadFilter) (bool, error) {
		n, err := s.cfg.DeadLetters.Discard(ctx, tenantID, f, 1)
		return n == 1, err
	})
}

func (s *Server) deadOne(ctx context.Context, in *idInput, do func(string, peal.DeadFilter) (bool, error)) (*deliveryOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	id := strings.ToLower(in.ID)
	done, err := do(tenantID, peal.DeadFilter{IDs: []string{id}})
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out, err := s.delivery(ctx, tenantID, id)
	if err != nil || done {
		return out, err
	}
	switch at := out.Body.ExpiresAt; {
	case !out.Body.DeadLetter:
	case at != nil && !s.cfg.Now().Before(*at):
		return nil, s.fail(ctx, peal.Errorf(peal.TooLate, "it expired at %s and is not sent late", at.Format(time.RFC3339)))
	default:
		return nil, s.fail(ctx, peal.Errorf(peal.Conflict, "its integration was deleted; send a new notification over another one, and discard this"))
	}
	return nil, s.fail(ctx, peal.Errorf(peal.NotDeadLetter, "its status is %s", out.Body.Status))
}

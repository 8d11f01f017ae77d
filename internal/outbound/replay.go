package outbound

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"peal/api"
	"peal/internal/peal"
)

// Replay has an endpoint told again what has happened. It tells how much of that is queued at once.
func (s *Service) Replay(ctx context.Context, tenantID, ref string, req *api.EndpointReplayRequest) (n int64, err error) {
	e, err := s.Find(ctx, tenantID, ref)
	if err != nil {
		return 0, err
	}
	var f faults
	f.check("types", checkTypes(req.Types))
	switch {
	case req.EventID != "" && (req.Since != nil || len(req.Types) > 0 || req.Failed):
		f.check("event_id", "it names one event; leave since, types and failed out")
	case req.EventID == "" && !req.Failed && req.Since == nil:
		f.check("since", "say from when on; or give event_id, or failed")
	}
	if err := f.err(); err != nil {
		return 0, err
	}
	if e.Disabled != nil {
		return 0, peal.Errorf(peal.Conflict, "the endpoint is disabled; enable it first")
	}
	types := typesOf(req.Types)
	since := time.Time{}
	if req.Since != nil {
		since = *req.Since
	}
	switch {
	case req.EventID != "":
		n, err = 1, s.replayOne(ctx, &e, req.EventID)
	case req.Failed:
		n, err = s.cfg.Replays.ReplayFailed(ctx, tenantID, e.ID, since, types, replayMost)
	default:
		var from string
		if from, err = s.cfg.Log.NoticesSince(ctx, tenantID, since); err == nil {
			err = s.cfg.Replays.ReplaySince(ctx, tenantID, e.ID, peal.EndpointReplay{Cursor: from, Since: since, Types: types})
		}
	}
	if err != nil {
		return 0, err
	}
	s.cfg.Changed()
	return n, nil
}

func (s *Service) replayOne(ctx context.Context, e *peal.Endpoint, id string) error {
	m, err := s.cfg.Replays.EndpointMessage(ctx, e.ID, id)
	if peal.KindOf(err) == peal.NotFound {
		var notice peal.Notice
		if notice, err = s.cfg.Log.Notice(ctx, e.TenantID, id); err == nil {
			m = messageOf(&notice)
		}
	}
	if peal.KindOf(err) == peal.NotFound {
		return peal.Errorf(peal.NotFound, "the event log has no such event any more")
	}
	if err != nil {
		return err
	}
	return s.cfg.Replays.ReplayOne(ctx, e.TenantID, e.ID, m)
}

// Test calls an endpoint at once with an event that is of nothing else, and gives what came of it. It does so though the
// endpoint is disabled. Whoever asked may be gone by then: what was called is written down.
func (s *Service) Test(ctx context.Context, tenantID, ref string) (a peal.EndpointAttempt, err error) {
	e, err := s.Find(ctx, tenantID, ref)
	if err != nil {
		return a, err
	}
	all, err := open(s.cfg.Vault, e.ID, e.Secrets, s.cfg.Now())
	if err != nil {
		return a, err
	}
	keys, err := keysOf(all)
	if err != nil {
		return a, err
	}
	data, err := json.Marshal(api.EndpointEvent{EndpointID: e.ID, URL: e.URL})
	if err != nil {
		return a, errors.New("the test could not be written")
	}
	n := peal.Notice{TenantID: tenantID, ID: "test_" + peal.NewID(), Type: peal.NoticeEndpointTest, At: s.cfg.Now(), Subject: e.ID, Data: data}
	ctx = context.WithoutCancel(ctx)
	r := s.cfg.Stage.caller.call(ctx, &target{url: e.URL, timeout: e.Timeout, keys: keys}, &n)
	a = peal.EndpointAttempt{
		ID: peal.NewID(), NoticeID: n.ID, Type: n.Type, Try: 1, At: r.at, Took: r.took, Status: r.status, OK: r.ok(), Code: r.code, Error: r.reason,
	}
	return a, s.cfg.Listed.PutAttempt(ctx, e.ID, a)
}

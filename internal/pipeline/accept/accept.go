package accept

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"peal/api"
	"peal/internal/metrics"
	"peal/internal/peal"
	"peal/internal/pipeline"
)

// Planner is what accept needs of route.
type Planner interface {
	// Look looks up together what the requests of a call need.
	Look(ctx context.Context, tenantID string, reqs []*api.NotificationRequest) (*pipeline.Looked, error)
	// Plan gives the deliveries of one of them. It is given what Look has found.
	Plan(ctx context.Context, n *peal.Notification, req *api.NotificationRequest, looked *pipeline.Looked) ([]peal.Delivery, error)
	// PlanAudience gives what one to an audience is expanded from.
	PlanAudience(n *peal.Notification, req *api.NotificationRequest) (*pipeline.Expansion, error)
	// DryRun tells what Plan would plan, and what the providers would be sent.
	DryRun(ctx context.Context, n *peal.Notification, req *api.NotificationRequest) (*api.DryRun, error)
}

// Records is where accepted notifications are kept.
type Records interface {
	Accept(ctx context.Context, subs []pipeline.Submission) ([]pipeline.Verdict, error)
}

// Jobs hands work to send.
type Jobs interface {
	Publish(jobs []pipeline.Job)
}

// Recall knows the keys of earlier requests.
type Recall interface {
	Recall(ctx context.Context, sub *pipeline.Submission) (v pipeline.Verdict, found bool, err error)
}

// Config of a Stage.
type Config struct {
	Planner Planner
	Records Records
	Jobs    Jobs
	Quotas  *Quotas  // nil: no limits
	Recall  Recall   // asked for repeats of those that are refused now; nil: they are refused like others
	Queues  *Queues  // nil: no estimates
	Replays *Replays // nil: nobody remembers repeats
	Expand  func()   // told when a notification to an audience was accepted; nil: nobody
	Metrics *metrics.Metrics
	Log     *slog.Logger     // default: none
	Now     func() time.Time // default time.Now
}

// Stage accepts notifications. Create it with New.
type Stage struct {
	cfg    Config
	phones phones
}

// New makes a Stage.
func New(cfg Config) *Stage {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Stage{cfg: cfg}
}

// Item is one request of a call, with its idempotency key or none.
type Item struct {
	Request *api.NotificationRequest
	Key     string
	Err     error // set when the item could not even be decoded; it is passed through

	// Device, of a push, is the only one of the user's devices that is meant; nil: all of them.
	Device *peal.Device
}

// Result answers one item: an api.Accepted as JSON, or an error.
type Result struct {
	Answer   []byte
	Replayed bool
	Err      error
}

// Accept checks, plans and keeps the items; a bad one does not sink the others. It fails as a whole only when nothing
// could be kept. When it returns, what it accepted is on disk.
func (s *Stage) Accept(ctx context.Context, tenantID string, items []Item) ([]Result, error) {
	results := make([]Result, len(items))
	subs, index, err := s.drafts(ctx, tenantID, items, results)
	if err != nil {
		return nil, err
	}
	if subs, index = s.admit(ctx, tenantID, subs, index, results); len(subs) == 0 {
		return results, nil
	}
	if err := s.answers(ctx, subs); err != nil {
		return nil, err
	}
	verdicts, err := s.cfg.Records.Accept(ctx, subs)
	if err != nil {
		s.cfg.Metrics.Refused.WithLabelValues(string(peal.KindOf(err))).Add(float64(len(subs)))
		s.unused(tenantID, subs, nil)
		return nil, inDoubt(err)
	}
	s.unused(tenantID, subs, verdicts)
	var jobs []pipeline.Job
	expand := false
	for n, v := range verdicts {
		results[index[n]] = s.result(&subs[n], &v)
		if !v.Replayed && !v.Conflict {
			expand = expand || subs[n].Expansion != nil
			jobs = append(jobs, subs[n].Jobs()...)
			for i := range subs[n].Deliveries {
				s.cfg.Metrics.Accepted.WithLabelValues(subs[n].Deliveries[i].IntegrationID).Inc()
			}
		}
	}
	s.cfg.Jobs.Publish(jobs)
	if expand && s.cfg.Expand != nil {
		s.cfg.Expand()
	}
	return results, nil
}

// inDoubt tells the caller of a write that was handed over and never answered what it can do.
func inDoubt(err error) error {
	if !errors.Is(err, peal.ErrHandedOver) {
		return err
	}
	return &peal.Error{
		Kind: peal.KindOf(err), Err: err,
		Message: "it took too long, and may have been accepted all the same; repeat it with the same idempotency key: it is sent once",
	}
}

func (s *Stage) result(sub *pipeline.Submission, v *pipeline.Verdict) Result {
	if v.Conflict {
		s.cfg.Metrics.Refused.WithLabelValues(string(peal.IdempotencyConflict)).Inc()
		if strings.HasPrefix(sub.Key, eventPrefix) {
			return Result{Err: &peal.Error{
				Kind: peal.IdempotencyConflict, Message: "within the last 24 hours the same event came for the same recipient with another body",
				Fields: []peal.Field{{
					Path: "event", Code: "conflict",
					Message: "without an idempotency key the event's type and time stand for one; change them if it is another event, or give an Idempotency-Key of its own",
				}},
			}}
		}
		return Result{Err: peal.Errorf(peal.IdempotencyConflict, "within the last 24 hours the key came with another body")}
	}
	if v.Replayed {
		s.cfg.Metrics.Replayed.Inc()
		s.cfg.Replays.note(sub.Notification.TenantID, sub.Key, v.Answer, sub.Notification.CreatedAt)
	}
	return Result{Answer: v.Answer, Replayed: v.Replayed}
}

// drafts makes the rows of the items, and tells for each of which item it is. What is wrong with an item is its result.
func (s *Stage) drafts(ctx context.Context, tenantID string, items []Item, results []Result) (subs []pipeline.Submission, index []int, err error) {
	subs, index = make([]pipeline.Submission, 0, len(items)), make([]int, 0, len(items))
	reqs := make([]*api.NotificationRequest, 0, len(items))
	refuse := func(i int, err error) {
		results[i].Err = err
		s.cfg.Metrics.Refused.WithLabelValues(string(peal.KindOf(err))).Inc()
	}
	for i := range items {
		n := len(subs)
		subs = subs[:n+1]
		if err := s.guarded(tenantID, func() error { return s.draft(tenantID, &items[i], &subs[n].Notification) }); err != nil {
			refuse(i, err)
			subs = subs[:n]
			continue
		}
		index = append(index, i)
		if items[i].Device == nil {
			reqs = append(reqs, items[i].Request)
		}
	}
	looked, err := s.cfg.Planner.Look(ctx, tenantID, reqs)
	if err != nil {
		return nil, nil, err
	}
	planned := 0
	for n, i := range index {
		if err := s.guarded(tenantID, func() error { return s.plan(ctx, &subs[n], &items[i], looked) }); err != nil {
			results[i] = s.unlessRepeated(ctx, &subs[n], err)
			continue
		}
		subs[planned], index[planned] = subs[n], i
		planned++
	}
	return subs[:planned], index[:planned], nil
}

// guarded runs a step of one item; a panic of it is the item's error, so that the others of its call go on.
func (s *Stage) guarded(tenantID string, step func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Log.Error("accept panicked; it goes on", "tenant_id", tenantID, "panic", peal.PanicText(p), "stack", string(debug.Stack()))
			err = peal.Errorf(peal.Internal, "the code that checks it failed on it")
		}
	}()
	return step()
}

// draft checks an item, and makes its notification.
func (s *Stage) draft(tenantID string, item *Item, n *peal.Notification) (err error) {
	if item.Err != nil {
		return item.Err
	}
	now := s.cfg.Now().UTC().Truncate(time.Microsecond)
	if *n, err = s.check(item.Request, item.Key, now); err != nil {
		return err
	}
	n.TenantID, n.ID, n.CreatedAt = tenantID, peal.NewID(), now
	return nil
}

// plan makes the rows of one item.
func (s *Stage) plan(ctx context.Context, sub *pipeline.Submission, item *Item, looked *pipeline.Looked) (err error) {
	if item.Device != nil {
		looked = &pipeline.Looked{Devices: map[string][]peal.Device{item.Device.UserID: {*item.Device}}}
	}
	if sub.Key = key(sub.Notification.TenantID, item); sub.Key != "" {
		if sub.BodyHash, err = bodyHash(item.Request); err != nil {
			return err
		}
	}
	if item.Request.Recipient.Audience != nil {
		sub.Expansion, err = s.cfg.Planner.PlanAudience(&sub.Notification, item.Request)
	} else {
		sub.Deliveries, err = s.cfg.Planner.Plan(ctx, &sub.Notification, item.Request, looked)
	}
	return err
}

// DryRun checks and plans a request as Accept does, and tells what would be sent. It writes nothing.
func (s *Stage) DryRun(ctx context.Context, tenantID string, req *api.NotificationRequest) (out *api.DryRun, err error) {
	item := Item{Request: req}
	err = s.guarded(tenantID, func() error {
		var n peal.Notification
		err := s.draft(tenantID, &item, &n)
		if err == nil {
			out, err = s.cfg.Planner.DryRun(ctx, &n, req)
		}
		return err
	})
	return out, err
}

// answers writes what each is answered if it is accepted, with when it is going to go out.
func (s *Stage) answers(ctx context.Context, subs []pipeline.Submission) (err error) {
	for i := range subs {
		if subs[i].Answer, err = s.answer(ctx, &subs[i]); err != nil {
			return err
		}
	}
	return nil
}

// unused gives back the quota of submissions that wrote nothing: repeats and conflicts, or without verdicts all of them.
func (s *Stage) unused(tenantID string, subs []pipeline.Submission, verdicts []pipeline.Verdict) {
	if s.cfg.Quotas == nil {
		return
	}
	notifications, deliveries := 0, 0
	for i := range subs {
		if verdicts == nil || verdicts[i].Replayed || verdicts[i].Conflict {
			notifications++
			deliveries += len(subs[i].Jobs())
		}
	}
	if notifications > 0 {
		s.cfg.Quotas.giveBack(tenantID, notifications, deliveries)
	}
}

// Prefixes of idempotency keys, which keep a caller's apart from derived ones.
const (
	keyPrefix   = "key:"
	eventPrefix = "event:"
)

// key is the item's idempotency key as the records know it.
func key(tenantID string, item *Item) string {
	if item.Key != "" {
		return keyPrefix + item.Key
	}
	ev := item.Request.Event
	if ev == nil {
		return ""
	}
	h := sha256.New()
	r := &item.Request.Recipient
	parts := []string{tenantID, r.UserID, r.Phone, ev.Type, ev.OccurredAt.UTC().Format(time.RFC3339Nano)}
	if r.WhatsAppUserID != "" {
		parts = append(parts, "whatsapp", r.WhatsAppUserID)
	}
	if r.Platform != "" {
		parts = append(parts, r.Platform)
	}
	if a := r.Audience; a != nil {
		parts = append(parts, "audience", a.AppID, a.Platform, a.Locale)
	}
	for _, part := range parts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part) // a hash never fails
	}
	return eventPrefix + hex.EncodeToString(h.Sum(nil))
}

// bodyHash is of the request in canonical form (RFC 8785), so that white space and the order of keys make no difference.
func bodyHash(req *api.NotificationRequest) ([sha256.Size]byte, error) {
	r := *req
	r.IdempotencyKey = ""
	canonical, err := json.Marshal(&r)
	if err == nil {
		err = (*jsontext.Value)(&canonical).Canonicalize()
	}
	if err != nil {
		return [sha256.Size]byte{}, peal.Errorf(peal.Invalid, "the request cannot be written as JSON again")
	}
	return sha256.Sum256(canonical), nil
}

func (s *Stage) answer(ctx context.Context, sub *pipeline.Submission) ([]byte, error) {
	a := api.Accepted{ID: sub.Notification.ID, CreatedAt: sub.Notification.CreatedAt, Expanding: sub.Expansion != nil}
	a.Deliveries = make([]api.AcceptedDelivery, len(sub.Deliveries))
	next := peal.NextRung(sub.Deliveries)
	for i := range sub.Deliveries {
		d := &sub.Deliveries[i]
		a.Deliveries[i] = api.AcceptedDelivery{
			ID: d.ID, IntegrationID: d.IntegrationID, Channel: d.Channel, Status: string(d.Status), Reason: d.ErrorCode,
		}
		if d.Rung != nil {
			a.Deliveries[i].Rung = &d.Rung.Number
		}
		if s.cfg.Queues != nil && d.OnRung(next) {
			a.Queue = Later(a.Queue, s.cfg.Queues.Join(ctx, d))
		}
	}
	b, err := json.Marshal(&a)
	if err != nil {
		return nil, errors.Join(errors.New("write answer"), err)
	}
	return b, nil
}

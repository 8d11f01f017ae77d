package outbound

import (
	"cmp"
	"context"
	"strings"
	"time"

	"peal/api"
	"peal/internal/netguard"
	"peal/internal/peal"
)

const (
	maxPerTenant   = 20
	defaultTimeout = 15 * time.Second
	minTimeout     = time.Second
	maxTimeout     = 30 * time.Second
	defaultOverlap = 24 * time.Hour
	maxOverlap     = 7 * 24 * time.Hour
	replayMost     = 5000
)

// Register is where endpoints are kept for their tenants.
type Register interface {
	CreateEndpoint(ctx context.Context, e *peal.Endpoint, most int) error
	Endpoint(ctx context.Context, tenantID, ref string) (peal.Endpoint, error)
	UpdateEndpoint(ctx context.Context, e *peal.Endpoint) error
	DeleteEndpoint(ctx context.Context, tenantID, id string) error
}

// Switch has endpoints told, or not.
type Switch interface {
	DisableEndpoint(ctx context.Context, tenantID, id string, d peal.EndpointDisabled) error
	EnableEndpoint(ctx context.Context, tenantID, id string, from *string) error
}

// Replays have endpoints told again.
type Replays interface {
	ReplayOne(ctx context.Context, tenantID, id string, m peal.EndpointMessage) error
	ReplayFailed(ctx context.Context, tenantID, id string, since time.Time, types []string, limit int) (int64, error)
	ReplaySince(ctx context.Context, tenantID, id string, r peal.EndpointReplay) error
	EndpointMessage(ctx context.Context, id, noticeID string) (peal.EndpointMessage, error)
}

// Listed are endpoints as they are shown.
type Listed interface {
	Endpoints(ctx context.Context, tenantID string) ([]peal.Endpoint, error)
	EndpointAttempts(ctx context.Context, id string, f peal.AttemptFilter) ([]peal.EndpointAttempt, error)
	PutAttempt(ctx context.Context, endpointID string, a peal.EndpointAttempt) error
}

// Log is the tenants' event logs, to whoever begins to read one.
type Log interface {
	EnableNotices(ctx context.Context, tenantID string) error
	NoticesEnd(ctx context.Context) (string, error)
	NoticesSince(ctx context.Context, tenantID string, since time.Time) (string, error)
	Notice(ctx context.Context, tenantID, id string) (peal.Notice, error)
}

// ServiceConfig of a Service.
type ServiceConfig struct {
	Register Register
	Listed   Listed
	Switch   Switch
	Replays  Replays
	Log      Log
	Vault    Sealer
	Guard    *netguard.Guard
	Changed  func() // told of every change; default: nobody is
	Stage    *Stage // makes the calls of tests
	Now      func() time.Time
}

// Service makes, changes and deletes endpoints.
type Service struct {
	cfg ServiceConfig
}

// NewService makes a Service.
func NewService(cfg ServiceConfig) *Service {
	if cfg.Changed == nil {
		cfg.Changed = func() {}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Service{cfg: cfg}
}

// faults gathers what is wrong with a request.
type faults []peal.Field

func (f *faults) check(path, message string) {
	if message != "" {
		*f = append(*f, peal.Field{Path: path, Code: "invalid", Message: message})
	}
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &peal.Error{Kind: peal.Invalid, Message: "the request is not right", Fields: f}
}

func checkTypes(patterns []string) string {
	if _, unknown := api.MatchEventTypes(patterns); len(unknown) > 0 {
		return "there is no type " + strings.Join(unknown, ", ") + "; docs/events.md has all of them; a family is one such as delivery.*"
	}
	return ""
}

// between reads a duration of a request.
func between(text string, or, least, most time.Duration) (time.Duration, string) {
	if text == "" {
		return or, ""
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		return or, "give a duration from " + least.String() + " to " + most.String() + ", such as " + or.String()
	}
	return d, ""
}

func checkSecret(text string) string {
	if text == "" {
		return ""
	}
	if _, err := api.WebhookKey(text); err != nil {
		return err.Error() + "; leave it out, and Peal makes one"
	}
	return ""
}

// Create makes an endpoint, which is told what happens from now on. The secret that it gives is shown nowhere else.
func (s *Service) Create(ctx context.Context, tenantID string, req *api.EndpointRequest) (peal.Endpoint, string, error) {
	var f faults
	timeout, wrong := between(req.Timeout, defaultTimeout, minTimeout, maxTimeout)
	f.check("timeout", wrong)
	f.check("url", checkURL(req.URL, s.cfg.Guard))
	f.check("types", checkTypes(req.Types))
	f.check("secret", checkSecret(req.Secret))
	f.check("name", checkName(req.Name))
	if err := f.err(); err != nil {
		return peal.Endpoint{}, "", err
	}
	if err := s.cfg.Log.EnableNotices(ctx, tenantID); err != nil {
		return peal.Endpoint{}, "", err
	}
	end, err := s.cfg.Log.NoticesEnd(ctx)
	if err != nil {
		return peal.Endpoint{}, "", err
	}
	now := s.cfg.Now().UTC().Truncate(time.Microsecond)
	e := peal.Endpoint{
		TenantID: tenantID, ID: peal.NewID(), Name: req.Name, URL: req.URL, Types: orNil(req.Types), Timeout: timeout,
		Cursor: end, CursorAt: now, CreatedAt: now, UpdatedAt: now,
	}
	text := cmp.Or(req.Secret, newSecret())
	if e.Secrets, err = seal(s.cfg.Vault, e.ID, []secret{{Text: text}}); err != nil {
		return e, "", err
	}
	if err := s.cfg.Register.CreateEndpoint(ctx, &e, maxPerTenant); err != nil {
		return e, "", err
	}
	s.cfg.Changed()
	return e, text, nil
}

// checkName keeps a name from being taken for something else in a path.
func checkName(name string) string {
	if strings.TrimSpace(name) != name || strings.ContainsAny(name, "/\\") {
		return "it must not begin or end with a blank, nor have a slash in it"
	}
	return ""
}

func orNil(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
}

// Find gives a tenant's endpoint, by id or name.
func (s *Service) Find(ctx context.Context, tenantID, ref string) (peal.Endpoint, error) {
	return s.cfg.Register.Endpoint(ctx, tenantID, ref)
}

// OfTenant gives a tenant's endpoints.
func (s *Service) OfTenant(ctx context.Context, tenantID string) ([]peal.Endpoint, error) {
	return s.cfg.Listed.Endpoints(ctx, tenantID)
}

// Signing tells how many secrets of an endpoint sign now.
func (s *Service) Signing(e *peal.Endpoint) int {
	all, err := open(s.cfg.Vault, e.ID, e.Secrets, s.cfg.Now())
	if err != nil {
		return 0 // whoever calls it says so in the log
	}
	return len(all)
}

// Update changes what the patch names.
func (s *Service) Update(ctx context.Context, tenantID, ref string, p *api.EndpointPatch) (peal.Endpoint, error) {
	e, err := s.Find(ctx, tenantID, ref)
	if err != nil {
		return e, err
	}
	var f faults
	if p.Name != nil {
		f.check("name", checkName(*p.Name))
		e.Name = *p.Name
	}
	if p.URL != nil {
		f.check("url", checkURL(*p.URL, s.cfg.Guard))
		e.URL = *p.URL
	}
	if p.Types != nil {
		f.check("types", checkTypes(*p.Types))
		e.Types = orNil(*p.Types)
	}
	if p.Timeout != nil {
		d, wrong := between(*p.Timeout, defaultTimeout, minTimeout, maxTimeout)
		f.check("timeout", wrong)
		e.Timeout = d
	}
	if err := f.err(); err != nil {
		return e, err
	}
	if p.Name != nil || p.URL != nil || p.Types != nil || p.Timeout != nil {
		if err := s.cfg.Register.UpdateEndpoint(ctx, &e); err != nil {
			return e, err
		}
	}
	switch {
	case p.Disabled == nil || *p.Disabled == (e.Disabled != nil):
	case *p.Disabled:
		err = s.cfg.Switch.DisableEndpoint(ctx, tenantID, e.ID, peal.EndpointDisabled{
			Code: peal.EndpointManual, Reason: "it was disabled by request", At: s.cfg.Now(),
		})
	default:
		err = s.cfg.Switch.EnableEndpoint(ctx, tenantID, e.ID, nil)
	}
	return s.changed(ctx, &e, err)
}

// changed tells of a change, and gives the endpoint as it is now.
func (s *Service) changed(ctx context.Context, e *peal.Endpoint, err error) (peal.Endpoint, error) {
	if err != nil {
		return *e, err
	}
	s.cfg.Changed()
	return s.Find(ctx, e.TenantID, e.ID)
}

// Delete forgets an endpoint.
func (s *Service) Delete(ctx context.Context, tenantID, ref string) error {
	e, err := s.Find(ctx, tenantID, ref)
	if err == nil {
		err = s.cfg.Register.DeleteEndpoint(ctx, tenantID, e.ID)
	}
	s.cfg.Changed()
	return err
}

// Rotate gives an endpoint another secret, which is shown nowhere else; the one it has signs too for a while.
func (s *Service) Rotate(ctx context.Context, tenantID, ref string, req *api.RotateRequest) (peal.Endpoint, string, error) {
	e, err := s.Find(ctx, tenantID, ref)
	if err != nil {
		return e, "", err
	}
	var f faults
	overlap, wrong := defaultOverlap, ""
	if req.Overlap != nil {
		overlap, wrong = between(*req.Overlap, defaultOverlap, 0, maxOverlap)
	}
	f.check("overlap", wrong)
	f.check("secret", checkSecret(req.Secret))
	if err := f.err(); err != nil {
		return e, "", err
	}
	now := s.cfg.Now()
	all, err := open(s.cfg.Vault, e.ID, e.Secrets, now)
	if err != nil {
		return e, "", err
	}
	text := cmp.Or(req.Secret, newSecret())
	if e.Secrets, err = seal(s.cfg.Vault, e.ID, rotate(all, text, now, overlap)); err != nil {
		return e, "", err
	}
	e, err = s.changed(ctx, &e, s.cfg.Register.UpdateEndpoint(ctx, &e))
	return e, text, err
}

// Enable has a disabled endpoint told again: with all that has happened meanwhile, or from now on.
func (s *Service) Enable(ctx context.Context, tenantID, ref string, fromNow bool) (peal.Endpoint, error) {
	e, err := s.Find(ctx, tenantID, ref)
	if err != nil {
		return e, err
	}
	if e.Disabled == nil && !fromNow {
		return e, nil
	}
	var from *string
	if fromNow {
		end, err := s.cfg.Log.NoticesEnd(ctx)
		if err != nil {
			return e, err
		}
		from = &end
	}
	return s.changed(ctx, &e, s.cfg.Switch.EnableEndpoint(ctx, tenantID, e.ID, from))
}

// Attempts gives a page of an endpoint's calls, newest first.
func (s *Service) Attempts(ctx context.Context, tenantID, ref string, f peal.AttemptFilter) ([]peal.EndpointAttempt, error) {
	e, err := s.Find(ctx, tenantID, ref)
	if err != nil {
		return nil, err
	}
	return s.cfg.Listed.EndpointAttempts(ctx, e.ID, f)
}

// State is how an endpoint does, in a word.
func State(e *peal.Endpoint) string {
	switch {
	case e.Disabled != nil:
		return "disabled"
	case !e.FailingAt.IsZero():
		return "failing"
	default:
		return "ok"
	}
}

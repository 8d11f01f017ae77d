package integration

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/provider"
)

// maxPerTenant bounds a tenant's integrations: each has a queue and an owner of its own, and all are held in memory.
const maxPerTenant = 100

// Writer is what changes of integrations are written to.
type Writer interface {
	CreateIntegration(ctx context.Context, in *peal.SealedIntegration) error
	UpdateIntegration(ctx context.Context, in *peal.SealedIntegration) error
	DeleteIntegration(ctx context.Context, tenantID, id string) (canceled int, err error)
	PullIn(ctx context.Context, integrationID string) ([]pipeline.Job, error)
}

// Jobs hands work to send.
type Jobs interface {
	Publish(jobs []pipeline.Job)
}

// Service makes, changes and deletes integrations.
type Service struct {
	*Directory
	writer Writer
	now    func() time.Time
	jobs   Jobs
	env    provider.Env // that Validate and uploads call with
	media  MediaRecords
}

// NewService makes a service that keeps the directory up to date with what it changes.
func NewService(d *Directory, w Writer, now func() time.Time) *Service {
	return &Service{Directory: d, writer: w, now: now}
}

// HandTo names who gets the jobs of deliveries that a pause had put back to its end, when it ends early.
func (s *Service) HandTo(jobs Jobs) { s.jobs = jobs }

// Create checks and writes a new integration.
func (s *Service) Create(ctx context.Context, tenantID string, req *api.IntegrationRequest) (*peal.Integration, error) {
	kind, ok := s.Kind(req.Kind)
	if !ok {
		return nil, invalid("kind", "there is no provider %q; the kinds are %s", req.Kind, strings.Join(slices.Sorted(maps.Keys(s.kinds)), ", "))
	}
	if len(s.OfTenant(tenantID)) >= maxPerTenant {
		return nil, peal.Errorf(peal.Conflict, "the tenant has %d integrations, and may have no more; delete one first", maxPerTenant)
	}
	token := make([]byte, 32)
	if _, err := rand.Read(token); err != nil {
		return nil, fmt.Errorf("make webhook token: %w", err)
	}
	in := &peal.Integration{
		TenantID: tenantID, ID: peal.NewID(), Name: req.Name, Kind: req.Kind, Channel: kind.Channel(),
		Credentials: req.Credentials, HookToken: base64.RawURLEncoding.EncodeToString(token), CreatedAt: s.now(),
	}
	if maker, ok := kind.(provider.Maker); ok {
		if in.Credentials = maps.Clone(req.Credentials); in.Credentials == nil {
			in.Credentials = map[string]string{}
		}
		if err := maker.MakeCredentials(in.Credentials); err != nil {
			return nil, err
		}
	}
	row, err := s.seal(in, kind, req.Settings)
	if err != nil {
		return nil, err
	}
	if err := s.writer.CreateIntegration(ctx, row); err != nil {
		return nil, err
	}
	return s.reread(ctx, in.ID)
}

// Update changes what the patch names. Any update lifts a pause: whoever changes an integration wants it to work.
func (s *Service) Update(ctx context.Context, tenantID, ref string, p *api.IntegrationPatch) (*peal.Integration, error) {
	old := s.Find(tenantID, ref)
	if old == nil {
		return nil, peal.Errorf(peal.NotFound, "there is no such integration")
	}
	kind, ok := s.Kind(old.Kind)
	if !ok {
		return nil, peal.Errorf(peal.NotFound, "there is no such integration")
	}
	in := *old
	if p.Name != nil {
		in.Name = *p.Name
	}
	if in.Credentials = maps.Clone(old.Credentials); in.Credentials == nil {
		in.Credentials = map[string]string{}
	}
	for name, value := range p.Credentials {
		if value == "" {
			delete(in.Credentials, name)
			continue
		}
		in.Credentials[name] = value
	}
	var settings api.Settings
	if err := json.Unmarshal(old.Settings, &settings); err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	if p.Settings != nil {
		merge(&settings, p.Settings)
	}
	row, err := s.seal(&in, kind, settings)
	if err != nil {
		return nil, err
	}
	if err := s.writer.UpdateIntegration(ctx, row); err != nil {
		return nil, err
	}
	return s.resumed(ctx, in.ID)
}

// merge lays the settings that are set in p over those in s.
func merge(s, p *api.Settings) {
	s.BaseURL = orDefault(p.BaseURL, s.BaseURL)
	s.Limit = orDefault(p.Limit, s.Limit)
	s.RecipientLimit = orDefault(p.RecipientLimit, s.RecipientLimit)
	s.LookupLimit = orDefault(p.LookupLimit, s.LookupLimit)
	s.ReceiptTimeout = orDefault(p.ReceiptTimeout, s.ReceiptTimeout)
	s.Concurrency = orDefault(p.Concurrency, s.Concurrency)
	s.Timeout = orDefault(p.Timeout, s.Timeout)
	s.MaxAttempts = orDefault(p.MaxAttempts, s.MaxAttempts)
	s.RetryBase = orDefault(p.RetryBase, s.RetryBase)
	s.RetryCap = orDefault(p.RetryCap, s.RetryCap)
	s.OnUnknown = orDefault(p.OnUnknown, s.OnUnknown)
	s.CA = orDefault(p.CA, s.CA)
	if p.WhatsAppCloud != nil {
		s.WhatsAppCloud = mergeCloud(s.WhatsAppCloud, p.WhatsAppCloud)
	}
	if p.Apps != nil { // an empty list is every app again
		s.Apps = p.Apps
	}
	if p.StopWords != nil {
		s.StopWords = p.StopWords
	}
	if p.StartWords != nil {
		s.StartWords = p.StartWords
	}
	if p.RequireOptIn != nil {
		s.RequireOptIn = p.RequireOptIn
	}
}

func mergeCloud(s, p *api.WhatsAppCloud) *api.WhatsAppCloud {
	if s == nil {
		return p
	}
	return &api.WhatsAppCloud{
		PhoneNumberID: orDefault(p.PhoneNumberID, s.PhoneNumberID),
		WABAID:        orDefault(p.WABAID, s.WABAID),
		GraphVersion:  orDefault(p.GraphVersion, s.GraphVersion),
		MessagesPath:  orDefault(p.MessagesPath, s.MessagesPath),
		AuthHeader:    orDefault(p.AuthHeader, s.AuthHeader),
		Window:        orDefault(p.Window, s.Window),
	}
}

// Delete deletes an integration; what waits in it is canceled.
func (s *Service) Delete(ctx context.Context, tenantID, ref string) error {
	in := s.Find(tenantID, ref)
	if in == nil {
		return peal.Errorf(peal.NotFound, "there is no such integration")
	}
	if _, err := s.writer.DeleteIntegration(ctx, tenantID, in.ID); err != nil {
		return err
	}
	s.tell()
	return s.Reload(ctx)
}

// SetPause pauses a tenant's integration by hand, or with pause false resumes it whatever it was paused for.
func (s *Service) SetPause(ctx context.Context, tenantID, ref string, pause bool) (*peal.Integration, error) {
	in := s.Find(tenantID, ref)
	if in == nil {
		return nil, peal.Errorf(peal.NotFound, "there is no such integration")
	}
	var p *peal.Pause
	if pause {
		p = &peal.Pause{Code: peal.PauseManual, Reason: "paused by request", Since: s.now()}
	}
	if err := s.Pause(ctx, in.ID, 0, p); err != nil {
		return nil, err
	}
	if pause {
		return s.reread(ctx, in.ID)
	}
	return s.resumed(ctx, in.ID)
}

// resumed is an integration whose pause, if it had one, is over: what waited for its end goes at once.
func (s *Service) resumed(ctx context.Context, id string) (*peal.Integration, error) {
	jobs, err := s.writer.PullIn(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("bring back what the pause put off: %w", err)
	}
	if s.jobs != nil {
		s.jobs.Publish(jobs)
	}
	return s.reread(ctx, id)
}

func (s *Service) reread(ctx context.Context, id string) (*peal.Integration, error) {
	s.tell()
	if err := s.Reload(ctx); err != nil {
		return nil, err
	}
	if in := s.ByID(id); in != nil {
		return in, nil
	}
	return nil, peal.Errorf(peal.NotFound, "there is no such integration")
}

// seal checks an integration and makes its row.
func (s *Service) seal(in *peal.Integration, kind provider.Kind, settings api.Settings) (*peal.SealedIntegration, error) {
	raw, err := json.Marshal(settings)
	if err != nil {
		return nil, fmt.Errorf("write settings: %w", err)
	}
	in.Settings = raw
	if err := applySettings(in, kind); err != nil {
		return nil, err
	}
	if err := s.checkApps(in); err != nil {
		return nil, err
	}
	if err := checkCredentials(in.Credentials, kind.Credentials()); err != nil {
		return nil, err
	}
	// What no client can be made of is refused now, not when something is to be sent.
	client, err := kind.Open(in, provider.Offline())
	if err != nil {
		return nil, err
	}
	client.Close()
	plain, err := json.Marshal(secrets{Credentials: in.Credentials, HookToken: in.HookToken})
	if err != nil {
		return nil, fmt.Errorf("write credentials: %w", err)
	}
	return &peal.SealedIntegration{
		ID: in.ID, TenantID: in.TenantID, Name: in.Name, Kind: in.Kind, Channel: in.Channel, Settings: raw,
		Secrets: s.vault.Seal(plain, "integration:"+in.ID), Version: in.Version, CreatedAt: in.CreatedAt,
	}, nil
}

func checkCredentials(have map[string]string, want []provider.Credential) error {
	c := &checker{}
	known := map[string]bool{}
	var names []string
	for _, w := range want {
		known[w.Name] = true
		names = append(names, w.Name)
		path := "credentials." + w.Name
		switch value := have[w.Name]; {
		case value == "" && w.Required:
			c.bad(path, "required", "give %s: %s", w.Name, w.Help)
		case value != "" && len(value) < w.MinLen:
			c.bad(path, "too_short", "it has %d characters; give at least %d", len(value), w.MinLen)
		case len(value) > 4096:
			c.bad(path, "too_long", "it has %d characters; give at most 4096", len(value))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if !known[name] {
			c.bad("credentials."+name, "unknown", "this kind of provider has no such credential; it has %s", strings.Join(names, ", "))
		}
	}
	if len(c.fields) > 0 {
		return &peal.Error{Kind: peal.Invalid, Message: "the credentials are not right", Fields: c.fields}
	}
	return nil
}

func invalid(path, format string, args ...any) error {
	return &peal.Error{Kind: peal.Invalid, Message: "the request is not right", Fields: []peal.Field{
		{Path: path, Code: "invalid", Message: fmt.Sprintf(format, args...)},
	}}
}

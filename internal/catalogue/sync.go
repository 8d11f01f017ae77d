package catalogue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
)

const (
	maxTemplates = 10_000           // of an integration; all are held in memory
	maxPages     = 200              // of a catalogue
	syncTime     = 5 * time.Minute  // for all pages
	syncers      = 4                // catalogues that are read at once
	lookEvery    = 2 * time.Second  // whether one is to be read
	settleTime   = 5 * time.Second  // between readings that webhooks and answers ask for: they come in swarms
	waitingEvery = 10 * time.Minute // while deliveries wait for a template
	// trustAfter is how long an answer to a call counts against a catalogue that says otherwise: it may lag, and a new
	// template may take that long until it is known everywhere.
	trustAfter = 10 * time.Minute
	retryBase  = time.Minute
	retryCap   = time.Hour
)

// Calls to the provider: Meta allows 200 an hour of a new account, for all who manage it.
const (
	callBurst = 20
	callEvery = time.Minute
)

// Syncer reads catalogues from their providers. One node does that at a time.
type Syncer struct {
	*Catalogue

	mu      sync.Mutex
	budgets map[string]*budget
	running map[string]bool
	waited  map[string]time.Time // when it was last looked whether deliveries wait
}

// budget is how many calls may be made for an integration.
type budget struct {
	calls float64
	at    time.Time
}

// Syncer gives the stage that reads.
func (c *Catalogue) Syncer() *Syncer {
	return &Syncer{Catalogue: c, budgets: map[string]*budget{}, running: map[string]bool{}, waited: map[string]time.Time{}}
}

// Run reads what is due until ctx ends.
func (s *Syncer) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	places := make(chan struct{}, syncers)
	var reading sync.WaitGroup
	defer reading.Wait()
	forgot := time.Time{}
	for {
		changed, integrations := s.changes(), s.cfg.Integrations.Changed()
		for _, in := range s.cfg.Integrations.All() {
			if forced, due := s.due(ctx, in); due {
				reading.Go(func() {
					defer s.done(in.ID)
					select {
					case places <- struct{}{}:
						defer func() { <-places }()
						s.sync(ctx, in, forced)
					case <-ctx.Done():
					}
				})
			}
		}
		if now := s.cfg.Now(); now.Sub(forgot) > time.Hour {
			forgot = now
			if err := s.cfg.Records.ForgetCatalogues(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Log.Warn("catalogues of deleted integrations not forgotten", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-changed:
		case <-integrations:
		}
	}
}

func (s *Syncer) done(id string) {
	s.mu.Lock()
	delete(s.running, id)
	s.mu.Unlock()
}

// due tells whether an integration's catalogue is to be read now, and takes the right to do so.
func (s *Syncer) due(ctx context.Context, in *peal.Integration) (forced, due bool) {
	if s.name(in) == "" {
		return false, false
	}
	now, c := s.cfg.Now(), peal.Catalogue{}
	b := s.book(in.ID)
	if b != nil {
		c = b.Catalogue
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[in.ID] {
		return false, false
	}
	since := now.Sub(c.TriedAt)
	asked := c.AskedAt.After(c.TriedAt)
	switch forced = asked && c.Forced; {
	case forced, c.TriedAt.IsZero(), c.Of != in.Version:
	case c.Failures > 0 && since < backoff(c.Failures):
		return false, false
	case c.Failures > 0, asked && since >= settleTime, since >= s.cfg.Every:
	case b.stops() && since >= waitingEvery && now.Sub(s.waited[in.ID]) >= waitingEvery:
		s.waited[in.ID] = now
		waits, err := s.cfg.Records.TemplateWaits(ctx, in.ID)
		if err != nil || len(waits) == 0 {
			return false, false
		}
	default:
		return false, false
	}
	if !s.afford(in.ID, max(1, c.Pages), now) {
		return false, false
	}
	s.running[in.ID] = true
	return forced, true
}

func backoff(failures int) time.Duration {
	wait := retryBase
	for i := 1; i < failures && wait < retryCap; i++ {
		wait *= 3
	}
	return min(wait, retryCap)
}

// afford takes as many calls from the integration's budget as a reading is going to take; the caller holds the lock.
func (s *Syncer) afford(id string, calls int, now time.Time) bool {
	b := s.budgets[id]
	if b == nil {
		b = &budget{calls: callBurst, at: now}
		s.budgets[id] = b
	}
	b.calls = min(callBurst, b.calls+float64(now.Sub(b.at))/float64(callEvery))
	b.at = now
	if b.calls < 1 {
		return false
	}
	b.calls -= float64(calls)
	return true
}

// stops tells whether one of the templates cannot be sent.
func (b *book) stops() bool {
	for _, e := range b.entries {
		if e.status.Stops() {
			return true
		}
	}
	return false
}

// sync reads one catalogue and writes what it says.
func (s *Syncer) sync(ctx context.Context, in *peal.Integration, forced bool) {
	row := peal.Catalogue{TenantID: in.TenantID, IntegrationID: in.ID, Of: in.Version, TriedAt: s.cfg.Now()}
	if b := s.book(in.ID); b != nil {
		row.SyncedAt = b.SyncedAt
	}
	trust := row.TriedAt
	if !forced {
		trust = trust.Add(-trustAfter)
	}
	all, pages, err := s.list(ctx, in)
	if ctx.Err() != nil {
		return
	}
	if row.Pages = pages; err != nil {
		row.Error = err.Error()
		s.cfg.Log.Warn("catalogue of templates not read; going on with what is known", "integration_id", in.ID, "error", err)
		if err := s.cfg.Records.FailCatalogue(ctx, &row); err != nil {
			s.cfg.Log.Warn("that a catalogue was not read is not recorded", "integration_id", in.ID, "error", err)
		}
		s.look(ctx)
		s.cfg.Tell()
		return
	}
	changes, err := s.cfg.Records.PutCatalogue(ctx, &row, all, trust)
	if err != nil {
		s.cfg.Log.Warn("catalogue of templates not written; it is read again", "integration_id", in.ID, "error", err)
		return
	}
	s.look(ctx)
	s.cfg.Tell()
	s.cfg.Log.Info("catalogue of templates read", "integration_id", in.ID, "templates", len(all), "calls", pages, "changed", len(changes))
	s.told(ctx, changes)
}

var errTooMany = fmt.Errorf("the account has more than %d templates; those of it are not checked", maxTemplates)

// list reads all pages.
func (s *Syncer) list(ctx context.Context, in *peal.Integration) (all []peal.Template, pages int, err error) {
	kind, _ := s.cfg.Integrations.Kind(in.Kind)
	if kind == nil {
		return nil, 0, errors.New("its provider is not part of this binary")
	}
	client, err := kind.Open(in, s.cfg.Env)
	if err != nil {
		return nil, 0, err
	}
	defer client.Close()
	lister, ok := client.(provider.Cataloguer)
	if !ok {
		return nil, 0, errors.New("its provider keeps no catalogue")
	}
	ctx, cancel := context.WithTimeout(ctx, syncTime)
	defer cancel()
	seen := map[peal.TemplateKey]bool{}
	for cursor := ""; ; {
		page, err := lister.Templates(ctx, cursor)
		pages++
		if err != nil {
			return nil, pages, err
		}
		for _, t := range page.Templates {
			if key := (peal.TemplateKey{Name: t.Name, Language: t.Language}); !seen[key] {
				seen[key] = true
				all = append(all, t)
			}
		}
		switch cursor = page.Next; {
		case cursor == "":
			return all, pages, nil
		case len(all) > maxTemplates, pages >= maxPages:
			return nil, pages, errTooMany
		}
	}
}

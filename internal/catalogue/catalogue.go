package catalogue

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/provider"
)

// Records is where catalogues are kept.
type Records interface {
	Catalogues(ctx context.Context) ([]peal.Catalogue, error)
	Templates(ctx context.Context, integrationID string, f peal.TemplateFilter) ([]peal.Template, error)
	PutCatalogue(ctx context.Context, c *peal.Catalogue, all []peal.Template, trust time.Time) ([]peal.TemplateChange, error)
	FailCatalogue(ctx context.Context, c *peal.Catalogue) error
	AskCatalogue(ctx context.Context, tenantID, integrationID string, when time.Time, forced bool) error
	HearTemplate(ctx context.Context, integrationID string, st *peal.TemplateState) (*peal.TemplateChange, error)
	WordOnTemplate(ctx context.Context, in *peal.Integration, key peal.TemplateKey, w *peal.TemplateWord) (*peal.TemplateChange, error)
	TemplateWaits(ctx context.Context, integrationID string) (map[peal.TemplateKey]int64, error)
	WakeTemplates(ctx context.Context, in *peal.Integration, held func(peal.TemplateKey) bool, jobs func([]pipeline.Job)) error
	ForgetCatalogues(ctx context.Context) error
}

// Integrations are the accounts that have catalogues.
type Integrations interface {
	All() []*peal.Integration
	ByID(id string) *peal.Integration
	OfTenant(tenantID string) []*peal.Integration
	Kind(name string) (provider.Kind, bool)
	Changed() <-chan struct{}
}

// Jobs hands work to send.
type Jobs interface {
	Publish(jobs []pipeline.Job)
}

// Config of a Catalogue.
type Config struct {
	Records      Records
	Integrations Integrations
	Jobs         Jobs // gets what waited for a template; nil: this node wakes nothing
	Env          provider.Env
	Tell         func() // the other nodes, of what was changed here; nil: there are none
	Notices      Teller // of templates that are others now; nil: nobody is told
	Log          *slog.Logger
	Now          func() time.Time // default time.Now
	Every        time.Duration    // how often a catalogue is read though nobody asks; default 6 h
	Look         time.Duration    // how often it is looked at what other nodes have changed; default 5 s
}

// Catalogue knows all integrations' templates. Create it with New, then Run it.
type Catalogue struct {
	cfg    Config
	view   atomic.Pointer[map[string]*book]
	reload sync.Mutex

	mu      sync.Mutex
	wakes   map[string]bool      // integrations in which something may wait that need not any more
	asks    map[string]bool      // integrations whose catalogue is to be asked for
	asked   map[string]time.Time // when requests for what is not known last did that
	work    chan struct{}        // there is something in wakes or asks
	changed chan struct{}        // closed and replaced when the view is another
}

// book is one integration's catalogue; it never changes.
type book struct {
	peal.Catalogue

	entries map[peal.TemplateKey]*entry
	names   map[string][]string // the languages of each, in order; of those that are not deleted
}

// entry is a template.
type entry struct {
	status   peal.TemplateStatus // by which it goes
	why      string
	category string
	broken   bool
	shape    provider.Shape
}

// New makes a Catalogue.
func New(cfg Config) *Catalogue {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Tell == nil {
		cfg.Tell = func() {}
	}
	if cfg.Every == 0 {
		cfg.Every = 6 * time.Hour
	}
	if cfg.Look == 0 {
		cfg.Look = 5 * time.Second
	}
	c := &Catalogue{
		cfg: cfg, wakes: map[string]bool{}, asks: map[string]bool{}, asked: map[string]time.Time{},
		work: make(chan struct{}, 1), changed: make(chan struct{}),
	}
	c.view.Store(&map[string]*book{})
	return c
}

// book gives an integration's; nil when nothing is known.
func (c *Catalogue) book(integrationID string) *book { return (*c.view.Load())[integrationID] }

func (c *Catalogue) entry(integrationID, name, language string) *entry {
	b := c.book(integrationID)
	if b == nil {
		return nil
	}
	return b.entries[peal.TemplateKey{Name: name, Language: language}]
}

// Category is a template's, such as marketing; empty when it is not known.
func (c *Catalogue) Category(integrationID, name, language string) string {
	if e := c.entry(integrationID, name, language); e != nil {
		return e.category
	}
	return ""
}

// Held tells why a message of a template is not to be sent now: the code and the reason of its delivery; empty when it may
// be.
func (c *Catalogue) Held(integrationID, name, language string) (code, reason string) {
	e := c.entry(integrationID, name, language)
	if e == nil || !e.status.Stops() {
		return "", ""
	}
	return e.status.Code(), reasonOf(name, language, e)
}

func reasonOf(name, language string, e *entry) string {
	s := fmt.Sprintf("the template %s (%s) is %s; it waits until the template can be sent", name, language, e.status)
	if e.why != "" {
		s += ". The provider says: " + e.why
	}
	return s
}

// Reload reads what has changed of the catalogues.
func (c *Catalogue) Reload(ctx context.Context) error {
	c.reload.Lock()
	defer c.reload.Unlock()
	rows, err := c.cfg.Records.Catalogues(ctx)
	if err != nil {
		return err
	}
	old := *c.view.Load()
	next := make(map[string]*book, len(rows))
	same := len(rows) == len(old)
	for i := range rows {
		in := c.cfg.Integrations.ByID(rows[i].IntegrationID)
		if in == nil {
			same = same && old[rows[i].IntegrationID] == nil
			continue
		}
		if known := old[in.ID]; known != nil && known.Version == rows[i].Version {
			next[in.ID] = known
			continue
		}
		b, err := c.read(ctx, in, &rows[i])
		if err != nil {
			return err
		}
		next[in.ID], same = b, false
	}
	if same && len(next) == len(old) {
		return nil
	}
	c.view.Store(&next)
	for id, b := range next {
		if b != old[id] && b.releases(old[id]) {
			c.wake(id)
		}
	}
	c.mu.Lock()
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
	return nil
}

func (c *Catalogue) read(ctx context.Context, in *peal.Integration, row *peal.Catalogue) (*book, error) {
	all, err := c.cfg.Records.Templates(ctx, in.ID, peal.TemplateFilter{})
	if err != nil {
		return nil, err
	}
	kind, _ := c.cfg.Integrations.Kind(in.Kind)
	t, ok := kind.(provider.Templater)
	b := &book{Catalogue: *row, entries: make(map[peal.TemplateKey]*entry, len(all)), names: map[string][]string{}}
	for i := range all {
		v := &all[i]
		e := &entry{status: v.Stands(), why: v.Why(), category: v.Category, broken: v.BrokenCode != ""}
		if ok {
			e.shape = t.Shape(v)
		}
		b.entries[peal.TemplateKey{Name: v.Name, Language: v.Language}] = e
		if v.Status != peal.TemplateDeleted {
			b.names[v.Name] = append(b.names[v.Name], v.Language)
		}
	}
	return b, nil
}

// releases tells whether something may be sent that could not; of what was not known before too.
func (b *book) releases(old *book) bool {
	if old == nil {
		return true
	}
	for key, e := range old.entries {
		if now := b.entries[key]; e.status.Stops() && (now == nil || !now.status.Stops()) {
			return true
		}
	}
	return false
}

// changes gives a channel that is closed when what is known changes after this call.
func (c *Catalogue) changes() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// wake has those deliveries of an integration go on that wait for a template which is held no longer.
func (c *Catalogue) wake(integrationID string) {
	if c.cfg.Jobs != nil {
		c.mu.Lock()
		c.wakes[integrationID] = true
		c.mu.Unlock()
		c.rouse()
	}
}

// ask has an integration's catalogue read soon.
func (c *Catalogue) ask(integrationID string) {
	c.mu.Lock()
	c.asks[integrationID] = true
	c.mu.Unlock()
	c.rouse()
}

func (c *Catalogue) rouse() {
	select {
	case c.work <- struct{}{}:
	default: // it is told already
	}
}

// Run keeps what is known up to date until ctx ends.
func (c *Catalogue) Run(ctx context.Context) error {
	tick := time.NewTicker(c.cfg.Look)
	defer tick.Stop()
	integrations := c.cfg.Integrations.Changed()
	for {
		c.look(ctx)
		c.workOff(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-c.work:
		case <-integrations:
			integrations = c.cfg.Integrations.Changed()
		}
	}
}

// look is Reload for the background.
func (c *Catalogue) look(ctx context.Context) {
	if err := c.Reload(ctx); err != nil && ctx.Err() == nil {
		c.cfg.Log.Warn("catalogues of templates not read; going on with what is known", "error", err)
	}
}

// workOff does what was asked for. What fails is tried again at the next look.
func (c *Catalogue) workOff(ctx context.Context) {
	c.mu.Lock()
	wakes, asks := slices.Sorted(maps.Keys(c.wakes)), slices.Sorted(maps.Keys(c.asks))
	clear(c.wakes)
	clear(c.asks)
	c.mu.Unlock()
	again := func(set map[string]bool, id string, err error, what string) {
		if err == nil || ctx.Err() != nil {
			return
		}
		c.cfg.Log.Warn(what, "integration_id", id, "error", err)
		c.mu.Lock()
		set[id] = true
		c.mu.Unlock()
	}
	for _, id := range wakes {
		again(c.wakes, id, c.wakeNow(ctx, id), "deliveries that waited for a template not brought back; tried again")
	}
	for _, id := range asks {
		again(c.asks, id, c.askNow(ctx, id), "catalogue of templates not asked for; tried again")
	}
}

// wakeAgain is when a second job follows the one that goes at once. While a delivery is just being put aside its old job has
// the place of the first; and the schedule by which it would be looked at again hours later must not stand in the way of a
// retry.
const wakeAgain = 2 * time.Second

func (c *Catalogue) wakeNow(ctx context.Context, id string) error {
	in := c.cfg.Integrations.ByID(id)
	if in == nil {
		return nil
	}
	n := 0
	err := c.cfg.Records.WakeTemplates(ctx, in, func(k peal.TemplateKey) bool {
		code, _ := c.Held(id, k.Name, k.Language)
		return code != ""
	}, func(jobs []pipeline.Job) {
		n += len(jobs)
		c.cfg.Jobs.Publish(jobs)
		again := slices.Clone(jobs)
		for i := range again {
			again[i].Due, again[i].Anew = c.cfg.Now().Add(wakeAgain), true
		}
		c.cfg.Jobs.Publish(again)
	})
	if n > 0 {
		c.cfg.Log.Info("deliveries that waited for a template go on", "integration_id", id, "deliveries", n)
	}
	return err
}

// askNow writes down that a catalogue is to be read, unless that is so already.
func (c *Catalogue) askNow(ctx context.Context, id string) error {
	in := c.cfg.Integrations.ByID(id)
	if in == nil || c.name(in) == "" {
		return nil
	}
	if b := c.book(id); b != nil && b.AskedAt.After(b.TriedAt) {
		return nil
	}
	return c.askFor(ctx, in, false)
}

func (c *Catalogue) askFor(ctx context.Context, in *peal.Integration, forced bool) error {
	if err := c.cfg.Records.AskCatalogue(ctx, in.TenantID, in.ID, c.cfg.Now(), forced); err != nil {
		return err
	}
	c.look(ctx)
	c.cfg.Tell()
	return nil
}

// name is that of an integration's catalogue; empty when it has none.
func (c *Catalogue) name(in *peal.Integration) string {
	name, _ := c.nameOf(in)
	return name
}

func (c *Catalogue) nameOf(in *peal.Integration) (name, missing string) {
	kind, _ := c.cfg.Integrations.Kind(in.Kind)
	if t, ok := kind.(provider.Templater); ok {
		return t.Catalogue(in)
	}
	return "", ""
}

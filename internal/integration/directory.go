package integration

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/vault"
)

// Records is where integrations are kept.
type Records interface {
	Integrations(ctx context.Context) ([]peal.SealedIntegration, error)
	SetPause(ctx context.Context, id string, version int64, p *peal.Pause) (bool, error)
}

// secrets is what is sealed in an integration's row.
type secrets struct {
	Credentials map[string]string `json:"credentials"`
	HookToken   string            `json:"hook_token"`
}

// view is one reading of all integrations; it never changes.
type view struct {
	byID     map[string]*peal.Integration
	byTenant map[string][]*peal.Integration
	byHook   map[[sha256.Size]byte]*peal.Integration
	unopened map[string]string // why, by id
}

// Directory is the opened view of all integrations. Create it with NewDirectory, then Reload.
type Directory struct {
	records Records
	vault   *vault.Vault
	kinds   map[string]provider.Kind
	log     *slog.Logger
	view    atomic.Pointer[view]
	reload  sync.Mutex
	tell    func() // the other nodes, of what was changed here

	mu      sync.Mutex
	changed chan struct{} // closed and replaced after every change
}

// NewDirectory makes a directory of the given kinds.
func NewDirectory(records Records, v *vault.Vault, kinds []provider.Kind, log *slog.Logger) *Directory {
	d := &Directory{records: records, vault: v, kinds: map[string]provider.Kind{}, log: log, changed: make(chan struct{}), tell: func() {}}
	for _, k := range kinds {
		d.kinds[k.Name()] = k
	}
	d.view.Store(&view{})
	return d
}

// OnWrite names who is told of what this process has changed in the records: the other nodes are to read them again.
func (d *Directory) OnWrite(tell func()) { d.tell = tell }

// Kind gives the kind of that name.
func (d *Directory) Kind(name string) (provider.Kind, bool) {
	k, ok := d.kinds[name]
	return k, ok
}

// Run reads the integrations again every few seconds until ctx ends.
func (d *Directory) Run(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := d.Reload(ctx); err != nil && ctx.Err() == nil {
				d.log.Warn("integrations not read; going on with what is known", "error", err)
			}
		}
	}
}

// Reload reads all integrations. One that cannot be opened is left out, and logged when that is news; the others go on. The
// first reading fails when none can be opened because the master key is another one.
func (d *Directory) Reload(ctx context.Context) error {
	d.reload.Lock()
	defer d.reload.Unlock()
	rows, err := d.records.Integrations(ctx)
	if err != nil {
		return fmt.Errorf("read integrations: %w", err)
	}
	old := d.view.Load()
	next := &view{
		byID: map[string]*peal.Integration{}, byTenant: map[string][]*peal.Integration{},
		byHook: map[[sha256.Size]byte]*peal.Integration{}, unopened: map[string]string{},
	}
	wrongKey, same := 0, true
	for i := range rows {
		in, err := d.open(&rows[i], old.byID[rows[i].ID])
		if errors.Is(err, vault.ErrWrongKey) {
			wrongKey++
		}
		if err != nil {
			next.unopened[rows[i].ID] = err.Error()
			if old.unopened[rows[i].ID] != err.Error() {
				d.log.Error("integration not opened; this node neither sends over it nor takes its webhooks", "integration_id", rows[i].ID, "error", err)
			}
			continue
		}
		same = same && in == old.byID[in.ID]
		next.add(in)
	}
	if wrongKey > 0 && wrongKey == len(rows) && old.byID == nil {
		return fmt.Errorf("every integration is %w: PEAL_MASTER_KEY is not the one that this database was made with", vault.ErrWrongKey)
	}
	if !same || len(next.byID) != len(old.byID) || !maps.Equal(next.unopened, old.unopened) {
		d.set(next)
	}
	return nil
}

func (v *view) add(in *peal.Integration) {
	v.byID[in.ID] = in
	v.byTenant[in.TenantID] = append(v.byTenant[in.TenantID], in)
	v.byHook[sha256.Sum256([]byte(in.HookToken))] = in
}

func (d *Directory) set(v *view) {
	d.view.Store(v)
	d.mu.Lock()
	close(d.changed)
	d.changed = make(chan struct{})
	d.mu.Unlock()
}

// open gives the integration of a row; the one that is known when nothing has changed.
func (d *Directory) open(row *peal.SealedIntegration, known *peal.Integration) (*peal.Integration, error) {
	if known != nil && known.Version == row.Version && samePause(known.Pause, row.Pause) {
		return known, nil
	}
	kind, ok := d.kinds[row.Kind]
	if !ok {
		return nil, fmt.Errorf("this binary has no provider %q", row.Kind)
	}
	plain, err := d.vault.Open(row.Secrets, "integration:"+row.ID)
	if err != nil {
		return nil, err
	}
	var s secrets
	if err := json.Unmarshal(plain, &s); err != nil {
		return nil, errors.New("its secrets are not what they should be")
	}
	in := &peal.Integration{
		TenantID: row.TenantID, ID: row.ID, Name: row.Name, Kind: row.Kind, Channel: row.Channel, Settings: row.Settings,
		Credentials: s.Credentials, HookToken: s.HookToken, Version: row.Version, Pause: row.Pause,
		CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt,
	}
	return in, applySettings(in, kind)
}

func samePause(a, b *peal.Pause) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Code == b.Code && a.Reason == b.Reason && a.Until.UnixMicro() == b.Until.UnixMicro()
}

// Changed gives a channel that is closed when any integration changes after this call.
func (d *Directory) Changed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}

// All gives every integration.
func (d *Directory) All() []*peal.Integration {
	v := d.view.Load()
	all := make([]*peal.Integration, 0, len(v.byID))
	for _, in := range v.byID {
		all = append(all, in)
	}
	return all
}

// Unopened gives the ids of those that are there and that this process cannot open: their provider is unknown to it, they
// were sealed under another master key, or their settings fail.
func (d *Directory) Unopened() []string { return slices.Sorted(maps.Keys(d.view.Load().unopened)) }

// ByID gives an integration whatever its tenant; nil when there is none.
func (d *Directory) ByID(id string) *peal.Integration { return d.view.Load().byID[id] }

// ByHook gives the integration that a webhook's path token belongs to; nil when there is none. The token is looked up
// by its hash and then compared, so the time taken tells nothing of it.
func (d *Directory) ByHook(token string) *peal.Integration {
	in := d.view.Load().byHook[sha256.Sum256([]byte(token))]
	if in == nil || subtle.ConstantTimeCompare([]byte(in.HookToken), []byte(token)) != 1 {
		return nil
	}
	return in
}

// OfTenant gives a tenant's integrations in the order that they were made.
func (d *Directory) OfTenant(tenantID string) []*peal.Integration {
	return d.view.Load().byTenant[tenantID]
}

// Find gives a tenant's integration by id or name; nil when the tenant has none such.
func (d *Directory) Find(tenantID, ref string) *peal.Integration {
	for _, in := range d.OfTenant(tenantID) {
		if in.ID == ref || in.Name == ref {
			return in
		}
	}
	return nil
}

// Pause stops an integration from sending: at once in this process, then in the records. A pause under a version that
// has been changed meanwhile is void. A nil pause resumes.
func (d *Directory) Pause(ctx context.Context, id string, version int64, p *peal.Pause) error {
	d.reload.Lock() // until it is written, or a reload would bring the old state back
	defer d.reload.Unlock()
	old := d.view.Load()
	if in := old.byID[id]; in != nil && (version == 0 || in.Version == version) {
		paused := *in
		paused.Pause = p
		d.set(old.with(&paused))
	}
	if _, err := d.records.SetPause(ctx, id, version, p); err != nil {
		return fmt.Errorf("record pause: %w", err)
	}
	d.tell()
	return nil
}

// Lift ends the pause that in has, unless the integration has changed since in was read: another pause stays.
func (d *Directory) Lift(ctx context.Context, in *peal.Integration) error {
	if d.ByID(in.ID) != in {
		return nil
	}
	return d.Pause(ctx, in.ID, in.Version, nil)
}

// with is the view with one integration replaced.
func (v *view) with(in *peal.Integration) *view {
	next := &view{
		byID: map[string]*peal.Integration{}, byTenant: map[string][]*peal.Integration{},
		byHook: map[[sha256.Size]byte]*peal.Integration{}, unopened: v.unopened,
	}
	for tenant, list := range v.byTenant {
		for _, i := range list {
			if i.ID == in.ID {
				i = in
			}
			next.byID[i.ID] = i
			next.byTenant[tenant] = append(next.byTenant[tenant], i)
			next.byHook[sha256.Sum256([]byte(i.HookToken))] = i
		}
	}
	return next
}

package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"peal/internal/peal"
)

const templateColumns = `tenant_id, integration_id, name, language, provider_id, category, status, format, quality, reason, components,
	state_at, changed_at, heard_at, stopped, stopped_reason, stopped_at, broken_code, broken_reason, broken_at`

func scanTemplate(row scanner, v *peal.Template) error {
	return row.Scan(&v.TenantID, &v.IntegrationID, &v.Name, &v.Language, opt[string]{&v.ProviderID}, opt[string]{&v.Category}, &v.Status,
		opt[string]{&v.Format}, opt[string]{&v.Quality}, opt[string]{&v.Reason}, opt[json.RawMessage]{&v.Components}, at{&v.StateAt},
		at{&v.ChangedAt}, at{&v.HeardAt}, opt[peal.TemplateStatus]{&v.Stopped}, opt[string]{&v.StoppedReason}, at{&v.StoppedAt},
		opt[string]{&v.BrokenCode}, opt[string]{&v.BrokenReason}, at{&v.BrokenAt})
}

// Templates gives an integration's templates by name and language.
func (s *Store) Templates(ctx context.Context, integrationID string, f peal.TemplateFilter) ([]peal.Template, error) {
	c := &clause{d: s.d}
	c.and("integration_id = ?", integrationID)
	c.equal("name", f.Name)
	if f.Status != "" {
		stops := make([]string, 0, len(stopping()))
		for _, status := range stopping() {
			stops = append(stops, string(status))
		}
		c.and("(CASE WHEN stopped IS NOT NULL AND NOT status"+s.d.anyOf+" THEN stopped ELSE status END) = ?", s.d.list(stops), string(f.Status))
	}
	if f.After != [2]string{} {
		c.and("(name, language) > (?, ?)", f.After[0], f.After[1])
	}
	query := `SELECT ` + templateColumns + ` FROM templates WHERE ` + c.sql() + ` ORDER BY name, language`
	if f.Limit > 0 {
		query += ` LIMIT ?`
		c.args = append(c.args, f.Limit)
	}
	all, err := list(ctx, s.reads, scanTemplate, query, c.args...)
	if err != nil {
		return nil, fmt.Errorf("read templates: %w", err)
	}
	return all, nil
}

// stopping are the statuses that stop.
func stopping() []peal.TemplateStatus {
	return []peal.TemplateStatus{
		peal.TemplatePending, peal.TemplateAppealed, peal.TemplatePaused, peal.TemplateLocked, peal.TemplateMissing,
		peal.TemplateRejected, peal.TemplateDisabled, peal.TemplateDeleting, peal.TemplateDeleted, peal.TemplateArchived,
	}
}

const (
	sqlPutTemplate = `INSERT INTO templates (tenant_id, integration_id, name, language, provider_id, category, status, format, quality,
		reason, components, state_at, changed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
		ON CONFLICT (integration_id, name, language) DO UPDATE SET provider_id = excluded.provider_id, category = excluded.category,
		status = excluded.status, format = excluded.format, quality = excluded.quality, reason = excluded.reason,
		components = excluded.components, state_at = excluded.state_at, changed_at = excluded.changed_at,
		stopped = CASE WHEN templates.stopped_at > CAST(?14 AS BIGINT) THEN templates.stopped END,
		stopped_reason = CASE WHEN templates.stopped_at > CAST(?14 AS BIGINT) THEN templates.stopped_reason END,
		stopped_at = CASE WHEN templates.stopped_at > CAST(?14 AS BIGINT) THEN templates.stopped_at END,
		broken_code = CASE WHEN CAST(?15 AS BIGINT) = 0 THEN templates.broken_code END,
		broken_reason = CASE WHEN CAST(?15 AS BIGINT) = 0 THEN templates.broken_reason END,
		broken_at = CASE WHEN CAST(?15 AS BIGINT) = 0 THEN templates.broken_at END
		WHERE templates.state_at <= excluded.state_at`
	sqlDropTemplate = `UPDATE templates SET status = 'deleted', reason = NULL, state_at = ?1, changed_at = ?1,
		stopped = NULL, stopped_reason = NULL, stopped_at = NULL
		WHERE integration_id = ?2 AND name = ?3 AND language = ?4 AND state_at <= ?1`
	sqlForgetTemplates = `DELETE FROM templates WHERE integration_id = ? AND status = 'deleted' AND changed_at < ?`
	sqlPutCatalogue    = `INSERT INTO catalogues (integration_id, tenant_id, version, of_version, synced_at, tried_at, forced, pages, failures)
		VALUES (?1, ?2, 1, ?3, ?4, ?4, 0, ?5, 0) ON CONFLICT (integration_id) DO UPDATE SET version = catalogues.version + 1,
		of_version = excluded.of_version, synced_at = excluded.synced_at, tried_at = excluded.tried_at, pages = excluded.pages,
		forced = CASE WHEN catalogues.asked_at > excluded.tried_at THEN catalogues.forced ELSE 0 END, failures = 0, error = NULL`
	sqlFailCatalogue = `INSERT INTO catalogues (integration_id, tenant_id, version, of_version, tried_at, forced, pages, failures, error)
		VALUES (?1, ?2, 1, ?3, ?4, 0, 0, 1, ?5) ON CONFLICT (integration_id) DO UPDATE SET version = catalogues.version + 1,
		of_version = excluded.of_version, tried_at = excluded.tried_at, failures = catalogues.failures + 1, error = excluded.error`
	sqlAskCatalogue = `INSERT INTO catalogues (integration_id, tenant_id, version, of_version, asked_at, forced, pages, failures)
		VALUES (?1, ?2, 1, 0, ?3, ?4, 0, 0) ON CONFLICT (integration_id) DO UPDATE SET version = catalogues.version + 1,
		asked_at = excluded.asked_at, forced = CASE WHEN excluded.forced = 1 THEN 1 ELSE catalogues.forced END`
	sqlTouchCatalogue = `INSERT INTO catalogues (integration_id, tenant_id, version, of_version, forced, pages, failures)
		VALUES (?1, ?2, 1, 0, 0, 0, 0) ON CONFLICT (integration_id) DO UPDATE SET version = catalogues.version + 1`
	sqlOneTemplate = `SELECT ` + templateColumns + ` FROM templates WHERE integration_id = ? AND name = ? AND language = ?`
)

// Catalogues tells how well the templates of all integrations are known.
func (s *Store) Catalogues(ctx context.Context) ([]peal.Catalogue, error) {
	all, err := list(ctx, s.reads, func(row scanner, c *peal.Catalogue) error {
		return row.Scan(&c.TenantID, &c.IntegrationID, &c.Version, &c.Of, at{&c.SyncedAt}, at{&c.TriedAt}, at{&c.AskedAt}, &c.Forced,
			&c.Pages, &c.Failures, opt[string]{&c.Error})
	}, `SELECT tenant_id, integration_id, version, of_version, synced_at, tried_at, asked_at, forced = 1, pages, failures, error
		FROM catalogues ORDER BY integration_id`)
	if err != nil {
		return nil, fmt.Errorf("read catalogues: %w", err)
	}
	return all, nil
}

// putTemplates is how many templates are written in one transaction: others wait for it.
const putTemplates = 200

// keepDeleted is how long a template is still shown that the provider no longer lists.
const keepDeleted = 30 * 24 * time.Hour

// PutCatalogue writes an integration's whole catalogue as it was read from c.TriedAt on; what is not in it any more becomes
// deleted. What was heard of a template since then stays. What answers to calls have said until trust, which is before, is
// taken back where the catalogue says that the template can be sent. It gives what changed, but of the first reading
// nothing: all of it is new.
func (s *Store) PutCatalogue(ctx context.Context, c *peal.Catalogue, all []peal.Template, trust time.Time) ([]peal.TemplateChange, error) {
	known, err := s.Templates(ctx, c.IntegrationID, peal.TemplateFilter{})
	if err != nil {
		return nil, err
	}
	rows := map[peal.TemplateKey]*peal.Template{}
	for i := range known {
		rows[peal.TemplateKey{Name: known[i].Name, Language: known[i].Language}] = &known[i]
	}
	var puts []templatePut
	for i := range all {
		v := all[i]
		key := peal.TemplateKey{Name: v.Name, Language: v.Language}
		v.TenantID, v.IntegrationID, v.StateAt, v.ChangedAt = c.TenantID, c.IntegrationID, c.TriedAt, c.TriedAt
		if p := putOf(rows[key], v, trust); p != nil {
			puts = append(puts, *p)
		}
		delete(rows, key)
	}
	for _, gone := range rows {
		if gone.Status == peal.TemplateDeleted || gone.StateAt.After(c.TriedAt) {
			continue
		}
		v := *gone
		v.Status, v.Reason, v.Stopped, v.ChangedAt, v.StateAt = peal.TemplateDeleted, "", "", c.TriedAt, c.TriedAt
		puts = append(puts, templatePut{old: gone, now: v, changed: true})
	}
	var changes []peal.TemplateChange
	for len(puts) > 0 {
		n := min(len(puts), putTemplates)
		done, err := wrote(ctx, s, func(t *tx) ([]peal.TemplateChange, error) { return putSome(t, puts[:n]) })
		if err != nil {
			return nil, fmt.Errorf("write templates: %w", err)
		}
		changes, puts = append(changes, done...), puts[n:]
	}
	err = s.write(ctx, func(t *tx) error {
		if err := t.exec(sqlForgetTemplates, c.IntegrationID, c.TriedAt.Add(-keepDeleted).UnixMicro()); err != nil {
			return err
		}
		return t.exec(sqlPutCatalogue, c.IntegrationID, c.TenantID, c.Of, c.TriedAt.UnixMicro(), c.Pages)
	})
	if err != nil {
		return nil, fmt.Errorf("write catalogue: %w", err)
	}
	if c.SyncedAt.IsZero() {
		return nil, nil
	}
	return changes, nil
}

// templatePut is a template that is to be written.
type templatePut struct {
	old     *peal.Template // nil: it is new
	now     peal.Template
	changed bool      // what it says is another
	trust   time.Time // an answer to a call until then no longer counts
}

// putOf is what is to be written of a listed template; nil when it stands so.
func putOf(old *peal.Template, v peal.Template, trust time.Time) *templatePut {
	p := &templatePut{old: old, now: v, trust: trust}
	if v.Status.Stops() {
		p.trust = v.StateAt // the catalogue says so itself now
	}
	if old == nil {
		p.changed = true
		return p
	}
	p.changed = old.Status != v.Status || old.Category != v.Category || old.Format != v.Format || old.Quality != v.Quality ||
		old.Reason != v.Reason || old.ProviderID != v.ProviderID || !bytes.Equal(old.Components, v.Components)
	free := old.Stopped != "" && !old.StoppedAt.After(p.trust)
	if !p.changed && !free || old.StateAt.After(v.StateAt) {
		return nil
	}
	p.now.Stopped, p.now.StoppedReason, p.now.StoppedAt = old.Stopped, old.StoppedReason, old.StoppedAt
	if free {
		p.now.Stopped, p.now.StoppedReason, p.now.StoppedAt = "", "", time.Time{}
	}
	if !p.changed {
		p.now.ChangedAt = old.ChangedAt
	}
	return p
}

func putSome(t *tx, puts []templatePut) (changes []peal.TemplateChange, err error) {
	for i := range puts {
		p := &puts[i]
		v := &p.now
		var n int64
		if v.Status == peal.TemplateDeleted && p.old != nil && p.trust.IsZero() {
			n, err = t.affect(sqlDropTemplate, v.StateAt.UnixMicro(), v.IntegrationID, v.Name, v.Language)
		} else {
			changed := 0
			if p.changed && p.old != nil {
				changed = 1
			}
			n, err = t.affect(sqlPutTemplate, v.TenantID, v.IntegrationID, v.Name, v.Language, text(v.ProviderID), text(v.Category),
				string(v.Status), text(v.Format), text(v.Quality), text(v.Reason), text(string(v.Components)), v.StateAt.UnixMicro(),
				v.ChangedAt.UnixMicro(), p.trust.UnixMicro(), changed)
		}
		if err != nil {
			return nil, err
		}
		if n > 0 {
			change := peal.TemplateChange{Now: *v}
			if p.old != nil {
				change.Old = p.old.Stands()
			}
			changes = append(changes, change)
		}
	}
	return changes, nil
}

// FailCatalogue notes that a reading of an integration's catalogue, begun at c.TriedAt, failed with c.Error.
func (s *Store) FailCatalogue(ctx context.Context, c *peal.Catalogue) error {
	return s.write(ctx, func(t *tx) error {
		return t.exec(sqlFailCatalogue, c.IntegrationID, c.TenantID, c.Of, c.TriedAt.UnixMicro(), c.Error)
	})
}

// AskCatalogue notes that somebody wants an integration's catalogue to be read: a person, if forced.
func (s *Store) AskCatalogue(ctx context.Context, tenantID, integrationID string, when time.Time, forced bool) error {
	by := 0
	if forced {
		by = 1
	}
	return s.write(ctx, func(t *tx) error { return t.exec(sqlAskCatalogue, integrationID, tenantID, when.UnixMicro(), by) })
}

// lateNews is how much older than the last reading of the catalogue a provider's news may be and still count: its clock is
// another than ours, and its list may lag.
const lateNews = 10 * time.Minute

// HearTemplate changes a template by what its provider has told. Nil when that is nothing new, or older than what is known,
// or of a template that is not known.
func (s *Store) HearTemplate(ctx context.Context, integrationID string, st *peal.TemplateState) (*peal.TemplateChange, error) {
	return wrote(ctx, s, func(t *tx) (*peal.TemplateChange, error) {
		v, err := oneTemplate(t, integrationID, st.Name, st.Language)
		if err != nil || v == nil {
			return nil, err
		}
		var synced time.Time
		row, err := t.row(`SELECT synced_at FROM catalogues WHERE integration_id = ?`, integrationID)
		if err == nil {
			err = row.Scan(at{&synced})
		}
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, fmt.Errorf("read catalogue: %w", err)
		}
		if !st.At.IsZero() && (st.At.Before(v.HeardAt) || st.At.Before(synced.Add(-lateNews))) {
			return nil, nil
		}
		now := s.now()
		old := *v
		set := func(to *string, from string) {
			if from != "" {
				*to = from
			}
		}
		if st.Status != "" && (st.Status != v.Status || v.Stopped != "") {
			v.Status, v.Reason = st.Status, st.Reason
			v.Stopped, v.StoppedReason, v.StoppedAt = "", "", time.Time{}
		}
		set(&v.Category, st.Category)
		set(&v.Quality, st.Quality)
		set(&v.ProviderID, st.ProviderID)
		if old.Status == v.Status && old.Stopped == v.Stopped && old.Category == v.Category && old.Quality == v.Quality && old.ProviderID == v.ProviderID {
			return nil, nil
		}
		v.StateAt, v.ChangedAt = now, now
		if !st.At.IsZero() {
			v.HeardAt = st.At
		}
		return &peal.TemplateChange{Old: old.Stands(), Now: *v}, saveTemplate(t, v)
	})
}

// WordOnTemplate notes what the answer to a call said of its message's template. Nil when that is known.
func (s *Store) WordOnTemplate(ctx context.Context, in *peal.Integration, key peal.TemplateKey, w *peal.TemplateWord) (*peal.TemplateChange, error) {
	return wrote(ctx, s, func(t *tx) (*peal.TemplateChange, error) {
		v, err := oneTemplate(t, in.ID, key.Name, key.Language)
		if err != nil || v == nil && w.Status == peal.TemplateBroken {
			return nil, err
		}
		now := s.now()
		if v == nil {
			v = &peal.Template{
				TenantID: in.TenantID, IntegrationID: in.ID, Name: key.Name, Language: key.Language, Status: w.Status, Reason: w.Reason,
				StateAt: now, ChangedAt: now,
			}
			return &peal.TemplateChange{Now: *v}, saveTemplate(t, v)
		}
		old := *v
		if w.Status == peal.TemplateBroken {
			v.BrokenCode, v.BrokenReason, v.BrokenAt = w.Code, w.Reason, now
			if old.BrokenCode == v.BrokenCode && old.BrokenReason == v.BrokenReason {
				return nil, nil
			}
			return &peal.TemplateChange{Old: old.Stands(), Now: *v}, saveTemplate(t, v)
		}
		if v.Status.Stops() {
			return nil, nil
		}
		v.Stopped, v.StoppedReason, v.StoppedAt, v.ChangedAt = w.Status, w.Reason, now, now
		if old.Stopped == v.Stopped {
			return nil, nil // since when stays: else every call in the air would put off its end
		}
		return &peal.TemplateChange{Old: old.Stands(), Now: *v}, saveTemplate(t, v)
	})
}

func oneTemplate(t *tx, integrationID, name, language string) (*peal.Template, error) {
	row, err := t.row(sqlOneTemplate+t.d.forUpdate, integrationID, name, language)
	if err != nil {
		return nil, err
	}
	var v peal.Template
	if err := scanTemplate(row, &v); errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // there is none
	} else if err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	return &v, nil
}

// saveTemplate writes a template that nobody else can change meanwhile.
func saveTemplate(t *tx, v *peal.Template) error {
	err := t.exec(`INSERT INTO templates (`+templateColumns+`) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,
		?16, ?17, ?18, ?19, ?20) ON CONFLICT (integration_id, name, language) DO UPDATE SET provider_id = excluded.provider_id,
		category = excluded.category, status = excluded.status, quality = excluded.quality, reason = excluded.reason,
		state_at = excluded.state_at, changed_at = excluded.changed_at, heard_at = excluded.heard_at, stopped = excluded.stopped,
		stopped_reason = excluded.stopped_reason, stopped_at = excluded.stopped_at, broken_code = excluded.broken_code,
		broken_reason = excluded.broken_reason, broken_at = excluded.broken_at`,
		v.TenantID, v.IntegrationID, v.Name, v.Language, text(v.ProviderID), text(v.Category), string(v.Status), text(v.Format),
		text(v.Quality), text(v.Reason), text(string(v.Components)), v.StateAt.UnixMicro(), v.ChangedAt.UnixMicro(), micros(v.HeardAt),
		text(string(v.Stopped)), text(v.StoppedReason), micros(v.StoppedAt), text(v.BrokenCode), text(v.BrokenReason), micros(v.BrokenAt))
	if err == nil {
		err = t.exec(sqlTouchCatalogue, v.IntegrationID, v.TenantID)
	}
	if err != nil {
		return fmt.Errorf("write template: %w", err)
	}
	return nil
}

// ForgetCatalogues removes those of deleted integrations.
func (s *Store) ForgetCatalogues(ctx context.Context) error {
	return s.write(ctx, func(t *tx) error {
		for _, table := range []string{"templates", "catalogues"} {
			if err := t.exec(`DELETE FROM ` + table + ` WHERE integration_id IN (SELECT catalogues.integration_id FROM catalogues
				JOIN integrations ON integrations.integration_id = catalogues.integration_id WHERE integrations.deleted_at IS NOT NULL)`); err != nil {
				return fmt.Errorf("forget catalogues: %w", err)
			}
		}
		return nil
	})
}

package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"peal/internal/peal"
)

const consentColumns = `tenant_id, contact, channel, category, state, source, at`

const (
	sqlConsent    = `SELECT ` + consentColumns + ` FROM consents WHERE tenant_id = ? AND contact = ? AND channel = ? AND category = ?`
	sqlPutConsent = `INSERT INTO consents (` + consentColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (tenant_id, contact, channel, category) DO UPDATE SET state = excluded.state, source = excluded.source, at = excluded.at
		WHERE consents.at <= excluded.at`
	sqlConsentsOf = `SELECT ` + consentColumns + ` FROM consents WHERE tenant_id = ? AND contact = ? ORDER BY channel, category`
)

func scanConsent(row scanner, c *peal.Consent) error {
	return row.Scan(&c.TenantID, &c.Contact, &c.Channel, &c.Category, &c.State, &c.Source, at{&c.At})
}

// putConsent writes somebody's word unless a later one is known, and tells whether it changed their mind.
func putConsent(t *tx, c *peal.Consent) (changed bool, err error) {
	rows, err := t.query(sqlConsent+t.d.forUpdate, c.TenantID, c.Contact, c.Channel, c.Category)
	all, err := collect(rows, err, scanConsent)
	if err != nil {
		return false, fmt.Errorf("read consent: %w", err)
	}
	if len(all) > 0 && all[0].At.After(c.At) {
		return false, nil
	}
	n, err := t.affect(sqlPutConsent, c.TenantID, c.Contact, c.Channel, c.Category, string(c.State), c.Source, c.At.UnixMicro())
	if err != nil {
		return false, fmt.Errorf("write consent: %w", err)
	}
	return n > 0 && (len(all) == 0 || all[0].State != c.State), nil // another node may have heard a later one just now
}

// moveConsents has what somebody said under one identity said under another.
func moveConsents(t *tx, tenantID, from, to string) error {
	rows, err := t.query(sqlConsentsOf, tenantID, from)
	all, err := collect(rows, err, scanConsent)
	if err != nil {
		return fmt.Errorf("read consents: %w", err)
	}
	for i := range all {
		all[i].Contact = to
		if _, err := putConsent(t, &all[i]); err != nil {
			return err
		}
	}
	return t.exec(`DELETE FROM consents WHERE tenant_id = ? AND contact = ?`, tenantID, from)
}

// PutConsents writes people's words, and gives those that changed somebody's mind.
func (s *Store) PutConsents(ctx context.Context, words []peal.Consent) ([]peal.Consent, error) {
	changed, err := wrote(ctx, s, func(t *tx) (changed []peal.Consent, err error) {
		for i := range words {
			is, err := putConsent(t, &words[i])
			if err != nil {
				return nil, err
			}
			if is {
				changed = append(changed, words[i])
				if err := tellConsent(t, &words[i]); err != nil {
					return nil, err
				}
			}
		}
		return changed, nil
	})
	if err != nil {
		return nil, fmt.Errorf("write consents: %w", err)
	}
	s.consented(words)
	return changed, nil
}

// Consents gives what those people said of a channel, or with an empty one of all, by the identity that was asked for,
// whichever they said it under, and however their number is written.
func (s *Store) Consents(ctx context.Context, tenantID, channel string, ids []string) (map[string][]peal.Consent, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	if channel != "" { // every call of send and accept asks; most tenants' people have said nothing
		if has, err := s.hasConsents(ctx, tenantID); err != nil || !has {
			return nil, err
		}
	}
	asked := make(map[string][]string, len(ids)) // an identity, and who was asked for by it
	ask := func(identity, id string) {
		for _, name := range [...]string{identity, peal.OtherSpelling(identity)} {
			if name != "" && !slices.Contains(asked[name], id) {
				asked[name] = append(asked[name], id)
			}
		}
	}
	for _, id := range ids {
		ask(id, id)
	}
	c := &clause{d: s.d}
	c.and("tenant_id = ?", tenantID)
	c.in("contact", slices.Sorted(maps.Keys(asked)))
	pairs, err := list(ctx, s.quick, func(row scanner, p *[2]string) error { return row.Scan(&p[0], &p[1]) },
		`SELECT DISTINCT contact, other FROM contacts WHERE `+c.sql()+` AND other IS NOT NULL`, c.args...)
	if err != nil {
		return nil, fmt.Errorf("read contacts: %w", err)
	}
	for _, p := range pairs {
		for _, id := range slices.Clone(asked[p[0]]) {
			ask(p[1], id)
		}
	}
	c = &clause{d: s.d}
	c.and("tenant_id = ?", tenantID)
	c.in("contact", slices.Sorted(maps.Keys(asked)))
	c.equal("channel", channel)
	words, err := list(ctx, s.quick, scanConsent, `SELECT `+consentColumns+` FROM consents WHERE `+c.sql()+` ORDER BY channel, category, at`, c.args...)
	if err != nil {
		return nil, fmt.Errorf("read consents: %w", err)
	}
	said := map[string][]peal.Consent{}
	for _, w := range words {
		for _, id := range asked[w.Contact] {
			said[id] = append(said[id], w)
		}
	}
	return said, nil
}

// OptOuts gives a page of a tenant's opt-outs, in the order of contact, channel and category, after the one that is named.
func (s *Store) OptOuts(ctx context.Context, tenantID, channel string, after peal.Consent, limit int) ([]peal.Consent, error) {
	c := &clause{d: s.d}
	c.and("tenant_id = ?", tenantID)
	c.equal("channel", channel)
	c.and("(contact, channel, category) > (?, ?, ?)", after.Contact, after.Channel, after.Category)
	page, err := list(ctx, s.reads, scanConsent, `SELECT `+consentColumns+` FROM consents WHERE state = 'out' AND `+c.sql()+
		` ORDER BY contact, channel, category LIMIT ?`, append(c.args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("read opt-outs: %w", err)
	}
	return page, nil
}

// silentFor is how long it is taken for known that nobody of a tenant has said anything. What another node hears first of a
// tenant's people is known here that much later, at most; what this one hears, at once.
const silentFor = time.Second

// consenting knows which tenants' people have said something, so that the others need not be looked up.
type consenting struct {
	mu  sync.Mutex
	has map[string]bool      // they have; they are not asked after again
	not map[string]time.Time // when it was found that they have not
}

func (s *Store) hasConsents(ctx context.Context, tenantID string) (has bool, err error) {
	k := &s.consents
	k.mu.Lock()
	has, fresh := k.has[tenantID], time.Since(k.not[tenantID]) < silentFor
	k.mu.Unlock()
	if has || fresh {
		return has, nil
	}
	asked := time.Now()
	err = one(ctx, s.quick, scanInto[bool], &has, `SELECT EXISTS (SELECT 1 FROM consents WHERE tenant_id = ?)`, tenantID)
	if err != nil {
		return false, fmt.Errorf("look for consents: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if has {
		k.set(tenantID)
	} else if !k.has[tenantID] { // written meanwhile, it is known better
		if k.not == nil || len(k.not) > 10_000 {
			k.not = map[string]time.Time{}
		}
		k.not[tenantID] = asked
	}
	return has || k.has[tenantID], nil
}

// consented notes that people of these tenants have said something.
func (s *Store) consented(words []peal.Consent) {
	if len(words) == 0 {
		return
	}
	s.consents.mu.Lock()
	defer s.consents.mu.Unlock()
	for i := range words {
		s.consents.set(words[i].TenantID)
	}
}

// set is called with the lock held.
func (k *consenting) set(tenantID string) {
	if k.has == nil {
		k.has = map[string]bool{}
	}
	k.has[tenantID] = true
	delete(k.not, tenantID)
}

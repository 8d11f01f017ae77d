package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"peal/internal/peal"
)

const contactColumns = `tenant_id, integration_id, contact, other, name, last_inbound_at, updated_at`

const (
	sqlContact    = `SELECT ` + contactColumns + ` FROM contacts WHERE tenant_id = ? AND integration_id = ? AND contact = ?`
	sqlPutContact = `INSERT INTO contacts (` + contactColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (tenant_id, integration_id, contact) DO UPDATE SET other = excluded.other, name = COALESCE(excluded.name, contacts.name),
		last_inbound_at = CASE WHEN contacts.last_inbound_at > excluded.last_inbound_at THEN contacts.last_inbound_at
			ELSE COALESCE(excluded.last_inbound_at, contacts.last_inbound_at) END, updated_at = excluded.updated_at`
	sqlPartContact   = `UPDATE contacts SET other = NULL WHERE tenant_id = ? AND integration_id = ? AND contact = ? AND other = ?`
	sqlForgetContact = `DELETE FROM contacts WHERE tenant_id = ? AND integration_id = ? AND contact = ?`
)

func scanContact(row scanner, c *peal.Contact) error {
	return row.Scan(&c.TenantID, &c.IntegrationID, &c.ID, opt[string]{&c.Other}, opt[string]{&c.Name}, at{&c.LastInboundAt}, at{&c.UpdatedAt})
}

func contact(t *tx, tenantID, integrationID, id string) (c peal.Contact, err error) {
	rows, err := t.query(sqlContact+t.d.forUpdate, tenantID, integrationID, id)
	all, err := collect(rows, err, scanContact)
	if err != nil {
		return c, fmt.Errorf("read contact: %w", err)
	}
	if len(all) > 0 {
		c = all[0]
	}
	return c, nil
}

// meet writes what was learned of a person. Under both of their identities the same is known.
func meet(t *tx, c peal.Contact, now time.Time) error {
	known, err := contact(t, c.TenantID, c.IntegrationID, c.ID)
	if err != nil {
		return err
	}
	switch {
	case c.Other == "":
		c.Other = known.Other
	case known.Other != "" && known.Other != c.Other: // a number has another person now, or a person another id
		if err := t.exec(sqlPartContact, c.TenantID, c.IntegrationID, known.Other, c.ID); err != nil {
			return fmt.Errorf("part contacts: %w", err)
		}
	}
	c.LastInboundAt = later(c.LastInboundAt, known.LastInboundAt)
	ids := []string{c.ID}
	if c.Other != "" {
		other, err := contact(t, c.TenantID, c.IntegrationID, c.Other)
		if err != nil {
			return err
		}
		c.LastInboundAt = later(c.LastInboundAt, other.LastInboundAt)
		ids = append(ids, c.Other)
	}
	for i, id := range ids {
		other := ""
		if len(ids) > 1 {
			other = ids[1-i]
		}
		err := t.exec(sqlPutContact, c.TenantID, c.IntegrationID, id, text(other), text(c.Name), micros(c.LastInboundAt), now.UnixMicro())
		if err != nil {
			return fmt.Errorf("write contact: %w", err)
		}
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// moveContact has somebody known by their new identities alone, with all that is known of them and all that they said.
func moveContact(t *tx, m *peal.Move, now time.Time) error {
	next := peal.Contact{TenantID: m.TenantID, IntegrationID: m.IntegrationID, ID: m.To, Other: m.ToUserID}
	if next.ID == "" {
		next.ID, next.Other = m.ToUserID, ""
	}
	if next.ID == "" {
		return nil
	}
	olds := map[string]bool{m.From: true, m.FromUserID: true}
	for _, id := range [...]string{m.From, m.FromUserID} {
		if id == "" {
			continue
		}
		old, err := contact(t, m.TenantID, m.IntegrationID, id)
		if err != nil {
			return err
		}
		olds[old.Other] = true
		next.LastInboundAt = later(next.LastInboundAt, old.LastInboundAt)
		if old.Name != "" {
			next.Name = old.Name
		}
	}
	for id := range olds {
		if id == "" || id == m.To || id == m.ToUserID {
			continue
		}
		if err := t.exec(sqlForgetContact, m.TenantID, m.IntegrationID, id); err != nil {
			return fmt.Errorf("forget contact: %w", err)
		}
		if err := moveConsents(t, m.TenantID, id, next.ID); err != nil {
			return err
		}
	}
	return meet(t, next, now)
}

// Contacts gives what the tenant's integrations know of somebody.
func (s *Store) Contacts(ctx context.Context, tenantID, id string) ([]peal.Contact, error) {
	all, err := list(ctx, s.reads, scanContact, `SELECT `+contactColumns+` FROM contacts WHERE tenant_id = ? AND contact = ? ORDER BY integration_id`, tenantID, id)
	if err != nil {
		return nil, fmt.Errorf("read contacts: %w", err)
	}
	return all, nil
}

// LastInbound tells when those of the contacts that ever wrote to an integration's account last did.
func (s *Store) LastInbound(ctx context.Context, tenantID, integrationID string, ids []string) (map[string]time.Time, error) {
	type heard struct {
		id string
		at time.Time
	}
	names := slices.Clone(ids)
	for _, id := range ids {
		if other := peal.OtherSpelling(id); other != "" {
			names = append(names, other)
		}
	}
	c := &clause{d: s.d}
	c.and("tenant_id = ?", tenantID)
	c.and("integration_id = ?", integrationID)
	c.in("contact", names)
	all, err := list(ctx, s.quick, func(row scanner, h *heard) error { return row.Scan(&h.id, at{&h.at}) },
		`SELECT contact, last_inbound_at FROM contacts WHERE `+c.sql()+` AND last_inbound_at IS NOT NULL`, c.args...)
	if err != nil {
		return nil, fmt.Errorf("read when people last wrote: %w", err)
	}
	wrote := make(map[string]time.Time, len(all))
	for _, h := range all {
		wrote[h.id] = h.at
	}
	last := make(map[string]time.Time, len(all))
	for _, id := range ids {
		if at := later(wrote[id], wrote[peal.OtherSpelling(id)]); !at.IsZero() {
			last[id] = at
		}
	}
	return last, nil
}

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"peal/internal/peal"
)

const inboundColumns = `tenant_id, inbound_id, integration_id, message_id, sender, sender_id, name, type, text, content, reply_to,
	delivery_id, media_id, media_type, at, received_at`

const (
	sqlPutInbound = `INSERT INTO inbound (` + inboundColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (integration_id, message_id) DO NOTHING`
	// Webhooks call our messages by their key, which with some providers is the id of the send's answer.
	sqlAnswered = `SELECT delivery_id FROM communications_log INDEXED BY log_key WHERE integration_id = ?1 AND message_key = ?2 AND tenant_id = ?3
		UNION ALL SELECT delivery_id FROM communications_log INDEXED BY log_message WHERE tenant_id = ?3 AND message_id = ?2 AND integration_id = ?1
		ORDER BY delivery_id DESC LIMIT 1`
	sqlListen = `INSERT INTO listening (integration_id, since) VALUES (?, ?) ON CONFLICT (integration_id) DO NOTHING`
)

func scanInbound(row scanner, m *peal.Inbound) error {
	return row.Scan(&m.TenantID, &m.ID, &m.IntegrationID, &m.MessageID, opt[string]{&m.From}, opt[string]{&m.FromUserID},
		opt[string]{&m.Name}, &m.Type, opt[string]{&m.Text}, opt[json.RawMessage]{&m.Content}, opt[string]{&m.ReplyTo},
		opt[string]{&m.DeliveryID}, opt[string]{&m.MediaID}, opt[string]{&m.MediaType}, at{&m.At}, at{&m.ReceivedAt})
}

// Hear takes in what webhooks tell of people, and tells what of it is new: what was heard before changes nothing.
func (s *Store) Hear(ctx context.Context, heard []peal.Heard) (peal.News, error) {
	news, err := wrote(ctx, s, func(t *tx) (news peal.News, err error) {
		for i := range heard {
			if err := hearOne(t, &news, &heard[i], s.now()); err != nil {
				return news, err
			}
		}
		return news, nil
	})
	if err != nil {
		return news, fmt.Errorf("take in what people say: %w", err)
	}
	s.consented(news.Consents)
	return news, nil
}

func hearOne(t *tx, news *peal.News, h *peal.Heard, now time.Time) error {
	if h.Inbound != nil {
		m, isNew, err := putInbound(t, *h.Inbound, now)
		if err != nil || !isNew {
			return err
		}
		news.Inbound = append(news.Inbound, m)
		if err := tellInbound(t, &m); err != nil {
			return err
		}
	}
	if h.Move != nil {
		if err := moveContact(t, h.Move, now); err != nil {
			return err
		}
	}
	if c := h.Consent; c != nil {
		if c.IntegrationID != "" && c.Other != "" {
			if err := meet(t, peal.Contact{TenantID: c.TenantID, IntegrationID: c.IntegrationID, ID: c.Contact, Other: c.Other}, now); err != nil {
				return err
			}
		}
		changed, err := putConsent(t, c)
		if err != nil {
			return err
		}
		if changed {
			news.Consents = append(news.Consents, *c)
			return tellConsent(t, c)
		}
	}
	return nil
}

// putInbound keeps a message, unless it is kept already, and learns from it who its person is.
func putInbound(t *tx, m peal.Inbound, now time.Time) (_ peal.Inbound, isNew bool, err error) {
	if m.ReplyTo != "" {
		row, err := t.row(sqlAnswered, m.IntegrationID, m.ReplyTo, m.TenantID)
		if err == nil {
			err = row.Scan(&m.DeliveryID)
		}
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return m, false, fmt.Errorf("find what a message answers: %w", err)
		}
	}
	n, err := t.affect(sqlPutInbound, m.TenantID, m.ID, m.IntegrationID, m.MessageID, text(m.From), text(m.FromUserID), text(m.Name), m.Type,
		text(m.Text), text(string(m.Content)), text(m.ReplyTo), text(m.DeliveryID), text(m.MediaID), text(m.MediaType), m.At.UnixMicro(),
		m.ReceivedAt.UnixMicro())
	if err != nil {
		return m, false, fmt.Errorf("keep an inbound message: %w", err)
	}
	if n == 0 || m.Sender() == "" || m.Type == peal.InboundSystem { // who has moved is not who they were, as that names them
		return m, n > 0, nil
	}
	c := peal.Contact{TenantID: m.TenantID, IntegrationID: m.IntegrationID, ID: m.Sender(), Name: m.Name, LastInboundAt: m.At}
	if m.From != "" {
		c.Other = m.FromUserID
	}
	return m, true, meet(t, c, now)
}

// InboundMessages gives a page of what was written to a tenant, newest first.
func (s *Store) InboundMessages(ctx context.Context, tenantID string, f peal.InboundFilter) ([]peal.Inbound, error) {
	c := &clause{d: s.d}
	c.and("tenant_id = ?", tenantID)
	c.equal("integration_id", f.IntegrationID)
	c.equal("delivery_id", f.DeliveryID)
	c.equal("type", f.Type)
	if peal.IsWhatsAppUserID(f.From) {
		c.equal("sender_id", f.From)
	} else {
		c.equal("sender", f.From)
	}
	c.since("received_at", f.Since)
	c.until("received_at", f.Until)
	if !f.Since.IsZero() {
		c.and("inbound_id >= ?", idAt(f.Since.Add(-idSlack)))
	}
	if !f.Until.IsZero() {
		c.and("inbound_id < ?", idAt(f.Until.Add(idSlack)))
	}
	if f.Before != "" {
		c.and("inbound_id < ?", f.Before)
	}
	page, err := list(ctx, s.reads, scanInbound, `SELECT `+inboundColumns+` FROM inbound WHERE `+c.sql()+` ORDER BY inbound_id DESC LIMIT ?`,
		append(c.args, f.Limit)...)
	if err != nil {
		return nil, fmt.Errorf("read inbound messages: %w", err)
	}
	return page, nil
}

// InboundMessage gives one message that was written to a tenant.
func (s *Store) InboundMessage(ctx context.Context, tenantID, id string) (m peal.Inbound, err error) {
	err = one(ctx, s.reads, scanInbound, &m, `SELECT `+inboundColumns+` FROM inbound WHERE tenant_id = ? AND inbound_id = ?`, tenantID, id)
	return m, notFound(err, "inbound message")
}

// Listen notes that webhooks of an integration are folded in, since the time if it was not noted before.
func (s *Store) Listen(ctx context.Context, integrationID string, since time.Time) error {
	err := s.write(ctx, func(t *tx) error { return t.exec(sqlListen, integrationID, since.UnixMicro()) })
	if err != nil {
		return fmt.Errorf("note that webhooks come: %w", err)
	}
	return nil
}

// ListeningSince is since when webhooks of an integration have been folded in; zero: not yet.
func (s *Store) ListeningSince(ctx context.Context, integrationID string) (since time.Time, err error) {
	err = one(ctx, s.quick, func(row scanner, t *time.Time) error { return row.Scan(at{t}) }, &since,
		`SELECT since FROM listening WHERE integration_id = ?`, integrationID)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return since, err
}

// forgetInbound lets go of the messages that came before the time.
func (s *Store) forgetInbound(ctx context.Context, before time.Time) error {
	err := s.eachTenant(ctx, "inbound", func(tenant string) error {
		_, err := s.inSteps(ctx, `DELETE FROM inbound WHERE tenant_id = ?1 AND inbound_id IN (SELECT inbound_id FROM inbound
			WHERE tenant_id = ?1 AND inbound_id < ?2 ORDER BY inbound_id LIMIT ?3)`, retainStep, []any{tenant, idAt(before)})
		return err
	})
	if err != nil {
		return fmt.Errorf("forget inbound messages: %w", err)
	}
	return nil
}

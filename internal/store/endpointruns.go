package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"peal/internal/peal"
)

const (
	messageColumns = `notice_id, type, subject, position, at, tries, next_at, failed_at`
	sqlPutMessage  = `INSERT INTO endpoint_messages (endpoint_id, notice_id, type, subject, position, at, tries, next_at, failed_at, data)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (endpoint_id, notice_id) DO UPDATE SET tries = excluded.tries,
		next_at = excluded.next_at, failed_at = excluded.failed_at`
	sqlKeepMessage = `UPDATE endpoint_messages SET tries = ?, next_at = ?, failed_at = ? WHERE endpoint_id = ? AND notice_id = ?`
	sqlPutAttempt  = `INSERT INTO endpoint_attempts (endpoint_id, attempt_id, notice_id, type, try, at, took_us, status, ok, code, error, next_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (endpoint_id, attempt_id) DO NOTHING` // a write that was given up on may have happened
	sqlProgress = `UPDATE endpoints SET cursor = ?, cursor_at = ?, ahead = ?, replay = ?, failing_at = ?, ok_at = ?, failed_at = ?, last_error = ?,
		disabled_code = ?, disabled_reason = ?, disabled_at = ?, fails = ? WHERE endpoint_id = ? AND generation = ?`
)

// StartEndpoint begins a run of calls: it gives all that a run has to know, and from now on what an earlier run writes is
// void. NotFound when the endpoint is not to be called.
func (s *Store) StartEndpoint(ctx context.Context, id string) (*peal.EndpointRun, error) {
	r, err := wrote(ctx, s, func(t *tx) (*peal.EndpointRun, error) {
		n, err := t.affect(`UPDATE endpoints SET generation = generation + 1 WHERE endpoint_id = ? AND disabled_at IS NULL`, id)
		if err == nil && n == 0 {
			err = peal.Errorf(peal.NotFound, "there is no such endpoint")
		}
		if err != nil {
			return nil, err
		}
		r := &peal.EndpointRun{}
		var ahead json.RawMessage
		row, err := t.row(`SELECT `+endpointColumns+`, e.ahead FROM endpoints e WHERE e.endpoint_id = ?`, id)
		if err == nil {
			err = scanEndpointAnd(row, &r.Endpoint, opt[json.RawMessage]{&ahead})
		}
		if err == nil {
			err = unpack(ahead, &r.Ahead)
		}
		if err != nil {
			return nil, err
		}
		rows, err := t.query(`SELECT `+messageColumns+` FROM endpoint_messages WHERE endpoint_id = ? AND failed_at IS NULL`, id)
		r.Messages, err = collect(rows, err, scanMessage)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("begin to call an endpoint: %w", err)
	}
	return r, nil
}

func scanMessage(row scanner, m *peal.EndpointMessage) error {
	var failed time.Time
	err := row.Scan(&m.NoticeID, &m.Type, &m.Subject, &m.Position, at{&m.At}, &m.Tries, at{&m.NextAt}, at{&failed})
	m.Failed = !failed.IsZero()
	return err
}

// EndpointMessage gives a message with its data; NotFound when there is none.
func (s *Store) EndpointMessage(ctx context.Context, id, noticeID string) (m peal.EndpointMessage, err error) {
	err = one(ctx, s.reads, func(row scanner, m *peal.EndpointMessage) error {
		var failed time.Time
		err := row.Scan(&m.NoticeID, &m.Type, &m.Subject, &m.Position, at{&m.At}, &m.Tries, at{&m.NextAt}, at{&failed}, opt[json.RawMessage]{&m.Data})
		m.Failed = !failed.IsZero()
		return err
	}, &m, `SELECT `+messageColumns+`, data FROM endpoint_messages WHERE endpoint_id = ? AND notice_id = ?`, id, noticeID)
	return m, notFound(err, "message")
}

// AdvanceEndpoint writes what a run has come to, all or nothing. It tells whether the run is still the endpoint's; if it is
// not, nothing is written.
func (s *Store) AdvanceEndpoint(ctx context.Context, p *peal.EndpointProgress) (bool, error) {
	ok, err := wrote(ctx, s, func(t *tx) (bool, error) { return advanceEndpoint(t, p) })
	if err != nil {
		return false, fmt.Errorf("write what an endpoint was told: %w", err)
	}
	return ok, nil
}

func advanceEndpoint(t *tx, p *peal.EndpointProgress) (bool, error) {
	var code, reason, since any
	if d := p.Disabled; d != nil {
		code, reason, since = string(d.Code), text(d.Reason), micros(d.At)
	}
	n, err := t.affect(sqlProgress, p.Cursor, micros(p.CursorAt), pack(p.Ahead, len(p.Ahead) == 0), pack(p.Replay, p.Replay == nil),
		micros(p.FailingAt), micros(p.OKAt), micros(p.FailedAt), text(p.LastError), code, reason, since, p.Fails, p.EndpointID, p.Generation)
	if err != nil || n == 0 {
		return false, err
	}
	if p.PullIn {
		if err := t.exec(`UPDATE endpoint_messages SET next_at = NULL WHERE endpoint_id = ? AND failed_at IS NULL AND next_at IS NOT NULL`, p.EndpointID); err != nil {
			return false, err
		}
	}
	if len(p.Told) > 0 {
		err := t.exec(`DELETE FROM endpoint_messages WHERE endpoint_id = ? AND notice_id`+t.d.anyOf, p.EndpointID, t.d.list(p.Told))
		if err != nil {
			return false, err
		}
	}
	at := t.now().UnixMicro()
	for i := range p.Put {
		if err := putMessage(t, p.EndpointID, &p.Put[i], at); err != nil {
			return false, err
		}
	}
	for i := range p.Kept {
		m := &p.Kept[i]
		if err := t.exec(sqlKeepMessage, m.Tries, micros(m.NextAt), failedAt(m, at), p.EndpointID, m.NoticeID); err != nil {
			return false, err
		}
	}
	for i := range p.Attempts {
		if err := putAttempt(t, p.EndpointID, &p.Attempts[i]); err != nil {
			return false, err
		}
	}
	if p.Notice != nil {
		if err := t.tell(p.Notice); err != nil {
			return false, err
		}
	}
	return true, nil
}

func failedAt(m *peal.EndpointMessage, now int64) any {
	if m.Failed {
		return now
	}
	return nil
}

func putMessage(t *tx, id string, m *peal.EndpointMessage, now int64) error {
	return t.exec(sqlPutMessage, id, m.NoticeID, m.Type, m.Subject, m.Position, m.At.UnixMicro(), m.Tries, micros(m.NextAt), failedAt(m, now), string(m.Data))
}

func putAttempt(t *tx, id string, a *peal.EndpointAttempt) error {
	ok := 0
	if a.OK {
		ok = 1
	}
	return t.exec(sqlPutAttempt, id, a.ID, a.NoticeID, a.Type, a.Try, a.At.UnixMicro(), a.Took.Microseconds(), a.Status, ok, text(a.Code),
		text(a.Error), micros(a.NextAt))
}

// PutAttempt writes down a call that no run has made: a test.
func (s *Store) PutAttempt(ctx context.Context, endpointID string, a peal.EndpointAttempt) error {
	err := s.write(ctx, func(t *tx) error { return putAttempt(t, endpointID, &a) })
	if err != nil {
		return fmt.Errorf("write attempt: %w", err)
	}
	return nil
}

const sqlRestartEndpoint = `UPDATE endpoints SET generation = generation + 1, version = version + 1 WHERE tenant_id = ? AND endpoint_id = ?`

// ReplayOne has an endpoint told one notice again, whether it waits, failed or was told.
func (s *Store) ReplayOne(ctx context.Context, tenantID, id string, m peal.EndpointMessage) error {
	m.Tries, m.NextAt, m.Failed = 0, time.Time{}, false
	return s.changeEndpointWith(ctx, func(t *tx) error { return putMessage(t, id, &m, 0) }, sqlRestartEndpoint, tenantID, id)
}

// ReplayFailed has an endpoint told again what ran out of tries, if it happened since then and is of these types; at most
// limit, the oldest first. It tells how many.
func (s *Store) ReplayFailed(ctx context.Context, tenantID, id string, since time.Time, types []string, limit int) (int64, error) {
	c := &clause{d: s.d}
	c.and("endpoint_id = ?", id)
	c.and("failed_at IS NOT NULL")
	c.since("at", since)
	c.in("type", types)
	return wrote(ctx, s, func(t *tx) (n int64, err error) {
		n, err = t.affect(sqlRestartEndpoint, tenantID, id)
		if err == nil && n == 0 {
			err = peal.Errorf(peal.NotFound, "there is no such endpoint")
		}
		if err != nil {
			return 0, err
		}
		return t.affect(`UPDATE endpoint_messages SET failed_at = NULL, tries = 0, next_at = NULL WHERE endpoint_id = ? AND notice_id IN
			(SELECT notice_id FROM endpoint_messages WHERE `+c.sql()+` ORDER BY at, notice_id LIMIT ?)`, append(append([]any{id}, c.args...), limit)...)
	})
}

// ReplaySince has an endpoint told again what it was told since a time. Conflict while that is going on.
func (s *Store) ReplaySince(ctx context.Context, tenantID, id string, r peal.EndpointReplay) error {
	err := s.write(ctx, func(t *tx) error {
		var replay json.RawMessage
		row, err := t.row(`SELECT cursor, replay FROM endpoints WHERE tenant_id = ? AND endpoint_id = ?`+t.d.forUpdate, tenantID, id)
		if err == nil {
			err = notFound(row.Scan(&r.Until, opt[json.RawMessage]{&replay}), "endpoint")
		}
		if err != nil {
			return err
		}
		if len(replay) > 0 {
			return peal.Errorf(peal.Conflict, "a replay is going on; wait until it is done, as the endpoint shows")
		}
		return t.exec(`UPDATE endpoints SET replay = ?, generation = generation + 1, version = version + 1 WHERE endpoint_id = ?`,
			pack(r, false), id)
	})
	if err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	return nil
}

// Notice gives one of a tenant's event log; NotFound when it is not there any more.
func (s *Store) Notice(ctx context.Context, tenantID, id string) (n peal.Notice, err error) {
	position, ok := strings.CutPrefix(id, noticePrefix)
	position, _, _ = strings.Cut(position, "_")
	seq, err := parsePosition(position)
	if !ok || err != nil || seq == 0 {
		return n, peal.Errorf(peal.NotFound, "there is no such event")
	}
	page, err := s.readNotices(ctx, tenantID, seq-1, seq, nil, 1)
	if err == nil && (len(page) == 0 || page[0].ID != id) {
		err = peal.Errorf(peal.NotFound, "there is no such event")
	}
	if err == nil {
		err = s.completeNotices(ctx, tenantID, page)
	}
	if err != nil {
		return n, err
	}
	return page[0], nil
}

package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"peal/api"
	"peal/internal/peal"
)

// The event log. Moves of deliveries are noted by triggers (noticetriggers.go), so whoever moves a row, on whatever node, and in
// whatever way, has it noted in that very transaction, or not at all. A tenant that has never asked for events has no log.

const (
	sqlPutNotice = `INSERT INTO notices (tenant_id, type, at, subject, delivery_id, data)
		SELECT CAST(?1 AS TEXT), CAST(?2 AS TEXT), CAST(?3 AS BIGINT), CAST(?4 AS TEXT), CAST(?5 AS TEXT), CAST(?6 AS TEXT)
		WHERE EXISTS (SELECT 1 FROM notice_tenants WHERE tenant_id = ?1) RETURNING seq`
	noticeColumns = `seq, type, at, subject, delivery_id, attempt, code, reason, dead, occurred_at, data`
	// What a delivery's event tells beside what happened. It is in the rows, and does not change.
	sqlNoticed = `SELECT l.delivery_id, l.notification_id, l.integration_id, l.channel, l.recipient, l.user_id, l.message_id,
		n.event_type, n.metadata FROM communications_log l LEFT JOIN notifications n
		ON n.tenant_id = l.tenant_id AND n.notification_id = l.notification_id WHERE l.tenant_id = ? AND l.delivery_id`
)

// How much a reader of few types goes over at once, and how long in one call.
const (
	noticeWindow = 5000
	noticeTime   = time.Second
)

// EnableNotices begins a tenant's event log, if it has none yet.
func (s *Store) EnableNotices(ctx context.Context, tenantID string) error {
	if _, known := s.noticed.Load(tenantID); known {
		return nil
	}
	there, err := s.hasNotices(ctx, tenantID)
	if err == nil && !there {
		err = s.beginNotices(ctx, tenantID)
	}
	if err != nil {
		return fmt.Errorf("begin the event log: %w", err)
	}
	s.noticed.Store(tenantID, true)
	return nil
}

func (s *Store) hasNotices(ctx context.Context, tenantID string) (there bool, err error) {
	err = one(ctx, s.quick, scanInto[bool], &there, `SELECT EXISTS (SELECT 1 FROM notice_tenants WHERE tenant_id = ?)`, tenantID)
	return there, err
}

func (s *Store) beginNotices(ctx context.Context, tenantID string) error {
	if err := s.noteMoves(ctx); err != nil { // before somebody counts on it
		return err
	}
	return s.write(ctx, func(t *tx) error {
		return t.exec(`INSERT INTO notice_tenants (tenant_id, since) VALUES (?, ?) ON CONFLICT DO NOTHING`, tenantID, s.now().UnixMicro())
	})
}

// Tell appends to the logs of tenants what is not of deliveries; ids and positions are filled in. Of tenants without a log it
// keeps nothing, and these stay empty.
func (s *Store) Tell(ctx context.Context, notices []peal.Notice) error {
	told, err := wrote(ctx, s, func(t *tx) ([]peal.Notice, error) {
		told := slices.Clone(notices)
		for i := range told {
			if err := t.tell(&told[i]); err != nil {
				return nil, err
			}
		}
		return told, nil
	})
	if err == nil {
		copy(notices, told)
	}
	return err
}

// tell appends to its tenant's log, if that has one: with the transaction, or not at all.
func (t *tx) tell(n *peal.Notice) error {
	if t.d.bulk { // its transaction has to have a number before it draws one; see horizon
		if err := t.exec(`SELECT pg_current_xact_id()`); err != nil {
			return fmt.Errorf("tell: %w", err)
		}
	}
	at, other := n.At, n.DeliveryID
	if at.IsZero() {
		at = t.now()
	}
	if other == n.Subject {
		other = ""
	}
	row, err := t.row(sqlPutNotice, n.TenantID, n.Type, at.UnixMicro(), n.Subject, text(other), text(string(n.Data)))
	if err != nil {
		return fmt.Errorf("tell: %w", err)
	}
	var seq int64
	switch err := row.Scan(&seq); {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("tell: %w", err)
	}
	n.At, n.Position = at, positionOf(seq)
	n.ID = noticeID(n, seq)
	if t.grown != nil {
		t.grown[n.TenantID] = true
	}
	return nil
}

// Notices gives up to limit of a tenant's log after a position, the oldest first; of all types when none are named. An empty
// position is the beginning. The next position is where to go on, also when there are none: whoever goes on from there misses
// nothing that is committed later. What is older than the log's beginning is passed over; NoticesLost tells of that.
func (s *Store) Notices(ctx context.Context, tenantID, after string, types []string, limit int) (page []peal.Notice, next string, err error) {
	from, err := parsePosition(after)
	if err != nil {
		return nil, "", err
	}
	horizon, err := s.noticeHorizon(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("read events: %w", err)
	}
	for stop := time.Now().Add(noticeTime); from < horizon; {
		upTo, all, err := s.noticesAhead(ctx, tenantID, from, horizon, types)
		if err != nil {
			return nil, "", err
		}
		some, err := s.readNotices(ctx, tenantID, from, upTo, types, limit-len(page))
		if err != nil {
			return nil, "", err
		}
		page = append(page, some...)
		if from = upTo; len(page) == limit {
			from, _ = parsePosition(page[limit-1].Position)
			break
		}
		if all || time.Now().After(stop) {
			break
		}
	}
	if err := s.completeNotices(ctx, tenantID, page); err != nil {
		return nil, "", err
	}
	return page, positionOf(from), nil
}

// noticesAhead is up to where a reader may go in one step, and whether that is the end.
func (s *Store) noticesAhead(ctx context.Context, tenantID string, from, horizon int64, types []string) (int64, bool, error) {
	if types == nil {
		return horizon, true, nil
	}
	upTo := horizon
	err := one(ctx, s.reads, scanInto[int64], &upTo, `SELECT seq FROM notices WHERE tenant_id = ? AND seq > ? AND seq <= ?
		ORDER BY seq LIMIT 1 OFFSET ?`, tenantID, from, horizon, noticeWindow-1)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, false, fmt.Errorf("read events: %w", err)
	}
	return upTo, err != nil, nil
}

func (s *Store) readNotices(ctx context.Context, tenantID string, from, upTo int64, types []string, limit int) ([]peal.Notice, error) {
	c := &clause{d: s.d}
	c.and("tenant_id = ? AND seq > ? AND seq <= ?", tenantID, from, upTo)
	c.in("type", types)
	page, err := list(ctx, s.reads, func(row scanner, n *peal.Notice) error { return scanNotice(row, tenantID, n) },
		`SELECT `+noticeColumns+` FROM notices WHERE `+c.sql()+` ORDER BY seq LIMIT ?`, append(c.args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return page, nil
}

func scanNotice(row scanner, tenantID string, n *peal.Notice) error {
	var seq int64
	var attempt, dead sql.NullInt64
	var code, reason string
	var occurred time.Time
	err := row.Scan(&seq, &n.Type, at{&n.At}, &n.Subject, opt[string]{&n.DeliveryID}, &attempt, opt[string]{&code}, opt[string]{&reason},
		&dead, at{&occurred}, opt[json.RawMessage]{&n.Data})
	if err != nil {
		return err
	}
	n.TenantID, n.Position = tenantID, positionOf(seq)
	n.ID = noticeID(n, seq)
	status, moved := strings.CutPrefix(n.Type, "delivery.")
	if !moved {
		return nil
	}
	n.DeliveryID = n.Subject
	data := api.DeliveryEvent{
		DeliveryID: n.Subject, Status: status, Attempt: attempt.Int64, Code: code, Reason: reason, DeadLetter: dead.Int64 == 1,
	}
	if !occurred.IsZero() {
		data.OccurredAt = &occurred
	}
	n.Data, err = json.Marshal(&data)
	return err
}

// completeNotices adds to those of deliveries what their rows say. Of rows that have left there is no more than that.
func (s *Store) completeNotices(ctx context.Context, tenantID string, page []peal.Notice) error {
	var ids []string
	for i := range page {
		if n := &page[i]; n.DeliveryID == n.Subject && n.DeliveryID != "" {
			ids = append(ids, n.DeliveryID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	from, to := span(ids)
	rows, err := list(ctx, s.reads, func(row scanner, d *api.DeliveryEvent) error {
		return row.Scan(&d.DeliveryID, &d.NotificationID, &d.IntegrationID, &d.Channel, &d.Recipient, opt[string]{&d.UserID},
			opt[string]{&d.MessageID}, opt[string]{&d.EventType}, opt[json.RawMessage]{&d.Metadata})
	}, sqlNoticed+s.d.anyOf+` AND l.delivery_id BETWEEN ? AND ?`, tenantID, s.d.list(ids), from, to)
	if err != nil {
		return fmt.Errorf("read the deliveries of events: %w", err)
	}
	byID := make(map[string]*api.DeliveryEvent, len(rows))
	for i := range rows {
		byID[rows[i].DeliveryID] = &rows[i]
	}
	for i := range page {
		n := &page[i]
		row := byID[n.DeliveryID]
		if row == nil || n.DeliveryID != n.Subject {
			continue
		}
		data := *row
		if data.MessageID != "" && n.Type == peal.NoticeOf(peal.Queued) {
			data.MessageID = "" // it had none then
		}
		if err := json.Unmarshal(n.Data, &data); err != nil { // what happened, over what it is of
			return fmt.Errorf("read an event: %w", err)
		}
		if n.Data, err = json.Marshal(&data); err != nil {
			return fmt.Errorf("write an event: %w", err)
		}
	}
	return nil
}

// NoticesEnd is the position after all that a tenant can be told now. What is committed later comes after it.
func (s *Store) NoticesEnd(ctx context.Context) (string, error) {
	horizon, err := s.noticeHorizon(ctx)
	if err != nil {
		return "", fmt.Errorf("find the end of the event log: %w", err)
	}
	return positionOf(horizon), nil
}

// noticeSkew is by how much an event's time may be beside its place in the log: nodes have clocks of their own, and an
// outcome is recorded later than it came about.
const noticeSkew = int64(2 * time.Minute / time.Microsecond)

// NoticesSince is the position before all of a tenant's log that happened since a time. A few that are older may be behind it.
func (s *Store) NoticesSince(ctx context.Context, tenantID string, since time.Time) (string, error) {
	type place struct{ seq, at int64 }
	nearest := func(order string, from int64) (p place, there bool, err error) {
		err = one(ctx, s.reads, func(row scanner, p *place) error { return row.Scan(&p.seq, &p.at) }, &p,
			`SELECT seq, at FROM notices WHERE tenant_id = ? AND seq > ? ORDER BY seq`+order+` LIMIT 1`, tenantID, from)
		if errors.Is(err, sql.ErrNoRows) {
			return p, false, nil
		}
		return p, err == nil, err
	}
	first, there, err := nearest("", 0)
	last := first
	if err == nil && there {
		last, _, err = nearest(" DESC", 0)
	}
	if err != nil {
		return "", fmt.Errorf("find a time in the event log: %w", err)
	}
	low, high := first.seq-1, last.seq // what is up to low is older, what is after high is not
	for wanted := since.UnixMicro() - noticeSkew; there && low < high; {
		middle := low + (high-low)/2
		p, there, err := nearest("", middle)
		if err != nil {
			return "", fmt.Errorf("find a time in the event log: %w", err)
		}
		if there && p.at < wanted {
			low = p.seq
		} else {
			high = middle
		}
	}
	if !there {
		return "", nil
	}
	return positionOf(low), nil
}

// NoticesLost tells whether something that came after a position is not in a tenant's log any more, or whether no log of these
// records had the position: they are those of a backup. Then on is where to go on, before the oldest that is there.
func (s *Store) NoticesLost(ctx context.Context, tenantID, after string) (on string, lost bool, err error) {
	from, err := parsePosition(after)
	if err != nil {
		return "", false, err
	}
	var cut int64
	err = one(ctx, s.quick, scanInto[int64], &cut, `SELECT cut FROM notice_tenants WHERE tenant_id = ?`, tenantID)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", false, fmt.Errorf("read the event log: %w", err)
	}
	if from < cut {
		return positionOf(cut), true, nil
	}
	last, err := s.lastNotice(ctx)
	return positionOf(cut), from > last, err
}

// RetainNotices lets go of what was told before the time, and tells how many these were.
func (s *Store) RetainNotices(ctx context.Context, before time.Time) (total int64, err error) {
	err = s.eachTenant(ctx, "notice_tenants", func(tenant string) error {
		for {
			n, err := wrote(ctx, s, func(t *tx) (int64, error) { return cutNotices(t, tenant, before.UnixMicro()) })
			if total += n; err != nil || n < retainStep {
				return err
			}
		}
	})
	if err != nil {
		return total, fmt.Errorf("let go of events: %w", err)
	}
	return total, nil
}

// cutNotices lets go of the next step of what is old. They go in the log's order, so one of those that is younger ends it.
func cutNotices(t *tx, tenant string, before int64) (int64, error) {
	type place struct{ seq, at int64 }
	rows, err := t.query(`SELECT seq, at FROM notices WHERE tenant_id = ? ORDER BY seq LIMIT ?`, tenant, retainStep)
	all, err := collect(rows, err, func(row scanner, p *place) error { return row.Scan(&p.seq, &p.at) })
	if err != nil {
		return 0, err
	}
	if i := slices.IndexFunc(all, func(p place) bool { return p.at >= before }); i >= 0 {
		all = all[:i]
	}
	if len(all) == 0 {
		return 0, nil
	}
	cut := all[len(all)-1].seq
	if err := t.exec(`UPDATE notice_tenants SET cut = ?1 WHERE tenant_id = ?2 AND cut < ?1`, cut, tenant); err != nil {
		return 0, err
	}
	return int64(len(all)), t.exec(`DELETE FROM notices WHERE tenant_id = ? AND seq <= ?`, tenant, cut)
}

func positionOf(seq int64) string { return strconv.FormatInt(seq, 36) }

const noticePrefix = "evt_"

// noticeID is made of what the log has of an event, so it is the same whenever that is read; its place comes first. No other
// installation gives it, for whoever passes over what it has seen must not take a new server's events for an old one's.
func noticeID(n *peal.Notice, seq int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%d\n%d", n.TenantID, n.Subject, n.Type, n.At.UnixMicro(), seq))
	return noticePrefix + positionOf(seq) + "_" + hex.EncodeToString(sum[:12])
}

func parsePosition(p string) (int64, error) {
	if p == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(p, 36, 64)
	if err != nil || n < 0 {
		return 0, &peal.Error{Kind: peal.Invalid, Fields: []peal.Field{{
			Path: "after", Code: "invalid", Message: strconv.Quote(p) + " is no place in the event log; take the one that came with an event",
		}}}
	}
	return n, nil
}

// horizon is up to where PostgreSQL's log is whole. Numbers are drawn before the commit, so one that can be seen may come
// after one that cannot be yet. A mark is a number that was the last one at a moment, with the number that a transaction got
// after that moment: who had drawn one by then has a smaller one. Once no smaller one is open, all up to the mark is there
// to be seen, or never will be.
type horizon struct {
	mu    sync.Mutex
	asked time.Time
	whole int64
	marks []noticeMark
}

type noticeMark struct{ seq, xact int64 }

// maxMarks is how many marks there are at most: while one transaction stays open for long, the log is not read beyond it anyway.
const maxMarks = 1000

// horizonEvery is how often the database is asked at most, however many read.
const horizonEvery = 10 * time.Millisecond

// noticeHorizon is up to which number all transactions have ended.
func (s *Store) noticeHorizon(ctx context.Context) (int64, error) {
	if !s.d.bulk {
		return s.lastNotice(ctx)
	}
	h := &s.horizon
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.asked) < horizonEvery {
		return h.whole, nil
	}
	last, err := s.lastNotice(ctx)
	if err != nil || last == h.whole {
		return last, err
	}
	if last < h.whole { // another server, which had not heard of the newest when it took over
		h.whole, h.marks = 0, nil
	}
	if n := len(h.marks); n == 0 || n < maxMarks && h.marks[n-1].seq < last {
		m := noticeMark{seq: last}
		if err := one(ctx, s.quick, scanInto[int64], &m.xact, `SELECT pg_current_xact_id()::text::bigint`); err != nil {
			return 0, err
		}
		h.marks = append(h.marks, m)
	}
	var oldest int64
	if err := one(ctx, s.quick, scanInto[int64], &oldest, `SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint`); err != nil {
		return 0, err
	}
	for len(h.marks) > 0 && h.marks[0].xact <= oldest {
		h.whole, h.marks = h.marks[0].seq, h.marks[1:]
	}
	h.asked = time.Now()
	return h.whole, nil
}

// lastNotice is the newest number that was drawn, whosever it is.
func (s *Store) lastNotice(ctx context.Context) (last int64, err error) {
	query := `SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'notices'`
	if s.d.bulk {
		query = `SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM notices_seq`
	}
	if err := one(ctx, s.quick, scanInto[int64], &last, query); err != nil {
		return 0, fmt.Errorf("read the end of the event log: %w", err)
	}
	return last, nil
}

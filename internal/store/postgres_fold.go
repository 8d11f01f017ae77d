package store

import (
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"peal/internal/peal"
)

// foldCall is one call of Fold.
type foldCall struct {
	evidence []peal.Evidence
	folded   peal.Folded
}

// folding is one piece of evidence on its way into a row.
type folding struct {
	*peal.Evidence

	row    foundRow
	found  bool
	folded peal.Folded // what came of it
	heard  time.Time   // when it was, if it was parked since
}

// strange is so of evidence of a message that no row knows: it is parked.
func (f *folding) strange() bool { return !f.found && f.DeliveryID == "" }

// teaches is so of evidence that tells a row the webhooks' key.
func (f *folding) teaches() bool { return f.found && f.MessageKey != "" && f.row.key == "" }

func (f *folding) rowID() rowID { return rowID{f.row.tenantID, f.row.deliveryID} }

// What is sorted by delivery_id || ” is looked up first, and then sorted: by delivery_id alone the database might walk the
// tenant's whole log because that is in order.
const (
	pgFoundColumns = `l.tenant_id, l.delivery_id, l.status, l.message_key, l.sent_at, l.rung IS NOT NULL AS ladder,
		CASE WHEN l.round > 0 THEN l.payload END AS again`
	pgFindByDelivery = `SELECT u.n, ` + pgFoundColumns + ` FROM unnest($1::int[], $2::text[], $3::text[], $4::text[])
		AS u (n, tenant_id, delivery_id, integration_id) JOIN communications_log l
		ON l.tenant_id = u.tenant_id AND l.delivery_id = u.delivery_id AND l.integration_id = u.integration_id`
	pgFindByKey = `SELECT u.n, l.* FROM unnest($1::int[], $2::text[], $3::text[]) AS u (n, integration_id, message_key)
		CROSS JOIN LATERAL (SELECT ` + pgFoundColumns + ` FROM communications_log l WHERE l.integration_id = u.integration_id
		AND l.message_key = u.message_key ORDER BY l.delivery_id || '' DESC LIMIT 1) l`
	pgFindByID = `SELECT u.n, l.* FROM unnest($1::int[], $2::text[], $3::text[], $4::text[]) AS u (n, tenant_id, integration_id, message_id)
		CROSS JOIN LATERAL (SELECT ` + pgFoundColumns + ` FROM communications_log l WHERE l.tenant_id = u.tenant_id
		AND l.message_id = u.message_id AND l.integration_id = u.integration_id ORDER BY l.delivery_id || '' DESC LIMIT 1) l`
	pgLockRows = `SELECT 0, ` + pgFoundColumns + ` FROM unnest($1::text[], $2::text[]) AS u (tenant_id, delivery_id)
		JOIN communications_log l ON l.tenant_id = u.tenant_id AND l.delivery_id = u.delivery_id AND l.delivery_id BETWEEN $3 AND $4
		ORDER BY l.delivery_id FOR UPDATE OF l`
	pgApply = `UPDATE communications_log l SET status = u.next,
		in_flight = CASE WHEN u.next IN ('queued', 'sending', 'uncertain') THEN l.in_flight END, flag = COALESCE(u.flag, l.flag), updated_at = $1,
		sent_at      = CASE WHEN u.seen = 'sent' THEN COALESCE(l.sent_at, u.at) ELSE l.sent_at END,
		delivered_at = CASE WHEN u.seen = 'delivered' THEN LEAST(l.delivered_at, u.at) ELSE l.delivered_at END,
		read_at      = CASE WHEN u.seen = 'read' THEN LEAST(l.read_at, u.at) ELSE l.read_at END,
		ended_at     = CASE WHEN u.flag IS NOT NULL THEN NULL WHEN u.next = 'failed' AND u.seen = 'failed' THEN LEAST(l.ended_at, u.at) ELSE l.ended_at END,
		error_code   = CASE WHEN u.seen = 'failed' AND (u.next = 'failed' OR u.flag IS NOT NULL) THEN u.code
			WHEN u.next IN ('sent', 'delivered', 'read') AND u.flag IS NULL AND l.flag IS NULL THEN NULL ELSE l.error_code END,
		error_reason = CASE WHEN u.seen = 'failed' AND (u.next = 'failed' OR u.flag IS NOT NULL) THEN u.reason
			WHEN u.next IN ('sent', 'delivered', 'read') AND u.flag IS NULL AND l.flag IS NULL THEN NULL ELSE l.error_reason END,
		dead_at      = CASE WHEN u.flag IS NOT NULL THEN NULL ELSE l.dead_at END,
		due_at       = CASE WHEN u.next IN ('queued', 'sending') THEN l.due_at END,
		check_at     = CASE WHEN u.next IN ('sent', 'uncertain', 'sending', 'queued') OR l.message_key IS NULL AND NOT u.keyless THEN l.check_at END
		FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[], $12::boolean[])
		AS u (tenant_id, delivery_id, next, seen, at, flag, code, reason, keyless)
		WHERE l.tenant_id = u.tenant_id AND l.delivery_id = u.delivery_id AND l.delivery_id BETWEEN $10 AND $11`
)

// foldTogether brings the evidence of all calls into the rows, and parks what no row knows. What parks, or brings in what
// is parked, has its integrations' locks.
func foldTogether(t *tx, calls []*foldCall) error {
	var all []*folding
	for _, c := range calls {
		for i := range c.evidence {
			all = append(all, &folding{Evidence: &c.evidence[i]})
		}
	}
	if err := findAll(t, all); err != nil {
		return err
	}
	now := t.now()
	if err := applyAll(t, all, now); err != nil {
		return err
	}
	if err := parkAll(t, all, now); err != nil {
		return err
	}
	for _, c := range calls {
		c.folded = peal.Folded{}
		for range c.evidence {
			c.folded.Moved = append(c.folded.Moved, all[0].folded.Moved...)
			c.folded.Parked = append(c.folded.Parked, all[0].folded.Parked...)
			all = all[1:]
		}
	}
	return nil
}

func scanFound(row scanner, r *foundRow) error {
	return row.Scan(&r.tenantID, &r.deliveryID, &r.status, opt[string]{&r.key}, at{&r.sentAt}, &r.ladder, insteadOf{&r.instead})
}

// findAll looks for every piece's row, as find does.
func findAll(t *tx, all []*folding) error {
	var byDelivery, byKey, byID []int32
	for i, f := range all {
		n := int32(i)
		if f.DeliveryID != "" {
			byDelivery = append(byDelivery, n)
			continue
		}
		if f.MessageKey != "" {
			byKey = append(byKey, n)
		}
		if f.MessageID != "" {
			byID = append(byID, n)
		}
	}
	field := func(numbers []int32, f func(f *folding) string) []string {
		return column(numbers, func(n int32) string { return clean(f(all[n])) })
	}
	tenant := func(f *folding) string { return f.TenantID }
	integration := func(f *folding) string { return f.IntegrationID }
	take := scanAll(scanFound, func(n int, r *foundRow) {
		if !all[n].found { // what the key says goes before what the id says, and is asked first
			all[n].row, all[n].found = *r, true
		}
	})
	b := &pgx.Batch{}
	if len(byDelivery) > 0 {
		b.Queue(pgFindByDelivery, byDelivery, field(byDelivery, tenant),
			field(byDelivery, func(f *folding) string { return f.DeliveryID }), field(byDelivery, integration)).Query(take)
	}
	if len(byKey) > 0 {
		b.Queue(pgFindByKey, byKey, field(byKey, integration), field(byKey, func(f *folding) string { return f.MessageKey })).Query(take)
	}
	if len(byID) > 0 {
		b.Queue(pgFindByID, byID, field(byID, tenant), field(byID, integration),
			field(byID, func(f *folding) string { return f.MessageID })).Query(take)
	}
	return t.send(b)
}

// applyAll takes the locks, and moves the rows that are known.
func applyAll(t *tx, all []*folding, now time.Time) error {
	var known, locking []*folding
	for _, f := range all {
		if f.strange() || f.teaches() {
			locking = append(locking, f)
		}
		if f.found && (f.Status != "" || f.teaches()) {
			known = append(known, f)
		}
	}
	rows := map[rowID]foundRow{}
	b := &pgx.Batch{}
	queueLocks(b, ownLock, column(locking, func(f *folding) string { return f.IntegrationID }))
	for _, f := range known {
		if f.row.ladder {
			t.climbs(f.row.tenantID, f.row.deliveryID)
		}
	}
	t.queueLadderLocks(b)
	if len(known) > 0 {
		ids := slices.SortedFunc(slices.Values(column(known, (*folding).rowID)), func(a, b rowID) int { return strings.Compare(a.id, b.id) })
		ids = slices.Compact(ids)
		names := column(ids, func(r rowID) string { return r.id })
		from, to := span(names)
		b.Queue(pgLockRows, column(ids, func(r rowID) string { return r.tenantID }), names, from, to).Query(
			scanAll(scanFound, func(_ int, r *foundRow) { rows[rowID{r.tenantID, r.deliveryID}] = *r }))
	}
	if err := t.send(b); err != nil {
		return err
	}
	parked, err := teachAll(t, known, rows, now)
	if err != nil {
		return err
	}
	var moves []*folding
	for _, f := range known {
		moves = append(moves, parked[f]...)
		if f.Status != "" {
			moves = append(moves, f)
		}
	}
	b = &pgx.Batch{}
	var events []peal.Event
	for _, round := range rounds(moves, func(f *folding) []rowID { return []rowID{f.rowID()} }) {
		events = append(events, queueApply(b, round, rows, now)...)
	}
	queueEvents(b, events)
	if err := t.send(b); err != nil {
		return err
	}
	for f, ps := range parked {
		for _, p := range ps {
			f.folded.Moved = append(f.folded.Moved, p.folded.Moved...)
		}
	}
	return nil
}

// queueApply queues the moves of as many rows, each by one piece of evidence.
func queueApply(b *pgx.Batch, round []*folding, rows map[rowID]foundRow, now time.Time) (events []peal.Event) {
	type move struct {
		rowID
		*peal.Evidence

		next     peal.Status
		flag     string
		occurred time.Time
	}
	var moves []move
	for _, f := range round {
		id := rowID{f.row.tenantID, f.row.deliveryID}
		row, there := rows[id]
		if !there || row.moot(f.Evidence) {
			continue // it left meanwhile, with its partition; or it has nothing to do with what goes in its place
		}
		m := move{rowID: id, Evidence: f.Evidence, occurred: f.At}
		if m.occurred.IsZero() {
			m.occurred = f.heard
		}
		if m.occurred.IsZero() {
			m.occurred = now
		}
		var flagged bool
		if m.next, flagged = row.status.After(f.Status); flagged {
			m.flag = peal.FlagReceiptAfterEnd
		}
		if m.next != row.status {
			f.folded.Moved = append(f.folded.Moved, peal.Moved{IntegrationID: f.IntegrationID, Status: m.next})
			row.status = m.next
			rows[id] = row
		}
		moves = append(moves, m)
		events = append(events, receiptEvent(id.id, f.Evidence, now))
	}
	if len(moves) == 0 {
		return nil
	}
	slices.SortFunc(moves, func(a, b move) int { return strings.Compare(a.id, b.id) })
	ids := column(moves, func(m move) string { return m.id })
	from, to := span(ids)
	b.Queue(pgApply, now.UnixMicro(), column(moves, func(m move) string { return m.tenantID }), ids,
		column(moves, func(m move) string { return string(m.next) }), column(moves, func(m move) string { return string(m.Status) }),
		column(moves, func(m move) int64 { return m.occurred.UnixMicro() }), column(moves, func(m move) *string { return optText(m.flag) }),
		column(moves, func(m move) *string { return optText(m.Code) }), column(moves, func(m move) *string { return optText(m.Reason) }), from, to,
		column(moves, func(m move) bool { return m.Keyless }))
	return events
}

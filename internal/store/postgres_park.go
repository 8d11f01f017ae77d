package store

import (
	"cmp"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"peal/internal/peal"
)

const (
	pgSetKeys = `UPDATE communications_log l SET message_key = u.message_key,
		check_at = CASE WHEN l.status IN ('sent', 'uncertain') THEN l.check_at END
		FROM unnest($1::text[], $2::text[], $3::text[]) AS u (tenant_id, delivery_id, message_key)
		WHERE l.tenant_id = u.tenant_id AND l.delivery_id = u.delivery_id AND l.delivery_id BETWEEN $4 AND $5`
	pgUnpark = `DELETE FROM unmatched m USING unnest($1::int[], $2::text[], $3::text[]) AS u (n, integration_id, ref)
		WHERE m.integration_id = u.integration_id AND m.ref = u.ref
		RETURNING u.n, m.status, m.code, m.reason, m.occurred_at, m.received_at`
	pgPark = `INSERT INTO unmatched (integration_id, ref, status, code, reason, occurred_at, received_at)
		SELECT u.integration_id, u.ref, u.status, u.code, u.reason, u.occurred_at, $7::bigint
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[]) AS u (integration_id, ref, status, code, reason, occurred_at)
		ON CONFLICT (integration_id, ref, status) DO UPDATE SET
		occurred_at = LEAST(COALESCE(unmatched.occurred_at, unmatched.received_at), COALESCE(excluded.occurred_at, excluded.received_at))`
)

// teachAll tells rows the webhooks' keys, as learnKey does for one, and gives what was parked under them. The rows are
// locked, and so are the integrations.
func teachAll(t *tx, known []*folding, rows map[rowID]foundRow, now time.Time) (map[*folding][]*folding, error) {
	var teachers []*folding
	for _, f := range known {
		row, there := rows[f.rowID()]
		if !there || f.MessageKey == "" || row.key != "" {
			continue
		}
		row.key = f.MessageKey
		rows[f.rowID()] = row
		teachers = append(teachers, f)
	}
	parked := map[*folding][]*folding{}
	if len(teachers) == 0 {
		return parked, nil
	}
	ids := column(teachers, func(f *folding) string { return f.row.deliveryID })
	from, to := span(ids)
	b := &pgx.Batch{}
	b.Queue(pgSetKeys, column(teachers, func(f *folding) string { return f.row.tenantID }), ids,
		column(teachers, func(f *folding) string { return clean(f.MessageKey) }), from, to)
	queueEvents(b, column(teachers, func(f *folding) peal.Event { return keyEvent(f.row.deliveryID, f.MessageKey, now) }))
	numbers := make([]int32, len(teachers))
	for i := range numbers {
		numbers[i] = int32(i)
	}
	b.Queue(pgUnpark, numbers, column(teachers, func(f *folding) string { return f.IntegrationID }),
		column(teachers, func(f *folding) string { return "key:" + clean(f.MessageKey) })).Query(scanAll(scanParked, func(n int, p *folding) {
		f := teachers[n]
		p.IntegrationID, p.row, p.found = f.IntegrationID, f.row, true
		parked[f] = append(parked[f], p)
	}))
	if err := t.send(b); err != nil {
		return nil, err
	}
	for _, ps := range parked {
		slices.SortFunc(ps, func(a, b *folding) int { return cmp.Or(a.heard.Compare(b.heard), cmp.Compare(a.Status, b.Status)) })
	}
	return parked, nil
}

func scanParked(row scanner, p *folding) error {
	p.Evidence = &peal.Evidence{}
	return row.Scan(&p.Status, opt[string]{&p.Code}, opt[string]{&p.Reason}, at{&p.At}, at{&p.heard})
}

// parkAll parks what no row knows, as park does for one. It looks once more: since it has the integrations' locks nobody
// writes an id that it could miss, and this transaction may have just written a key.
func parkAll(t *tx, all []*folding, now time.Time) error {
	strange := slices.DeleteFunc(slices.Clone(all), func(f *folding) bool { return !f.strange() })
	if len(strange) == 0 {
		return nil
	}
	if err := findAll(t, strange); err != nil {
		return err
	}
	var rows []parkedRow
	for _, f := range strange {
		if f.found {
			if err := foldOne(t, &f.folded, f.Evidence, now); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, f.park()...)
	}
	t.parked = nil
	b := &pgx.Batch{}
	type key struct{ integrationID, ref, status string }
	for _, round := range rounds(rows, func(r parkedRow) []key { return []key{{r.integrationID, r.ref, r.status}} }) {
		slices.SortFunc(round, func(a, b parkedRow) int { // in one order for all
			return cmp.Or(cmp.Compare(a.integrationID, b.integrationID), cmp.Compare(a.ref, b.ref), cmp.Compare(a.status, b.status))
		})
		b.Queue(pgPark, column(round, func(r parkedRow) string { return r.integrationID }), column(round, func(r parkedRow) string { return r.ref }),
			column(round, func(r parkedRow) string { return r.status }), column(round, func(r parkedRow) *string { return optText(r.code) }),
			column(round, func(r parkedRow) *string { return optText(r.reason) }), column(round, func(r parkedRow) *int64 { return optMicros(r.at) }),
			now.UnixMicro())
	}
	return t.send(b)
}

// parkedRow is a row of unmatched.
type parkedRow struct {
	integrationID, ref, status, code, reason string
	at                                       time.Time
}

// park gives the rows that keep a piece of evidence; see the function of that name.
func (f *folding) park() (rows []parkedRow) {
	if f.MessageID != "" && f.MessageKey != "" {
		rows = append(rows, parkedRow{integrationID: f.IntegrationID, ref: "id:" + clean(f.MessageID), code: f.MessageKey})
	}
	ref := "key:" + clean(f.MessageKey)
	if f.MessageKey == "" {
		ref = "id:" + clean(f.MessageID)
	}
	if f.Status == "" || ref == "id:" {
		return rows
	}
	f.folded.Parked = append(f.folded.Parked, f.IntegrationID)
	return append(rows, parkedRow{f.IntegrationID, ref, string(f.Status), f.Code, f.Reason, f.At})
}

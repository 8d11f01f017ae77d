package store

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// rowID names a delivery's row.
type rowID struct{ tenantID, id string }

// What an attempt may change, as the statements for one row have it, for many.
const (
	pgAttempts = ` FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[],
		$9::bigint[], $10::smallint[], $11::bigint[], $14::bigint[])
		AS u (tenant_id, delivery_id, at, message_id, code, reason, check_at, used, due_at, put_back, dead_at, number)
		WHERE l.tenant_id = u.tenant_id AND l.delivery_id = u.delivery_id AND l.delivery_id BETWEEN $12 AND $13`
	pgOpen = ` AND l.status IN ('sending', 'queued')`
	pgOwn  = ` AND ((l.status IN ('sending', 'queued') AND l.attempts <= u.number)
		OR (l.status = 'uncertain' AND l.error_code = 'interrupted' AND l.attempts = u.number))`
	pgRecordSent = `UPDATE communications_log l SET
		status = CASE WHEN l.in_flight = 1 THEN 'sent' ELSE l.status END, in_flight = NULL,
		message_id = u.message_id, sent_at = COALESCE(l.sent_at, u.at), updated_at = u.at, due_at = NULL,
		error_code = CASE WHEN l.status NOT IN ('sending', 'queued', 'uncertain') THEN l.error_code END,
		error_reason = CASE WHEN l.status NOT IN ('sending', 'queued', 'uncertain') THEN l.error_reason END,
		check_at = CASE WHEN l.in_flight = 1 OR l.status = 'sent' OR l.message_key IS NULL THEN u.check_at END` + pgAttempts
	pgRecordRetry = `UPDATE communications_log l SET status = 'queued', attempts = LEAST(l.attempts, u.used), due_at = u.due_at,
		put_back = u.put_back,
		error_code = CASE WHEN l.status <> 'uncertain' THEN COALESCE(u.code, l.error_code) ELSE u.code END,
		error_reason = CASE WHEN l.status <> 'uncertain' THEN COALESCE(u.reason, l.error_reason) ELSE u.reason END,
		check_at = CASE WHEN l.status <> 'uncertain' THEN l.check_at END, updated_at = u.at` + pgAttempts + pgOwn
	pgRecordFailed = `UPDATE communications_log l SET status = 'failed', in_flight = NULL, error_code = u.code, error_reason = u.reason,
		dead_at = u.dead_at, check_at = CASE WHEN l.status <> 'uncertain' THEN l.check_at END, ended_at = u.at, updated_at = u.at,
		due_at = NULL` + pgAttempts + pgOwn
	pgRecordUncertain = `UPDATE communications_log l SET status = 'uncertain', error_code = u.code, error_reason = u.reason,
		check_at = u.check_at, updated_at = u.at, due_at = NULL` + pgAttempts + pgOpen + ` AND l.attempts <= u.number`
	pgRecordExpired = `UPDATE communications_log l SET status = 'expired', in_flight = NULL, error_code = COALESCE(l.error_code, 'expired'),
		error_reason = COALESCE(l.error_reason, 'it was not sent before its time was over'), ended_at = u.at, updated_at = u.at,
		due_at = NULL, put_back = NULL` + pgAttempts + pgOpen
	pgRecordSkipped = `UPDATE communications_log l SET status = 'skipped', in_flight = NULL, error_code = u.code, error_reason = u.reason,
		attempts = LEAST(l.attempts, u.used), ended_at = u.at, updated_at = u.at, due_at = NULL, put_back = NULL` + pgAttempts + pgOpen
	//nolint:unqueryvet // the arrays are the columns
	pgPutEvents = `INSERT INTO delivery_events (delivery_id, mark, at, type, status, attempt, class, code, detail, took_us, occurred_at,
		waited_us, waited_for) SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[],
		$9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[]) ON CONFLICT DO NOTHING`
	pgParkedOf = `SELECT u.n FROM unnest($1::int[], $2::text[], $3::text[]) AS u (n, integration_id, ref)
		WHERE EXISTS (SELECT 1 FROM unmatched m WHERE m.integration_id = u.integration_id AND m.ref = u.ref)`
)

// recordTogether writes the attempts of all calls. Several of one delivery are written one after the other.
func recordTogether(t *tx, calls []*recordCall) error {
	var all []*peal.Attempt
	of := map[*peal.Attempt]*recordCall{}
	for _, c := range calls {
		c.folded = peal.Folded{}
		for i := range c.attempts {
			a := &c.attempts[i]
			if recordSQL(a.Next) == "" {
				return fmt.Errorf("an attempt cannot end as %q", a.Next)
			}
			all, of[a] = append(all, a), c
		}
	}
	if len(all) == 0 {
		return nil
	}
	sent := slices.DeleteFunc(slices.Clone(all), func(a *peal.Attempt) bool { return a.Next != peal.Sent || a.Outcome.MessageID == "" })
	b := &pgx.Batch{}
	queueLocks(b, sharedLock, column(sent, func(a *peal.Attempt) string { return a.IntegrationID }))
	for _, a := range all {
		if climbsBy(a) {
			t.climbs(a.TenantID, a.DeliveryID)
		}
	}
	t.queueLadderLocks(b)
	for _, round := range rounds(all, func(a *peal.Attempt) []rowID { return []rowID{{a.TenantID, a.DeliveryID}} }) {
		queueRound(b, round)
	}
	var events []peal.Event
	for _, a := range all {
		if tells(a) {
			events = append(events, attemptEvent(a))
		}
	}
	queueEvents(b, events)
	var matches []*peal.Attempt // those that evidence waits for
	queueParkedOf(b, sent, func(n int) { matches = append(matches, sent[n]) })
	if err := t.send(b); err != nil {
		return err
	}
	for _, a := range matches {
		if err := matchParked(t, &of[a].folded, a.IntegrationID, "id:"+clean(a.Outcome.MessageID), a.TenantID, a.DeliveryID, a.At); err != nil {
			return err
		}
	}
	return nil
}

// recordSQL is the statement of how an attempt ended; empty when it cannot end so.
func recordSQL(next peal.Status) string {
	switch next {
	case peal.Sent:
		return pgRecordSent
	case peal.Queued:
		return pgRecordRetry
	case peal.Failed:
		return pgRecordFailed
	case peal.Uncertain:
		return pgRecordUncertain
	case peal.Expired:
		return pgRecordExpired
	case peal.Skipped:
		return pgRecordSkipped
	default:
		return ""
	}
}

// queueRound queues the statements of attempts of as many deliveries.
func queueRound(b *pgx.Batch, round []*peal.Attempt) {
	slices.SortStableFunc(round, func(a, b *peal.Attempt) int {
		return cmp.Or(cmp.Compare(a.Next, b.Next), cmp.Compare(a.DeliveryID, b.DeliveryID))
	})
	for len(round) > 0 {
		n := slices.IndexFunc(round, func(a *peal.Attempt) bool { return a.Next != round[0].Next })
		if n < 0 {
			n = len(round)
		}
		b.Queue(recordSQL(round[0].Next), attemptArgs(round[:n])...)
		round = round[n:]
	}
}

// attemptArgs are the arguments of pgAttempts.
func attemptArgs(as []*peal.Attempt) []any {
	ids := column(as, func(a *peal.Attempt) string { return a.DeliveryID })
	from, to := span(ids)
	return []any{
		column(as, func(a *peal.Attempt) string { return a.TenantID }), ids,
		column(as, func(a *peal.Attempt) int64 { return a.At.UnixMicro() }),
		column(as, func(a *peal.Attempt) *string { return optText(a.Outcome.MessageID) }),
		column(as, func(a *peal.Attempt) *string { return optText(a.Outcome.Code) }),
		column(as, func(a *peal.Attempt) *string { return optText(a.Outcome.Reason) }),
		column(as, func(a *peal.Attempt) *int64 { return optMicros(a.Check) }),
		column(as, func(a *peal.Attempt) int64 { return int64(usedUp(a)) }),
		column(as, func(a *peal.Attempt) *int64 { return optMicros(a.Due) }),
		column(as, func(a *peal.Attempt) *int16 { return oneOrNil(putsBack(a)) }),
		column(as, func(a *peal.Attempt) *int64 {
			if !a.Dead {
				return nil
			}
			return optMicros(a.At)
		}), from, to, column(as, func(a *peal.Attempt) int64 { return int64(a.Number) }),
	}
}

// queueEvents queues the writing of events; those that stand already are passed over.
func queueEvents(b *pgx.Batch, es []peal.Event) {
	if len(es) == 0 {
		return
	}
	slices.SortStableFunc(es, func(a, b peal.Event) int { return strings.Compare(a.DeliveryID, b.DeliveryID) })
	positive := func(f func(e peal.Event) int64) []*int64 {
		return column(es, func(e peal.Event) *int64 {
			if n := f(e); n > 0 {
				return &n
			}
			return nil
		})
	}
	b.Queue(pgPutEvents,
		column(es, func(e peal.Event) string { return e.DeliveryID }),
		column(es, func(e peal.Event) string { return markOf(&e) }),
		column(es, func(e peal.Event) int64 { return e.At.UnixMicro() }),
		column(es, func(e peal.Event) string { return string(e.Type) }),
		column(es, func(e peal.Event) *string { return optText(e.Status) }),
		positive(func(e peal.Event) int64 { return int64(e.Attempt) }),
		column(es, func(e peal.Event) *string { return optText(e.Class) }),
		column(es, func(e peal.Event) *string { return optText(e.Code) }),
		column(es, func(e peal.Event) *string { return optText(e.Detail) }),
		positive(func(e peal.Event) int64 { return e.Took.Microseconds() }),
		column(es, func(e peal.Event) *int64 { return optMicros(e.OccurredAt) }),
		positive(func(e peal.Event) int64 { return e.Waited.Microseconds() }),
		column(es, func(e peal.Event) *string { return optText(e.WaitedFor) }))
}

// queueParkedOf asks which of the sent ones have evidence parked under the provider's id.
func queueParkedOf(b *pgx.Batch, sent []*peal.Attempt, found func(n int)) {
	if len(sent) == 0 {
		return
	}
	numbers := make([]int32, len(sent))
	for i := range numbers {
		numbers[i] = int32(i)
	}
	b.Queue(pgParkedOf, numbers,
		column(sent, func(a *peal.Attempt) string { return a.IntegrationID }),
		column(sent, func(a *peal.Attempt) string { return "id:" + clean(a.Outcome.MessageID) })).Query(
		scanAll(func(row scanner, _ *struct{}) error { return row.Scan() }, func(n int, _ *struct{}) { found(n) }))
}

// queueLocks queues the taking of integrations' locks, in one order for all; see sharedLock.
func queueLocks(b *pgx.Batch, lock string, integrations []string) {
	keys := column(integrations, lockKey)
	slices.Sort(keys)
	for _, k := range slices.Compact(keys) {
		b.Queue(lock, k)
	}
}

// lockKey is the number that PostgreSQL's advisory locks have instead of a name.
func lockKey(integrationID string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("peal evidence of " + integrationID)) // never fails
	return int64(h.Sum64())                                     //nolint:gosec // any number will do
}

// expireCall is one call of Expire.
type expireCall struct {
	rows    []peal.Delivery
	expired int64
}

// callRow is a row with the call that names it.
type callRow struct {
	call int
	rowID
}

// expiredRow is a row that has expired.
type expiredRow struct {
	rowID

	ladder bool
}

const pgExpire = `UPDATE communications_log l SET status = 'expired', in_flight = NULL, error_code = COALESCE(l.error_code, 'expired'),
	error_reason = COALESCE(l.error_reason, 'it was not sent before its time was over'), ended_at = $1, updated_at = $1,
	due_at = NULL, put_back = NULL FROM unnest($2::int[], $3::text[], $4::text[]) AS u (n, tenant_id, delivery_id)
	WHERE l.tenant_id = u.tenant_id AND l.delivery_id = u.delivery_id AND l.delivery_id BETWEEN $5 AND $6
	AND l.expires_at <= $1 AND l.status = 'queued' RETURNING u.n, l.tenant_id, l.delivery_id, l.rung IS NOT NULL`

// expireTogether ends for all calls what has expired.
func expireTogether(t *tx, calls []*expireCall) error {
	var all []callRow
	seen := map[rowID]bool{}
	for n, c := range calls {
		c.expired = 0
		for i := range c.rows {
			if id := (rowID{c.rows[i].TenantID, c.rows[i].ID}); !seen[id] {
				seen[id] = true
				all = append(all, callRow{n, id})
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	now := t.now()
	var events []peal.Event
	slices.SortFunc(all, func(a, b callRow) int { return strings.Compare(a.id, b.id) })
	ids := column(all, func(r callRow) string { return r.id })
	from, to := span(ids)
	b := &pgx.Batch{}
	b.Queue(pgExpire, now.UnixMicro(), column(all, func(r callRow) int32 { return int32(r.call) }), //nolint:gosec // bounded by maxOpsPerCommit
		column(all, func(r callRow) string { return r.tenantID }), ids, from, to).Query(
		scanAll(func(row scanner, e *expiredRow) error { return row.Scan(&e.tenantID, &e.id, &e.ladder) }, func(n int, e *expiredRow) {
			calls[n].expired++
			if e.ladder {
				t.climbs(e.tenantID, e.id)
			}
			events = append(events, peal.Event{DeliveryID: e.id, At: now, Type: peal.EventExpired, Status: peal.Expired})
		}))
	if err := t.send(b); err != nil {
		return err
	}
	b = &pgx.Batch{}
	queueEvents(b, events)
	return t.send(b)
}

const pgSetChecks = `UPDATE communications_log l SET check_at = u.check_at FROM unnest($1::text[], $2::text[], $3::bigint[])
	AS u (tenant_id, delivery_id, check_at) WHERE l.tenant_id = u.tenant_id AND l.delivery_id = u.delivery_id
	AND l.delivery_id BETWEEN $4 AND $5 AND l.check_at IS NOT NULL`

// checksTogether moves the look-ups of all calls; of one that is named twice the last word stands.
func checksTogether(t *tx, calls [][]pipeline.Unkeyed) error {
	last := map[rowID]time.Time{}
	for _, rows := range calls {
		for i := range rows {
			last[rowID{rows[i].TenantID, rows[i].DeliveryID}] = rows[i].CheckAt
		}
	}
	if len(last) == 0 {
		return nil
	}
	all := make([]rowID, 0, len(last))
	for id := range last {
		all = append(all, id)
	}
	slices.SortFunc(all, func(a, b rowID) int { return strings.Compare(a.id, b.id) })
	ids := column(all, func(r rowID) string { return r.id })
	from, to := span(ids)
	b := &pgx.Batch{}
	b.Queue(pgSetChecks, column(all, func(r rowID) string { return r.tenantID }), ids,
		column(all, func(r rowID) *int64 { return optMicros(last[r]) }), from, to)
	return t.send(b)
}

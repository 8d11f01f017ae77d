package store

import (
	"cmp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// claimCall is one call of Claim.
type claimCall struct {
	in      *peal.Integration
	ids     []string
	status  peal.Status // of what is claimed
	claimed pipeline.Claimed
}

// wanted is a delivery that a call asks for.
type wanted struct {
	call int
	id   string
}

const (
	pgWanted = ` FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[]) AS u (n, tenant_id, delivery_id, integration_id, status) `
	pgThese  = `l.tenant_id = u.tenant_id AND l.delivery_id = u.delivery_id AND l.integration_id = u.integration_id
		AND l.delivery_id BETWEEN $6 AND $7`
	pgClaim = `UPDATE communications_log l SET status = CASE WHEN l.rung IS NULL THEN u.status ELSE 'sending' END, attempts = l.attempts + 1, updated_at = $8, put_back = NULL` + pgWanted + `
		WHERE ` + pgThese + ` AND l.status = 'queued' AND (l.due_at IS NULL OR l.due_at <= $8) AND (l.expires_at IS NULL OR l.expires_at > $8)
		RETURNING u.n, l.delivery_id, l.recipient, l.user_id, l.payload, l.priority, l.attempts, l.round, l.created_at,
		CASE WHEN l.due_at IS NOT NULL OR l.attempts > 1 THEN (SELECT n.send_at FROM notifications n
			WHERE n.tenant_id = l.tenant_id AND n.notification_id = l.notification_id) END, l.expires_at,
		l.due_at, l.error_code, l.rung, l.unless, l.rung_at`
)

// claimTogether claims for all calls. Those that ask for the same deliveries have their turns, as they would alone.
func claimTogether(t *tx, calls []*claimCall) error {
	for _, c := range calls {
		c.claimed = pipeline.Claimed{}
	}
	type key struct{ integrationID, id string }
	for _, round := range rounds(calls, func(c *claimCall) []key {
		return column(c.ids, func(id string) key { return key{c.in.ID, id} })
	}) {
		if err := claimRound(t, round); err != nil {
			return err
		}
	}
	return nil
}

func claimRound(t *tx, calls []*claimCall) error {
	var asked []wanted
	for n, c := range calls {
		for _, id := range c.ids {
			asked = append(asked, wanted{n, id})
		}
	}
	if len(asked) == 0 {
		return nil
	}
	now := t.now()
	ready := map[wanted]bool{}
	b := &pgx.Batch{}
	b.Queue(pgClaim, append(wantedArgs(calls, asked), now.UnixMicro())...).Query(scanAll(scanClaimed, func(n int, d *peal.Delivery) {
		c := calls[n]
		d.TenantID, d.IntegrationID, d.Channel, d.UpdatedAt = c.in.TenantID, c.in.ID, c.in.Channel, now
		if d.Status = c.status; d.Rung != nil {
			d.Status = peal.Sending
		}
		c.claimed.Ready = append(c.claimed.Ready, *d)
		ready[wanted{n, d.ID}] = true
	}))
	if err := t.send(b); err != nil {
		return err
	}
	for _, c := range calls {
		if err := tellTurns(t, c.claimed.Ready, now); err != nil {
			return err
		}
	}
	asked = slices.DeleteFunc(asked, func(w wanted) bool { return ready[w] })
	if err := readRest(t, calls, asked); err != nil {
		return err
	}
	for _, c := range calls {
		byID(c.claimed.Ready)
		byID(c.claimed.Rest)
	}
	return nil
}

func byID(ds []peal.Delivery) {
	slices.SortFunc(ds, func(a, b peal.Delivery) int { return strings.Compare(a.ID, b.ID) })
}

// readRest reads what could not be claimed.
func readRest(t *tx, calls []*claimCall, rest []wanted) error {
	if len(rest) == 0 {
		return nil
	}
	columns := "l." + strings.ReplaceAll(strings.Join(strings.Fields(deliveryColumns), " "), ", ", ", l.")
	b := &pgx.Batch{}
	b.Queue(`SELECT u.n, `+columns+pgWanted+`JOIN communications_log l ON `+pgThese, wantedArgs(calls, rest)...).Query(
		scanAll(scanDelivery, func(n int, d *peal.Delivery) { calls[n].claimed.Rest = append(calls[n].claimed.Rest, *d) }))
	return t.send(b)
}

// wantedArgs are the arguments of pgWanted and pgThese, by id: everybody locks rows in that order.
func wantedArgs(calls []*claimCall, asked []wanted) []any {
	slices.SortFunc(asked, func(a, b wanted) int { return cmp.Compare(a.id, b.id) })
	ids := column(asked, func(w wanted) string { return w.id })
	from, to := span(ids)
	return []any{
		column(asked, func(w wanted) int32 { return int32(w.call) }), //nolint:gosec // bounded by maxOpsPerCommit
		column(asked, func(w wanted) string { return calls[w.call].in.TenantID }), ids,
		column(asked, func(w wanted) string { return calls[w.call].in.ID }),
		column(asked, func(w wanted) string { return string(calls[w.call].status) }), from, to,
	}
}

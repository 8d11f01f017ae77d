package audit

import (
	"context"
	"fmt"
	"slices"
	"time"

	"peal/internal/peal"
)

const maxHours = 24 // of a stretch, unless there is nothing in them

// stretch is what is audited in one go: some hours of a tenant, or a part of an hour that has too many rows.
type stretch struct {
	tenantID string
	span     peal.Span
	was      []peal.Difference // at the first look
}

// pack cuts a tenant's hours into stretches of about as many rows as may be read at once.
func (a *Auditor) pack(ctx context.Context, tenantID string, from, to int64) ([]stretch, error) {
	counts, err := a.cfg.Records.AcceptedHours(ctx, tenantID, from, to)
	if err != nil {
		return nil, err
	}
	rows := map[int64]int64{}
	for _, c := range counts {
		rows[c.Hour] = max(c.Deliveries, c.Notifications)
	}
	var all []stretch
	var sum int64
	begin := from
	cut := func(at int64) {
		if at > begin {
			all = append(all, stretch{tenantID: tenantID, span: peal.HourSpan(begin, at)})
		}
		begin, sum = at, 0
	}
	for h := from; h < to; h++ {
		n := rows[h]
		if sum+n > a.cfg.MaxRows || (sum > 0 && h-begin >= maxHours) {
			cut(h)
		}
		if n > a.cfg.MaxRows {
			for _, sp := range parts(h, n/a.cfg.MaxRows+1) {
				all = append(all, stretch{tenantID: tenantID, span: sp})
			}
			begin = h + 1
			continue
		}
		sum += n
	}
	cut(to)
	return all, nil
}

// parts cuts an hour into so many of the same length, and adds the hour as a whole, to be counted only.
func parts(hour, n int64) []peal.Span {
	n = min(n, 3600)
	start := time.Unix(hour*3600, 0)
	all := make([]peal.Span, n, n+1)
	for i := range n {
		at := func(i int64) string { return peal.FirstID(start.Add(time.Duration(i) * time.Hour / time.Duration(n))) }
		all[i] = peal.Span{FromHour: hour, ToHour: hour + 1, From: at(i), To: at(i + 1), Part: true}
	}
	whole := peal.HourSpan(hour, hour+1)
	whole.CountOnly = true
	return append(all, whole)
}

// firstLook audits a stretch. What it finds is for the second look, so the stretch is added to the doubts then.
func (a *Auditor) firstLook(ctx context.Context, st stretch, doubts *[]stretch) (peal.Tally, error) {
	t, found, err := a.look(ctx, &st)
	if err != nil {
		return t, err
	}
	if len(found) == 0 {
		a.note(&st, nil)
		return t, nil
	}
	st.was = found
	*doubts = append(*doubts, st)
	return t, nil
}

// secondLook audits doubtful stretches again, a moment later, and gives what was found both times.
func (a *Auditor) secondLook(ctx context.Context, doubts []stretch) (sure []peal.Difference, err error) {
	if len(doubts) == 0 {
		return nil, nil
	}
	if !sleep(ctx, a.cfg.Confirm) {
		return nil, ctx.Err()
	}
	for i := range doubts {
		st := &doubts[i]
		_, found, err := a.look(ctx, st)
		if err != nil {
			return sure, err
		}
		first := map[key]bool{}
		for i := range st.was {
			first[keyOf(&st.was[i])] = true
		}
		var both []peal.Difference
		for i := range found {
			if first[keyOf(&found[i])] {
				both = append(both, found[i])
			}
		}
		a.note(st, both)
		sure = append(sure, both...)
	}
	return sure, nil
}

// look audits a stretch once. Retention may have come between: what was let go is no difference.
func (a *Auditor) look(ctx context.Context, st *stretch) (peal.Tally, []peal.Difference, error) {
	t, found, err := a.compare(ctx, st)
	if err != nil || len(found) == 0 {
		return t, found, err
	}
	whole, err := a.wholeFrom(ctx)
	return t, slices.DeleteFunc(found, func(d peal.Difference) bool { return d.Hour < whole }), err
}

func (a *Auditor) compare(ctx context.Context, st *stretch) (peal.Tally, []peal.Difference, error) {
	t, err := a.cfg.Records.AuditTally(ctx, st.tenantID, st.span)
	if err != nil {
		return t, nil, err
	}
	found, err := a.cfg.Records.AuditRows(ctx, st.tenantID, st.span, &t, limit)
	if err != nil || st.span.Part || t.Balanced() {
		return t, found, err
	}
	hours, err := a.which(ctx, &t, st.span.FromHour, st.span.ToHour)
	return t, append(found, hours...), err
}

// which finds the hours that are not balanced in a stretch that is not, by halves.
func (a *Auditor) which(ctx context.Context, t *peal.Tally, from, to int64) (found []peal.Difference, err error) {
	if t.Balanced() {
		return nil, nil
	}
	if to-from == 1 {
		return unbalanced(t, from), nil
	}
	middle := from + (to-from)/2
	for _, half := range [][2]int64{{from, middle}, {middle, to}} {
		sp := peal.HourSpan(half[0], half[1])
		sp.CountOnly = true
		of, err := a.cfg.Records.AuditTally(ctx, t.TenantID, sp)
		if err != nil {
			return found, err
		}
		some, err := a.which(ctx, &of, half[0], half[1])
		if found = append(found, some...); err != nil {
			return found, err
		}
	}
	return found, nil
}

// unbalanced says where an hour has not as many rows as were counted.
func unbalanced(t *peal.Tally, hour int64) (found []peal.Difference) {
	add := func(kind peal.DifferenceKind, counted, rows int64) {
		if counted != rows {
			found = append(found, peal.Difference{
				Kind: kind, TenantID: t.TenantID, ID: peal.HourName(hour), Hour: hour,
				Detail: fmt.Sprintf("%d were counted as they were accepted, %d are there", counted, rows),
			})
		}
	}
	add(peal.DiffNotifications, t.Notifications, t.NotificationRows)
	if t.Uncounted == 0 {
		add(peal.DiffDeliveries, t.Deliveries, t.DeliveryRows)
	}
	return found
}

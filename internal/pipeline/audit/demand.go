package audit

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

const (
	maxReport = 1000 // differences that a call names
	ahead     = 24   // hours after this one that are looked at, too: another node's clock may have jumped
)

// Request says what to audit.
type Request struct {
	TenantID string    // empty for all
	Since    time.Time // zero for everything
	Cursor   string    // of the report before; empty to begin
}

// Report is what a call has come to.
type Report struct {
	Tenants     []peal.Tally // what the call has read of each
	Differences []peal.Difference
	Count       int    // of all differences, of which a thousand are named
	Cursor      string // to go on with; empty when all is done
}

// place is where a call goes on: in a tenant's hours, and after the last of them in the jobs.
type place struct {
	TenantID string          `json:"tenant,omitempty"`
	Hour     int64           `json:"hour,omitempty"`
	Done     int             `json:"done,omitempty"` // of the stretches from there on
	Jobs     *pipeline.Place `json:"jobs,omitempty"`
}

func (p *place) encode() string {
	b, err := json.Marshal(p)
	if err != nil {
		return "" // texts and a number always marshal
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func decode(cursor string) (p place, err error) {
	if cursor == "" {
		return p, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil {
		return p, &peal.Error{
			Kind: peal.Invalid, Message: "the request is not right",
			Fields: []peal.Field{{Path: "cursor", Code: "invalid", Message: "give the cursor of the answer before, or none to begin"}},
		}
	}
	return p, nil
}

// Audit audits for some seconds: first the hours of each tenant, then what is in flight. Call it again with the cursor
// until there is none.
func (a *Auditor) Audit(ctx context.Context, req Request) (*Report, error) {
	at, err := decode(req.Cursor)
	if err != nil {
		return nil, err
	}
	if !a.busy.TryLock() {
		return nil, peal.Errorf(peal.Overloaded, "an audit is being made already")
	}
	defer a.busy.Unlock()
	r, end := &Report{}, time.Now().Add(a.cfg.Within)
	if at.Jobs == nil {
		next, err := a.hours(ctx, &req, at, end, r)
		if err != nil {
			return nil, err
		}
		if next != nil {
			r.Cursor = next.encode()
			return r, nil
		}
		at.Jobs = &pipeline.Place{}
	}
	found, next, err := a.cfg.Jobs.Check(ctx, req.TenantID, *at.Jobs, max(time.Until(end), time.Second))
	if err != nil {
		return nil, err
	}
	r.add(found)
	if next != nil {
		r.Cursor = (&place{Jobs: next}).encode()
	}
	return r, nil
}

// hours audits tenant by tenant until the time is over; then it tells where to go on.
func (a *Auditor) hours(ctx context.Context, req *Request, at place, end time.Time, r *Report) (next *place, err error) {
	tenants, err := a.tenants(ctx, req.TenantID)
	if err != nil {
		return nil, err
	}
	var doubts []stretch
all:
	for i := range tenants {
		id := tenants[i].ID
		if id < at.TenantID {
			continue
		}
		begin, done, err := a.begin(ctx, req, &tenants[i], at)
		if err != nil {
			return nil, err
		}
		some, err := a.pack(ctx, id, begin, a.hour()+1+ahead)
		if err != nil {
			return nil, err
		}
		for i, st := range some[min(done, len(some)):] {
			if len(r.Tenants) > 0 && time.Now().After(end) { // each call does something
				next = &place{TenantID: id, Hour: begin, Done: done + i}
				if i > 0 && st.span.FromHour > some[done+i-1].span.FromHour {
					next = &place{TenantID: id, Hour: st.span.FromHour}
				}
				break all
			}
			t, err := a.firstLook(ctx, st, &doubts)
			if err != nil {
				return nil, err
			}
			if st.span.CountOnly { // its rows were those of the parts
				t.NotificationRows, t.DeliveryRows, t.Uncounted = 0, 0, 0
			}
			r.tally(&t)
		}
	}
	sure, err := a.secondLook(ctx, doubts)
	r.add(sure)
	return next, err
}

// begin is the hour of a tenant at which a call begins, and how many stretches from there on are done.
func (a *Auditor) begin(ctx context.Context, req *Request, t *peal.Tenant, at place) (hour int64, done int, err error) {
	hour, err = a.oldest(ctx, t)
	if !req.Since.IsZero() {
		hour = max(hour, req.Since.Unix()/3600)
	}
	if t.ID == at.TenantID && at.Hour >= hour { // else retention has gone beyond it
		hour, done = at.Hour, at.Done
	}
	return hour, done, err
}

// tenants gives them in the order of their ids: one that is there, or all.
func (a *Auditor) tenants(ctx context.Context, only string) ([]peal.Tenant, error) {
	all, err := a.cfg.Records.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	if only != "" {
		all = slices.DeleteFunc(all, func(t peal.Tenant) bool { return t.ID != only })
		if len(all) == 0 {
			return nil, peal.Errorf(peal.NotFound, "there is no tenant %q", only)
		}
	}
	slices.SortFunc(all, func(a, b peal.Tenant) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

func (r *Report) tally(t *peal.Tally) {
	if n := len(r.Tenants); n > 0 && r.Tenants[n-1].TenantID == t.TenantID {
		r.Tenants[n-1].Add(t)
		return
	}
	r.Tenants = append(r.Tenants, *t)
}

func (r *Report) add(found []peal.Difference) {
	slices.SortFunc(found, func(a, b peal.Difference) int {
		return cmp.Or(strings.Compare(a.TenantID, b.TenantID), cmp.Compare(a.Hour, b.Hour), strings.Compare(a.ID, b.ID))
	})
	r.Count += len(found)
	r.Differences = append(r.Differences, found[:min(len(found), maxReport-min(len(r.Differences), maxReport))]...)
}

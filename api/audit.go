package api

import "time"

// AuditRequest is the body of POST /v1/audit.
type AuditRequest struct {
	Tenant string     `json:"tenant,omitempty" maxLength:"64" doc:"Only this one; all when absent"`
	Since  *time.Time `json:"since,omitempty" doc:"Only what was accepted in that hour or later; everything when absent. What is in flight is always looked at"`
	Cursor string     `json:"cursor,omitempty" maxLength:"512" doc:"next_cursor of the answer before, with the same tenant and since"`
}

// AuditReport is the answer of POST /v1/audit. The numbers are those of the hours that this call has read: with a
// next_cursor there are more, and the sums are the caller's to make.
type AuditReport struct {
	Tenants         []AuditTenant     `json:"tenants"`
	Differences     []AuditDifference `json:"differences" doc:"At most 1000 of each call"`
	DifferenceCount int               `json:"difference_count" doc:"0 when everything agrees"`
	NextCursor      string            `json:"next_cursor,omitempty" doc:"Call again with it; absent when all is audited"`
}

// AuditTenant is what a tenant's records come to.
type AuditTenant struct {
	Tenant        string           `json:"tenant"`
	Notifications int64            `json:"notifications" doc:"Counted as they were accepted"`
	Deliveries    int64            `json:"deliveries" doc:"Counted as they were accepted"`
	InFlight      int64            `json:"in_flight" doc:"Rows that are queued, sending or uncertain"`
	Ended         int64            `json:"ended" doc:"Rows in any other status"`
	ByStatus      map[string]int64 `json:"by_status" doc:"Rows by status"`
}

// AuditDifference is one thing that does not agree.
type AuditDifference struct {
	Kind   string `json:"kind" enum:"notifications,deliveries,plan,orphan,vanished,state,stuck,job"`
	Tenant string `json:"tenant"`
	ID     string `json:"id" doc:"Of a delivery or notification; of a count the hour, as 2026-01-31T15"`
	Detail string `json:"detail"`
}

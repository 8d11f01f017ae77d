package fill

import "time"

// The log reaches back so far, which is within the time that Peal keeps it by default.
const span = 60 * 24 * time.Hour

const (
	integrationOf = `SELECT integration_id FROM integrations WHERE tenant_id = $1 AND name = 'bench'`
	// What is measured is what many rows cost, not what a tenant may.
	noBounds = `UPDATE tenants SET max_queued = 100000000, max_rate = 1000000 WHERE tenant_id = $1`
)

func plan(tenant string, rows int) *Plan {
	to := time.Now().Add(-10 * time.Minute) // ids of what is sent later are greater
	return &Plan{Rows: rows, Tenant: tenant, From: to.Add(-span), To: to}
}

type table struct {
	name    string
	columns []string
}

// tables are in the order of a row's parts.
func tables() [3]table {
	return [3]table{{"notifications", notificationColumns()}, {"communications_log", deliveryColumns()}, {"delivery_events", eventColumns()}}
}

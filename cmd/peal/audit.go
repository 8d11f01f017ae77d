package main

import (
	"context"
	"log/slog"
	"strconv"
	"strings"

	"peal/api"
	"peal/internal/app"
)

// AuditCmd is `peal audit`.
type AuditCmd struct {
	Since when `name:"since" placeholder:"TIME" help:"Only what was accepted since then, or so long ago: 2026-01-31, 24h. What is in flight is always looked at."`

	Data string `name:"data" placeholder:"DIR" help:"Data folder of a server that does not run. Without it the running server is asked."`

	Conn `embed:"" group:"conn"`
}

// Help tells of the exit code, and gives examples.
func (AuditCmd) Help() string {
	return "It holds what was accepted against what has ended and what is in flight, of all tenants or of one, and names what does not " +
		"agree. A job that is missing is put back. It needs the operator key. With --data it reads the folder itself, and leaves out the jobs.\n\n" +
		"The exit code is 0 when everything agrees, and 1 when there are differences or the audit failed.\n\n" +
		"Examples:\n\n  PEAL_API_KEY=$PEAL_OPERATOR_KEY peal audit\n  peal audit --tenant acme --since 24h --json\n  peal audit --data peal-data"
}

// Run audits.
func (c *AuditCmd) Run(ctx context.Context, t *term) error {
	report, err := c.report(ctx, t)
	if err != nil {
		return err
	}
	if c.JSON {
		err = t.json(report)
	} else {
		err = t.audit(report)
	}
	if err == nil && report.DifferenceCount > 0 {
		return errReported
	}
	return err
}

func (c *AuditCmd) report(ctx context.Context, t *term) (*api.AuditReport, error) {
	since := c.Since.ago(t.now())
	if c.Data != "" {
		log := slog.New(slog.NewTextHandler(t.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
		report, err := app.AuditFolder(ctx, c.Data, c.Tenant, since, log)
		return &report, err
	}
	cl, err := c.client()
	if err != nil {
		return nil, err
	}
	return cl.Audit(ctx, api.AuditRequest{Tenant: c.Tenant, Since: orNil(since)})
}

// audit prints a line for each tenant, and the differences below.
func (t *term) audit(r *api.AuditReport) error {
	ends := []string{"sent", "delivered", "read", "failed", "skipped", "canceled", "expired"}
	head := []string{"TENANT", "NOTIFICATIONS", "DELIVERIES", "IN FLIGHT"}
	for _, status := range ends {
		head = append(head, strings.ToUpper(status))
	}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	rows := make([][]string, len(r.Tenants))
	for i, of := range r.Tenants {
		rows[i] = []string{of.Tenant, number(of.Notifications), number(of.Deliveries), number(of.InFlight)}
		for _, status := range ends {
			rows[i] = append(rows[i], number(of.ByStatus[status]))
		}
	}
	if err := t.table(head, rows); err != nil {
		return err
	}
	if r.DifferenceCount == 0 {
		return t.printf("\neverything agrees\n")
	}
	if err := t.printf("\n%d differences\n", r.DifferenceCount); err != nil {
		return err
	}
	lines := make([][]string, len(r.Differences))
	for i, d := range r.Differences {
		lines[i] = []string{d.Kind, d.Tenant, d.ID, d.Detail}
	}
	if err := t.table([]string{"KIND", "TENANT", "ID", "DETAIL"}, lines); err != nil {
		return err
	}
	if more := r.DifferenceCount - len(r.Differences); more > 0 {
		return t.printf("and %d more\n", more)
	}
	return nil
}

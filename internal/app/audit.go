package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"time"

	"peal/api"
	"peal/internal/config"
	"peal/internal/httpapi"
	"peal/internal/metrics"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/pipeline/audit"
	"peal/internal/store"
)

// AuditFolder audits the records in a data folder that nobody serves, of one tenant or of all. Jobs it leaves out: what
// has none gets one as soon as the folder is served.
func AuditFolder(ctx context.Context, data, tenantID string, since time.Time, log *slog.Logger) (_ api.AuditReport, err error) {
	if _, err := os.Stat(filepath.Join(data, recordsFile)); err != nil {
		return api.AuditReport{}, fmt.Errorf("there are no records in %s: %w", data, err)
	}
	lock, err := lockFolder(data)
	if err != nil {
		return api.AuditReport{}, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	s, err := openUpToDate(ctx, records(&config.Config{Data: data}, soleNode, log, time.Now))
	if err != nil {
		return api.AuditReport{}, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	a := audit.New(audit.Config{
		Records: s, Retained: s, Jobs: noJobs{}, Metrics: metrics.New(), Log: slog.New(slog.DiscardHandler),
		Confirm: time.Nanosecond, // nobody else writes
		Within:  math.MaxInt64,
	})
	r, err := a.Audit(ctx, audit.Request{TenantID: tenantID, Since: since})
	if err != nil {
		return api.AuditReport{}, err
	}
	return httpapi.AuditReport(r), nil
}

// openUpToDate opens records whose schema is that of this binary, and fails on others: it is not for a look to change it.
func openUpToDate(ctx context.Context, where store.Config) (*store.Store, error) {
	pending, err := store.PendingMigrations(ctx, where)
	if err != nil {
		return nil, fmt.Errorf("look at the records: %w", err)
	}
	if len(pending) > 0 {
		return nil, errors.New("the schema of the records is not up to date, or there is none: run peal migrate first")
	}
	s, err := store.Open(ctx, where)
	if err != nil {
		return nil, fmt.Errorf("open the records: %w", err)
	}
	return s, nil
}

// noJobs stands for those of a folder that nobody serves.
type noJobs struct{}

// Check implements audit.Jobs.
func (noJobs) Check(context.Context, string, pipeline.Place, time.Duration) ([]peal.Difference, *pipeline.Place, error) {
	return nil, nil, nil
}

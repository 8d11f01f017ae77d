package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"peal/api"
	"peal/internal/config"
	"peal/internal/lease"
	"peal/internal/peal"
	"peal/internal/provider/all"
	"peal/internal/store"
)

// DoubtConfig says what to set in doubt.
type DoubtConfig struct {
	Records    config.Config // where they are
	RestoredTo time.Time     // only what was accepted before; zero for all
	DryRun     bool          // only count
	Force      bool          // though a node serves the database, or seems to
	Log        *slog.Logger
}

// Doubt sets in doubt what may have been sent since the moment that the records have gone back to, by the rule of Restore.
// Nobody may serve them meanwhile.
func Doubt(ctx context.Context, cfg DoubtConfig) (r store.Doubted, err error) {
	if cfg.Records.DatabaseURL == "" {
		if _, err := os.Stat(filepath.Join(cfg.Records.Data, recordsFile)); err != nil {
			return r, fmt.Errorf("there are no records in %s: %w", cfg.Records.Data, err)
		}
		lock, err := lockFolder(cfg.Records.Data)
		if err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, lock.Close()) }()
	}
	s, err := openUpToDate(ctx, records(&cfg.Records, "doubt", cfg.Log, time.Now))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	d := store.Doubt{Now: time.Now(), Before: cfg.RestoredTo}
	if d.Harmless, err = harmless(ctx, s); err != nil {
		return r, err
	}
	if cfg.DryRun {
		return s.InDoubt(ctx, d)
	}
	if err := unserved(ctx, s, &cfg); err != nil {
		return r, err
	}
	return s.Doubt(ctx, d)
}

// unserved fails while nodes serve a shared database. Of a folder the lock tells. Rows of nodes that are no more tell
// themselves by standing still, which takes a while to see.
func unserved(ctx context.Context, s *store.Store, cfg *DoubtConfig) error {
	if cfg.Force || cfg.Records.DatabaseURL == "" {
		return nil
	}
	again := time.NewTicker(time.Second)
	defer again.Stop()
	roll, first := lease.NewRoll(lease.TTL), map[string]int64{}
	for {
		nodes, err := s.Nodes(ctx)
		if err != nil {
			return err
		}
		nodes = roll.Living(nodes)
		if len(nodes) == 0 {
			return nil
		}
		for i := range nodes {
			n := &nodes[i]
			if seen, ok := first[n.ID]; ok && n.Beats != seen {
				return fmt.Errorf("the node %s serves this database; stop every node, or use --force", n.ID)
			}
			first[n.ID] = n.Beats
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// harmless are the integrations that say that a message sent twice does no harm.
func harmless(ctx context.Context, records interface {
	Integrations(ctx context.Context) ([]peal.SealedIntegration, error)
}) (ids []string, err error) {
	rows, err := records.Integrations(ctx)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		var s api.Settings
		if err := json.Unmarshal(rows[i].Settings, &s); err != nil {
			return nil, fmt.Errorf("read the settings of integration %s: %w", rows[i].ID, err)
		}
		policy := peal.OnUnknown(s.OnUnknown)
		if kind, ok := all.ByName(rows[i].Kind); ok && policy == "" {
			policy = kind.Defaults().OnUnknown
		}
		if policy == peal.Resend {
			ids = append(ids, rows[i].ID)
		}
	}
	return ids, nil
}

package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"peal/internal/config"
	"peal/internal/store"
)

// Migrate brings the schema of the records up to date, as serving would, and says on out what it did; with dry only what
// it would do.
func Migrate(ctx context.Context, cfg config.Config, dry bool, out io.Writer) (err error) {
	if cfg.DatabaseURL == "" && !dry {
		if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
			return fmt.Errorf("make the data folder: %w", err)
		}
		lock, err := lockFolder(cfg.Data)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, lock.Close()) }()
	}
	records := records(&cfg, soleNode, slog.New(slog.DiscardHandler), time.Now)
	pending, err := store.PendingMigrations(ctx, records)
	if err != nil {
		return fmt.Errorf("look at the records: %w", err)
	}
	if len(pending) == 0 {
		_, err = fmt.Fprintln(out, "the schema is up to date")
		return err
	}
	done := "done"
	if dry {
		done = "pending"
	} else {
		s, err := store.Open(ctx, records)
		if err == nil {
			err = s.Close()
		}
		if err != nil {
			return fmt.Errorf("bring the records up to date: %w", err)
		}
	}
	for _, m := range pending {
		if _, err := fmt.Fprintf(out, "%s %04d %s\n", done, m.Version, m.Name); err != nil {
			return err
		}
		for _, c := range m.Changes {
			if _, err := fmt.Fprintln(out, "    "+c); err != nil {
				return err
			}
		}
	}
	return nil
}

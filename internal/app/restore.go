package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"peal/internal/backup"
	"peal/internal/store"
)

// RestoreConfig says what to restore, and where.
type RestoreConfig struct {
	From   io.Reader
	Data   string // the folder, made when it is not there; it must hold nothing of a Peal
	KeyID  string // of the master key, to be held against the backup's; empty when it is not at hand
	Resend bool   // send what was queued, though it may have been sent after the backup was made
}

// Restored tells what was restored.
type Restored struct {
	backup.About
	store.Contents
	Doubted    int64 `json:"doubted"`     // of those that were queued: now uncertain
	KeyChecked bool  `json:"key_checked"` // the master key is the one that the credentials are sealed with
}

// Restore makes a data folder of a backup. When it fails the folder holds nothing of Peal's records.
//
// What was queued when a backup was made may have been sent since, so it becomes uncertain, unless it was not due yet, a
// repeat does no harm by the integration's policy, or the folder was given up for the backup.
func Restore(ctx context.Context, cfg RestoreConfig) (r Restored, err error) {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return r, fmt.Errorf("make the data folder: %w", err)
	}
	if err := vacant(cfg.Data); err != nil {
		return r, err
	}
	lock, err := lockFolder(cfg.Data)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	dir := filepath.Join(cfg.Data, "restoring")
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		return r, fmt.Errorf("make a folder for the records: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	copied := filepath.Join(dir, recordsFile)
	if r.About, err = unpack(cfg.From, copied); err != nil {
		return r, err
	}
	if err := r.mend(ctx, &cfg, copied); err != nil {
		return r, err
	}
	if err := os.Rename(copied, filepath.Join(cfg.Data, recordsFile)); err != nil {
		return r, fmt.Errorf("put the records into their place: %w", err)
	}
	return r, syncFolder(cfg.Data)
}

// vacant fails when there is something of a Peal in the folder. What else there is does not matter.
func vacant(data string) error {
	for _, name := range []string{recordsFile, recordsFile + "-wal", recordsFile + "-shm", brokerFolder, movedFile} {
		_, err := os.Lstat(filepath.Join(data, name))
		if err == nil {
			return fmt.Errorf("the data folder %s holds a Peal already (%s): restore into an empty one, or move that away first", data, name)
		}
		if !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("look into the data folder: %w", err)
		}
	}
	return nil
}

func unpack(from io.Reader, to string) (backup.About, error) {
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return backup.About{}, fmt.Errorf("write the records: %w", err)
	}
	about, err := backup.Read(from, f)
	if err == nil {
		err = f.Sync()
	}
	return about, errors.Join(err, f.Close())
}

// mend checks the copy, brings it up to date and sets in doubt what is.
func (r *Restored) mend(ctx context.Context, cfg *RestoreConfig, copied string) (err error) {
	c, err := store.OpenCopy(ctx, copied)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.Check(ctx); err != nil {
		return err
	}
	if r.Contents, err = c.Contents(ctx); err != nil {
		return err
	}
	if cfg.KeyID != "" && len(r.Keys) > 0 {
		if r.KeyChecked = slices.Contains(r.Keys, cfg.KeyID); !r.KeyChecked {
			return errors.New("the master key is not the one that the backup's credentials are sealed with: give the right one (PEAL_MASTER_KEY or --master-key-file)")
		}
	}
	if err := c.Alone(ctx); err != nil || r.Moved || cfg.Resend {
		return err
	}
	harmless, err := harmless(ctx, c)
	if err != nil {
		return err
	}
	doubted, err := c.Doubt(ctx, store.Doubt{Now: time.Now(), Harmless: harmless})
	r.Doubted = doubted.InDoubt
	return err
}

// syncFolder makes a rename in the folder last. Not every system can; where it cannot there is nothing to be done.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync()
	return d.Close()
}

package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"peal/internal/backup"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/store"
	"peal/internal/stream"
)

// What is in the data folder.
const (
	recordsFile  = "peal.db"
	brokerFolder = "broker"
	backupFolder = "backing-up" // a backup that is being made; removed at the start
	movedFile    = "moved"      // the folder was given up for a backup
)

// spareRoom is what a backup leaves free on the disk, in bytes: while it is made the WAL is not emptied.
const spareRoom = 64 << 20

// waiting gives the webhooks that are kept and not yet folded in.
type waiting func(ctx context.Context, each func(pipeline.Held) error) error

// Backup writes a backup of what is served to w, after it has called begin; when it fails before that, nothing was
// written. What was accepted and every webhook that was answered before it was called is in it. Nobody waits for it but
// its caller, and there is one at a time. It is given up when the process drains.
func (a *App) Backup(ctx context.Context, w io.Writer, begin func(ctx context.Context)) error {
	if !a.store.InOneFile() {
		return peal.Errorf(peal.Conflict, "the records are in PostgreSQL: back them up with its own tools, such as pg_dump; see docs/operating.md")
	}
	if !a.backup.TryLock() {
		return peal.Errorf(peal.Conflict, "another backup is being made; wait for its end")
	}
	defer a.backup.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.stopBackup.Store(&cancel)
	defer a.stopBackup.Store(nil)
	if a.draining.Load() {
		return peal.Errorf(peal.Unavailable, "the process is stopping")
	}
	start := time.Now()
	n, err := writeBackup(ctx, a.cfg.Data, a.stream.Waiting, false, w, begin)
	if err != nil {
		a.log.Warn("backup not made", "error", err)
		return err
	}
	a.log.Info("backup made", "bytes", n, "took", time.Since(start).String())
	return nil
}

// BackupFolder writes a backup of a data folder that nobody serves to w, and then calls keep, which makes it last. With
// move the folder is given up before that: it is not served again, and what was queued goes out from where the backup is
// restored.
func BackupFolder(ctx context.Context, data string, move bool, w io.Writer, keep func() error, log *slog.Logger) (err error) {
	if _, err := os.Stat(filepath.Join(data, recordsFile)); err != nil {
		return fmt.Errorf("there are no records in %s (%w); if they are in PostgreSQL, back them up with its own tools", data, err)
	}
	lock, err := lockFolder(data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := notMoved(data); err != nil {
		return err
	}
	none := func(context.Context, func(pipeline.Held) error) error { return nil }
	from := waiting(none)
	if _, err := os.Stat(filepath.Join(data, brokerFolder)); err == nil {
		broker, err := stream.Open(ctx, stream.Config{Dir: filepath.Join(data, brokerFolder), Log: log})
		if err != nil {
			return fmt.Errorf("open the broker: %w", err)
		}
		defer broker.Close()
		from = broker.Waiting
	}
	if _, err := writeBackup(ctx, data, from, move, w, func(context.Context) {}); err != nil {
		return err
	}
	if !move {
		return keep()
	}
	// First the mark, then the backup: if the process ends between the two, the folder is not served by accident.
	if err := writeSynced(filepath.Join(data, movedFile), time.Now().UTC().Format(time.RFC3339)+"\n"); err != nil {
		return fmt.Errorf("give up the folder: %w", err)
	}
	if err := keep(); err != nil {
		return errors.Join(err, os.Remove(filepath.Join(data, movedFile)))
	}
	return nil
}

// notMoved fails when the folder was given up for a backup.
func notMoved(data string) error {
	at, err := os.ReadFile(filepath.Join(data, movedFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look whether the folder was moved: %w", err)
	}
	return fmt.Errorf("the data folder %s was moved: a backup was made with --move at %.20s, and what was queued goes out from where that is "+
		"restored; to serve this one all the same, and only if that backup is never restored, delete %s", data, at, filepath.Join(data, movedFile))
}

func writeBackup(ctx context.Context, data string, from waiting, moved bool, w io.Writer, begin func(ctx context.Context)) (n int64, err error) {
	about := backup.About{CreatedAt: time.Now().UTC(), Version: Version, Moved: moved}
	records, dir := filepath.Join(data, recordsFile), filepath.Join(data, backupFolder)
	if err := checkRoom(ctx, data, records); err != nil {
		return 0, err
	}
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		return 0, fmt.Errorf("make a folder for the backup: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	copied := filepath.Join(dir, recordsFile)
	if err := store.Snapshot(ctx, records, copied, from); err != nil {
		return 0, err
	}
	db, err := os.Open(copied)
	if err != nil {
		return 0, fmt.Errorf("read the copy: %w", err)
	}
	defer db.Close() //nolint:errcheck // only read
	info, err := db.Stat()
	if err != nil {
		return 0, fmt.Errorf("read the copy: %w", err)
	}
	about.Bytes = info.Size()
	begin(ctx)
	return about.Bytes, backup.Write(&endedWriter{ctx, w}, about, db)
}

// checkRoom fails when a copy of the records does not fit on the disk.
func checkRoom(ctx context.Context, data, records string) error {
	size, err := store.SnapshotSize(ctx, records)
	if err != nil {
		return err
	}
	if free, need := freeRoom(data), uint64(size)+spareRoom; free < need { //nolint:gosec // a size is not negative
		return peal.Errorf(peal.Conflict, "a backup needs room for a copy of the records in the data folder, %d MB, and there are %d MB: make room",
			need>>20, free>>20)
	}
	return nil
}

// endedWriter writes until its context ends.
type endedWriter struct {
	ctx context.Context //nolint:containedctx // io.Writer has no room for it
	w   io.Writer
}

// Write implements io.Writer.
func (e *endedWriter) Write(p []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	return e.w.Write(p)
}

func writeSynced(name, text string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close(), syncFolder(filepath.Dir(name)))
}

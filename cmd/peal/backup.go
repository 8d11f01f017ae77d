package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"peal/client"
	"peal/internal/app"
	"peal/internal/backup"
)

// BackupCmd is `peal backup`.
type BackupCmd struct {
	To   string `name:"to" required:"" placeholder:"FILE" help:"File to write the backup to; it must not be there yet."`
	Data string `name:"data" placeholder:"DIR" help:"Data folder of a server that does not run. Without it the running server is asked, with the operator key."`
	Move bool   `name:"move" help:"With --data: give the folder up for the backup, as when moving to another machine. It is not served again, and what is queued goes out from where the backup is restored."`

	Conn `embed:"" group:"conn"`
}

// Help says what is in a backup and gives an example.
func (BackupCmd) Help() string {
	return "A backup holds everything of an installation on one machine: what was accepted, what became of it, and the webhooks that were " +
		"answered. The server goes on meanwhile. It does not hold the master key: keep that elsewhere, for without it the backup's " +
		"credentials cannot be read. --timeout does not bound it. Records in PostgreSQL are backed up with PostgreSQL's own tools.\n\n" +
		"Example:\n\n" +
		"  PEAL_API_KEY=$PEAL_OPERATOR_KEY peal backup --to peal-$(date +%F).backup\n" +
		"  peal backup --data peal-data --move --to moving.backup"
}

// Run takes a backup.
func (c *BackupCmd) Run(ctx context.Context, t *term) error {
	var about backup.About
	var err error
	switch {
	case c.Data != "":
		about, err = c.offline(ctx, t)
	case c.Move:
		return usagef("--move goes with --data: only of a folder that nobody serves is it known that nothing was sent since")
	default:
		about, err = c.online(ctx)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return t.json(struct {
			File string `json:"file"`
			backup.About
		}{c.To, about})
	}
	t.notef("the master key is not in the backup: keep it elsewhere; without it the credentials cannot be read\n")
	return t.facts("file", c.To, "made", longTime(&about.CreatedAt), "database", strconv.FormatInt(about.Bytes, 10)+" bytes")
}

func (c *BackupCmd) online(ctx context.Context) (backup.About, error) {
	cl, err := c.client(client.WithTimeout(0))
	if err != nil {
		return backup.About{}, err
	}
	f, err := newKept(c.To)
	if err != nil {
		return backup.About{}, err
	}
	defer f.forget()
	if err := cl.Backup(ctx, f); err != nil {
		return backup.About{}, err
	}
	return f.keep()
}

func (c *BackupCmd) offline(ctx context.Context, t *term) (about backup.About, err error) {
	f, err := newKept(c.To)
	if err != nil {
		return about, err
	}
	defer f.forget()
	log := slog.New(slog.NewTextHandler(t.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	keep := func() (err error) {
		about, err = f.keep()
		return err
	}
	err = app.BackupFolder(ctx, c.Data, c.Move, f, keep, log)
	return about, err
}

// kept is a file that gets its name only when it is a whole backup, and on disk.
type kept struct {
	*os.File
	name string
}

func newKept(name string) (*kept, error) {
	if _, err := os.Lstat(name); err == nil {
		return nil, usagef("--to: %s is there already; choose another name", name)
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".partial-*") // 0600
	if err != nil {
		return nil, fmt.Errorf("--to: %w", err)
	}
	return &kept{f, name}, nil
}

// keep reads what was written once more, from its beginning, and gives the file its name.
func (k *kept) keep() (backup.About, error) {
	_, err := k.Seek(0, io.SeekStart)
	if err != nil {
		return backup.About{}, err
	}
	about, err := backup.Read(k, io.Discard)
	if err == nil {
		err = k.Sync()
	}
	if err = errors.Join(err, k.Close()); err != nil {
		return about, err
	}
	if err := os.Link(k.Name(), k.name); err == nil || os.IsExist(err) { // unlike a rename it never replaces a file
		return about, errors.Join(err, os.Remove(k.Name()), syncFolder(filepath.Dir(k.name)))
	}
	return about, errors.Join(os.Rename(k.Name(), k.name), syncFolder(filepath.Dir(k.name))) // some file systems have no links
}

// forget removes a file that was not kept; after keep it does nothing.
func (k *kept) forget() {
	_ = k.Close()
	_ = os.Remove(k.Name())
}

// syncFolder makes a name in the folder last, where the system can.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync()
	return d.Close()
}

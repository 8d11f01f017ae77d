package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"peal/internal/peal"
)

// Copy is a copy of the records in one file, which nobody serves.
type Copy struct{ db *sql.DB }

// OpenCopy opens the copy in the file at path and brings its schema up to date. It fails with ErrNewerSchema on one of a
// newer Peal.
func OpenCopy(ctx context.Context, path string) (*Copy, error) {
	db, err := openPlain(path)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, sqliteSchema(db)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Copy{db}, nil
}

// Close closes it; what was written is on disk.
func (c *Copy) Close() error { return c.db.Close() }

// hold takes in the webhooks that gather has written.
func (c *Copy) hold(ctx context.Context, gathered string) error {
	if _, err := c.db.ExecContext(ctx, `ATTACH ? AS gathered`, gathered); err != nil {
		return fmt.Errorf("open the webhooks that wait: %w", err)
	}
	_, err := c.db.ExecContext(ctx, `INSERT INTO held_callbacks (id, integration_id, received_at, body)
		SELECT id, integration_id, received_at, body FROM gathered.held`)
	if _, derr := c.db.ExecContext(ctx, `DETACH gathered`); err == nil {
		err = derr
	}
	if err != nil {
		return fmt.Errorf("keep the webhooks that wait: %w", err)
	}
	return nil
}

// Check reads the whole file, and fails when it is not a sound database.
func (c *Copy) Check(ctx context.Context) error {
	var said string
	if err := c.db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&said); err != nil {
		return fmt.Errorf("check the database: %w", err)
	}
	if said != "ok" {
		return fmt.Errorf("the database is damaged: %s", said)
	}
	return nil
}

// Contents is what is in a copy.
type Contents struct {
	Tenants       int64     `json:"tenants"`
	Integrations  int64     `json:"integrations"`
	Notifications int64     `json:"notifications"`
	Deliveries    int64     `json:"deliveries"`
	Queued        int64     `json:"queued"` // or being sent
	Uncertain     int64     `json:"uncertain"`
	Webhooks      int64     `json:"webhooks"`        // kept, and not yet folded in
	Newest        time.Time `json:"newest,omitzero"` // when the newest notification was accepted
	Keys          []string  `json:"-"`               // ids of the master keys that credentials are sealed with
}

// Contents counts what is in it.
func (c *Copy) Contents(ctx context.Context) (v Contents, err error) {
	err = c.db.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM tenants), (SELECT COUNT(*) FROM integrations WHERE deleted_at IS NULL),
		(SELECT COUNT(*) FROM notifications), (SELECT COUNT(*) FROM communications_log),
		(SELECT COUNT(*) FROM communications_log WHERE in_flight = 1 AND status <> 'uncertain'),
		(SELECT COUNT(*) FROM communications_log WHERE in_flight = 1 AND status = 'uncertain'),
		(SELECT COUNT(*) FROM held_callbacks), (SELECT MAX(created_at) FROM notifications)`).
		Scan(&v.Tenants, &v.Integrations, &v.Notifications, &v.Deliveries, &v.Queued, &v.Uncertain, &v.Webhooks, at{&v.Newest})
	if err != nil {
		return v, fmt.Errorf("count what is in it: %w", err)
	}
	rows, err := c.db.QueryContext(ctx, `SELECT substr(secrets, 2, 4) FROM integrations WHERE deleted_at IS NULL
		UNION SELECT substr(secret, 2, 4) FROM user_keys WHERE secret IS NOT NULL AND revoked_at IS NULL
		UNION SELECT substr(secrets, 2, 4) FROM endpoints`)
	keys, err := collect(rows, err, scanInto[[]byte])
	if err != nil {
		return v, fmt.Errorf("read the credentials' keys: %w", err)
	}
	for _, k := range keys {
		v.Keys = append(v.Keys, hex.EncodeToString(k))
	}
	return v, nil
}

// Integrations gives id, kind and settings of all integrations, deleted ones included.
func (c *Copy) Integrations(ctx context.Context) ([]peal.SealedIntegration, error) {
	rows, err := c.db.QueryContext(ctx, `SELECT integration_id, kind, settings FROM integrations`)
	all, err := collect(rows, err, func(row scanner, in *peal.SealedIntegration) error {
		return row.Scan(&in.ID, &in.Kind, (*[]byte)(&in.Settings))
	})
	if err != nil {
		return nil, fmt.Errorf("read integrations: %w", err)
	}
	return all, nil
}

// Doubt is Store.Doubt.
func (c *Copy) Doubt(ctx context.Context, d Doubt) (Doubted, error) {
	return d.set(ctx, &pool{DB: c.db, d: sqliteDialect()}, c.write)
}

func (c *Copy) write(ctx context.Context, f func(*tx) error) (err error) {
	conn, err := c.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("open a connection: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	t := &tx{ctx: ctx, d: sqliteDialect(), conn: conn}
	if err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := f(t); err != nil {
		_, rerr := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return errors.Join(err, rerr)
	}
	return t.exec("COMMIT")
}

// noticeLeap is how far a copy's event logs go on beyond what the records were told of last: positions that readers have
// since the backup are not given to other events.
const noticeLeap = 1 << 32

// Alone forgets the processes that served the records, and ends what they held: none of them serves the copy.
func (c *Copy) Alone(ctx context.Context) error {
	for _, q := range []string{
		`UPDATE leases SET node_id = ''`, `DELETE FROM nodes`,
		`UPDATE sqlite_sequence SET seq = seq + ` + strconv.Itoa(noticeLeap) + ` WHERE name = 'notices'`,
	} {
		if _, err := c.db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("forget nodes: %w", err)
		}
	}
	return nil
}

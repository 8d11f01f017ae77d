package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
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
	rows, err := c.db.QueryContext(ctx, `SELECT DISTINCT substr(secrets, 2, 4) FROM integrations WHERE deleted_at IS NULL`)
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

// sqlInDoubt chooses what may have been sent since the copy was made: what was being sent, what was due, and what an
// end of a pause can have made due.
const sqlInDoubt = ` FROM communications_log WHERE in_flight = 1 AND (status = 'sending' OR status = 'queued' AND
	(due_at IS NULL OR due_at <= ?1 OR put_back = 1)) AND integration_id NOT IN (SELECT value FROM json_each(?2))`

// Doubt makes uncertain what may have been sent since the copy was made, but for the integrations of which a repeat does
// no harm, and tells how many that were. They are as if a call had been begun, and are looked for at once where a provider can
// be asked. What was not due by now was not sent: it stays.
func (c *Copy) Doubt(ctx context.Context, now time.Time, harmless []string) (n int64, err error) {
	if harmless == nil {
		harmless = []string{}
	}
	ids, err := json.Marshal(harmless)
	if err != nil {
		return 0, fmt.Errorf("write ids: %w", err)
	}
	const reason = "it was queued when the backup was made; whether it was sent since is not known"
	tx, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after the commit it does nothing
	_, err = tx.ExecContext(ctx, `INSERT INTO delivery_events (delivery_id, mark, at, type, status, code, detail)
		SELECT delivery_id, ?3, ?1, ?4, 'uncertain', ?5, ?6`+sqlInDoubt, now.UnixMicro(), string(ids),
		string(peal.EventRestored)+":"+strconv.FormatInt(now.UnixMicro(), 10), string(peal.EventRestored), peal.CodeRestored, reason)
	if err != nil {
		return 0, fmt.Errorf("write events: %w", err)
	}
	res, err := tx.ExecContext(ctx, `UPDATE communications_log SET status = 'uncertain', error_code = ?3, error_reason = ?4,
		attempts = attempts + CASE status WHEN 'queued' THEN 1 ELSE 0 END, check_at = ?1,
		updated_at = ?1, due_at = NULL, put_back = NULL WHERE row_id IN (SELECT row_id`+sqlInDoubt+`)`,
		now.UnixMicro(), string(ids), peal.CodeRestored, reason)
	if err == nil {
		n, err = res.RowsAffected()
	}
	if err != nil {
		return 0, fmt.Errorf("set in doubt: %w", err)
	}
	return n, tx.Commit()
}

// Alone forgets the processes that served the records, and ends what they held: none of them serves the copy.
func (c *Copy) Alone(ctx context.Context) error {
	_, err := c.db.ExecContext(ctx, `UPDATE leases SET node_id = ''`)
	if err == nil {
		_, err = c.db.ExecContext(ctx, `DELETE FROM nodes`)
	}
	if err != nil {
		return fmt.Errorf("forget nodes: %w", err)
	}
	return nil
}

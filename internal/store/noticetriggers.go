package store

import (
	"context"
	"database/sql"
	"fmt"
)

// The triggers that note deliveries' moves are there once any tenant has asked for events: also with nothing to note they cost
// some microseconds a row. Then they note, in the transaction and whoever makes it, the moves of tenants that have asked. That a
// call is being made is nothing to tell: sending counts as queued.
const (
	sqlitePut = `CREATE TRIGGER IF NOT EXISTS notice_put AFTER INSERT ON communications_log
		WHEN EXISTS (SELECT 1 FROM notice_tenants WHERE tenant_id = NEW.tenant_id)
		BEGIN
		    INSERT INTO notices (tenant_id, type, at, subject, code, reason)
		    VALUES (NEW.tenant_id, 'delivery.' || NEW.status, NEW.updated_at, NEW.delivery_id, NEW.error_code, NEW.error_reason);
		END`
	sqliteMoved = `CREATE TRIGGER IF NOT EXISTS notice_moved AFTER UPDATE OF status ON communications_log
		WHEN OLD.status <> NEW.status AND NEW.status <> 'sending' AND NOT (OLD.status = 'sending' AND NEW.status = 'queued')
		    AND EXISTS (SELECT 1 FROM notice_tenants WHERE tenant_id = NEW.tenant_id)
		BEGIN
		    INSERT INTO notices (tenant_id, type, at, subject, attempt, code, reason, dead, occurred_at)
		    VALUES (NEW.tenant_id, 'delivery.' || NEW.status, NEW.updated_at, NEW.delivery_id, NULLIF(NEW.attempts, 0),
		        CASE WHEN NEW.status IN ('failed', 'skipped', 'canceled', 'expired', 'uncertain') THEN NEW.error_code END,
		        CASE WHEN NEW.status IN ('failed', 'skipped', 'canceled', 'expired', 'uncertain') THEN NEW.error_reason END,
		        CASE WHEN NEW.dead_at IS NOT NULL THEN 1 END,
		        CASE NEW.status WHEN 'sent' THEN NEW.sent_at WHEN 'delivered' THEN NEW.delivered_at WHEN 'read' THEN NEW.read_at END);
		END`

	sqliteTriggers = `SELECT COUNT(*) FROM sqlite_master WHERE type = 'trigger' AND name IN ('notice_put', 'notice_moved')`
	pgTriggers     = `SELECT COUNT(*) FROM pg_trigger WHERE tgrelid = 'communications_log'::regclass AND tgname IN ('notice_put', 'notice_moved')`
	pgPut          = `CREATE OR REPLACE TRIGGER notice_put AFTER INSERT ON communications_log REFERENCING NEW TABLE AS rows_after
		FOR EACH STATEMENT EXECUTE FUNCTION notice_put()`
	pgMoved = `CREATE OR REPLACE TRIGGER notice_moved AFTER UPDATE ON communications_log REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
		FOR EACH STATEMENT EXECUTE FUNCTION notice_moved()`
)

// keepNoting makes the triggers again where there is an event log without them, such as after a restore of the data alone:
// else it would stay silent, and nobody would know.
func (s *Store) keepNoting(ctx context.Context) error {
	count := sqliteTriggers
	if s.admin != nil {
		count = pgTriggers
	}
	var logs bool
	var there int
	err := one(ctx, s.quick, scanInto[bool], &logs, `SELECT EXISTS (SELECT 1 FROM notice_tenants)`)
	if err == nil && logs {
		err = one(ctx, s.quick, scanInto[int], &there, count)
	}
	if err == nil && logs && there < 2 {
		err = s.noteMoves(ctx)
	}
	if err != nil {
		return fmt.Errorf("see to the event log: %w", err)
	}
	return nil
}

// noteMoves makes the triggers, if they are not there. On PostgreSQL that waits for writes that are under way.
func (s *Store) noteMoves(ctx context.Context) error {
	if s.admin == nil {
		return s.write(ctx, func(t *tx) error {
			for _, q := range []string{sqlitePut, sqliteMoved} {
				if _, err := t.conn.ExecContext(t.ctx, q); err != nil {
					return fmt.Errorf("make triggers: %w", err)
				}
			}
			return nil
		})
	}
	return s.changePartitions(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var there int
		err := tx.QueryRowContext(ctx, pgTriggers).Scan(&there)
		if err != nil || there == 2 {
			return err
		}
		for _, q := range []string{pgPut, pgMoved} {
			if _, err := tx.ExecContext(ctx, q); err != nil {
				return fmt.Errorf("make triggers: %w", err)
			}
		}
		return nil
	})
}

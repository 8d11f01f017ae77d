-- +goose Up
-- Who has asked for events: what happens to others is not noted.
CREATE TABLE notice_tenants (
    tenant_id TEXT PRIMARY KEY,
    since     INTEGER NOT NULL,
    cut       INTEGER NOT NULL DEFAULT 0 -- what was up to here has been let go of
) WITHOUT ROWID;

-- What a tenant is told, in the order of commits. Those of deliveries hold only what differs between them; the rest is in
-- the delivery's row.
CREATE TABLE notices (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice
    tenant_id   TEXT NOT NULL,
    type        TEXT NOT NULL,
    at          INTEGER NOT NULL,
    subject     TEXT NOT NULL, -- the delivery, or whatever else it is about
    delivery_id TEXT,          -- where it is not the subject
    attempt     INTEGER,
    code        TEXT,
    reason      TEXT,
    dead        INTEGER,       -- 1: it ran out of attempts
    occurred_at INTEGER,
    data        TEXT           -- JSON, of those that are not of deliveries
);
CREATE INDEX notices_tenant ON notices (tenant_id, seq);

-- A delivery's moves are noted by the database itself, in the transaction and whoever makes it. That a call is being made is
-- nothing to tell: sending counts as queued.
-- +goose StatementBegin
CREATE TRIGGER notice_put AFTER INSERT ON communications_log
WHEN EXISTS (SELECT 1 FROM notice_tenants WHERE tenant_id = NEW.tenant_id)
BEGIN
    INSERT INTO notices (tenant_id, type, at, subject, code, reason)
    VALUES (NEW.tenant_id, 'delivery.' || NEW.status, NEW.updated_at, NEW.delivery_id, NEW.error_code, NEW.error_reason);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER notice_moved AFTER UPDATE OF status ON communications_log
WHEN OLD.status <> NEW.status AND NEW.status <> 'sending' AND NOT (OLD.status = 'sending' AND NEW.status = 'queued')
    AND EXISTS (SELECT 1 FROM notice_tenants WHERE tenant_id = NEW.tenant_id)
BEGIN
    INSERT INTO notices (tenant_id, type, at, subject, attempt, code, reason, dead, occurred_at)
    VALUES (NEW.tenant_id, 'delivery.' || NEW.status, NEW.updated_at, NEW.delivery_id, NULLIF(NEW.attempts, 0),
        CASE WHEN NEW.status IN ('failed', 'skipped', 'canceled', 'expired', 'uncertain') THEN NEW.error_code END,
        CASE WHEN NEW.status IN ('failed', 'skipped', 'canceled', 'expired', 'uncertain') THEN NEW.error_reason END,
        CASE WHEN NEW.dead_at IS NOT NULL THEN 1 END,
        CASE NEW.status WHEN 'sent' THEN NEW.sent_at WHEN 'delivered' THEN NEW.delivered_at WHEN 'read' THEN NEW.read_at END);
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER notice_moved;
DROP TRIGGER notice_put;
DROP TABLE notices;
DROP TABLE notice_tenants;

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

-- +goose Down
DROP TRIGGER IF EXISTS notice_moved;
DROP TRIGGER IF EXISTS notice_put;
DROP TABLE notices;
DROP TABLE notice_tenants;

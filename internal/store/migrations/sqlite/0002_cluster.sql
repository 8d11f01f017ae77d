-- +goose Up
ALTER TABLE communications_log ADD COLUMN priority INTEGER NOT NULL DEFAULT 0; -- 0 normal, 1 critical, 2 bulk
ALTER TABLE notifications ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notifications ADD COLUMN deliveries INTEGER; -- how many were planned; NULL of those older than this column

-- A tenant's own bounds; NULL for those of the installation.
ALTER TABLE tenants ADD COLUMN max_queued INTEGER; -- deliveries that may wait
ALTER TABLE tenants ADD COLUMN max_rate INTEGER;   -- notifications per second

-- Who does what only one may do at a time: "integration:" and an id, or "task:" and a name.
CREATE TABLE leases (
    name     TEXT PRIMARY KEY,
    node_id  TEXT NOT NULL, -- empty: released
    epoch    INTEGER NOT NULL, -- rises with every taking
    renewals INTEGER NOT NULL -- rises with every write: who sees it stand still for the life of a lease may take it
) WITHOUT ROWID;

-- The processes that serve these records.
CREATE TABLE nodes (
    node_id    TEXT PRIMARY KEY,
    roles      TEXT NOT NULL,
    version    TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    refuses    TEXT NOT NULL, -- leases that it cannot fill, parted by spaces
    beats      INTEGER NOT NULL -- rises while it lives
) WITHOUT ROWID;

-- What was accepted, counted in the transaction that wrote it: what the audit holds the rows to. By the hour in the
-- notification's id, and by node, so that nodes do not wait for each other.
CREATE TABLE accepted (
    tenant_id     TEXT NOT NULL,
    hour          INTEGER NOT NULL, -- hours since 1970
    node_id       TEXT NOT NULL,
    notifications INTEGER NOT NULL,
    deliveries    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, hour, node_id)
) WITHOUT ROWID;

-- From which hour on the records are whole: retention has let go of what is older, or may have. One row.
CREATE TABLE whole (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    from_hour INTEGER NOT NULL -- hours since 1970; never less than it was
);

-- Webhooks that were taken while the broker was away, sealed as in the stream.
CREATE TABLE held_callbacks (
    id             TEXT PRIMARY KEY, -- UUIDv7
    integration_id TEXT NOT NULL,
    received_at    INTEGER NOT NULL,
    body           BLOB NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE held_callbacks;
DROP TABLE whole;
DROP TABLE accepted;
DROP TABLE nodes;
DROP TABLE leases;
ALTER TABLE tenants DROP COLUMN max_rate;
ALTER TABLE tenants DROP COLUMN max_queued;
ALTER TABLE notifications DROP COLUMN deliveries;
ALTER TABLE notifications DROP COLUMN priority;
ALTER TABLE communications_log DROP COLUMN priority;

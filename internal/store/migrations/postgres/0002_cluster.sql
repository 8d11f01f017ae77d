-- +goose Up
ALTER TABLE communications_log ADD COLUMN priority SMALLINT NOT NULL DEFAULT 0; -- 0 normal, 1 critical, 2 bulk
ALTER TABLE notifications ADD COLUMN priority SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE notifications ADD COLUMN deliveries BIGINT; -- how many were planned; NULL of those older than this column

-- A tenant's own bounds; NULL for those of the installation.
ALTER TABLE tenants ADD COLUMN max_queued BIGINT; -- deliveries that may wait
ALTER TABLE tenants ADD COLUMN max_rate BIGINT;   -- notifications per second

-- Who does what only one may do at a time: "integration:" and an id, or "task:" and a name.
CREATE TABLE leases (
    name     TEXT COLLATE "C" PRIMARY KEY,
    node_id  TEXT COLLATE "C" NOT NULL, -- empty: released
    epoch    BIGINT NOT NULL, -- rises with every taking
    renewals BIGINT NOT NULL -- rises with every write: who sees it stand still for the life of a lease may take it
);

-- The processes that serve these records.
CREATE TABLE nodes (
    node_id    TEXT COLLATE "C" PRIMARY KEY,
    roles      TEXT NOT NULL,
    version    TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    refuses    TEXT NOT NULL, -- leases that it cannot fill, parted by spaces
    beats      BIGINT NOT NULL -- rises while it lives
);

-- What was accepted, counted in the transaction that wrote it: what the audit holds the rows to. By the hour in the
-- notification's id, and by node, so that nodes do not wait for each other.
CREATE TABLE accepted (
    tenant_id     TEXT COLLATE "C" NOT NULL,
    hour          BIGINT NOT NULL, -- hours since 1970
    node_id       TEXT COLLATE "C" NOT NULL,
    notifications BIGINT NOT NULL,
    deliveries    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, hour, node_id)
);

-- From which hour on the records are whole: retention has let go of what is older, or may have. One row.
CREATE TABLE whole (
    id        SMALLINT PRIMARY KEY CHECK (id = 1),
    from_hour BIGINT NOT NULL -- hours since 1970; never less than it was
);

-- Webhooks that were taken while the broker was away, sealed as in the stream.
CREATE TABLE held_callbacks (
    id             TEXT COLLATE "C" PRIMARY KEY, -- UUIDv7
    integration_id TEXT COLLATE "C" NOT NULL,
    received_at    BIGINT NOT NULL,
    body           BYTEA NOT NULL
);

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

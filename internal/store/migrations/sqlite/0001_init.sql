-- +goose Up
-- Times are microseconds since 1970 in UTC; NULL where there is none. Ids are UUIDv7 as text, so they sort by time.

CREATE TABLE tenants (
    tenant_id  TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    disabled   INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE api_keys (
    key_id     TEXT PRIMARY KEY,
    tenant_id  TEXT NOT NULL REFERENCES tenants (tenant_id),
    name       TEXT NOT NULL,
    hash       BLOB NOT NULL, -- SHA-256 of the secret: it has 256 bits of its own, so it needs no slow hash
    scopes     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) WITHOUT ROWID;
CREATE INDEX api_keys_tenant ON api_keys (tenant_id);

CREATE TABLE integrations (
    integration_id TEXT PRIMARY KEY,
    tenant_id      TEXT NOT NULL REFERENCES tenants (tenant_id),
    name           TEXT NOT NULL,
    kind           TEXT NOT NULL,
    channel        TEXT NOT NULL,
    settings       TEXT NOT NULL,
    secrets        BLOB NOT NULL, -- credentials and webhook token, sealed; the id of the master key is in the bytes
    pause_code     TEXT,
    pause_reason   TEXT,
    paused_at      INTEGER,
    paused_until   INTEGER,
    version        INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    deleted_at     INTEGER
);
CREATE UNIQUE INDEX integrations_name ON integrations (tenant_id, name) WHERE deleted_at IS NULL;

CREATE TABLE users (
    tenant_id  TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    phone      TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
) WITHOUT ROWID;

CREATE TABLE notifications (
    tenant_id       TEXT NOT NULL,
    notification_id TEXT NOT NULL,
    phone           TEXT,
    user_id         TEXT,
    event_type      TEXT,
    event_at        INTEGER,
    metadata        TEXT,
    send_at         INTEGER,
    expires_at      INTEGER,
    created_at      INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, notification_id)
) WITHOUT ROWID;

-- A key is good for 24 hours, then the next request with it takes its row over.
CREATE TABLE idempotency (
    tenant_id       TEXT NOT NULL,
    key             TEXT NOT NULL,
    notification_id TEXT NOT NULL,
    body_hash       BLOB NOT NULL,
    answer          BLOB NOT NULL,
    created_at      INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_age ON idempotency (created_at);

-- One row per delivery: what support looks at.
CREATE TABLE communications_log (
    row_id          INTEGER PRIMARY KEY,
    tenant_id       TEXT NOT NULL,
    delivery_id     TEXT NOT NULL,
    notification_id TEXT NOT NULL,
    integration_id  TEXT NOT NULL,
    channel         TEXT NOT NULL,
    message_id      TEXT,
    message_key     TEXT,
    recipient       TEXT NOT NULL,
    user_id         TEXT,
    payload         TEXT NOT NULL,
    status          TEXT NOT NULL,
    in_flight       INTEGER, -- 1 while status is queued, sending or uncertain, else NULL; see log_in_flight
    error_code      TEXT,
    error_reason    TEXT,
    flag            TEXT,
    attempts        INTEGER NOT NULL DEFAULT 0,
    round           INTEGER NOT NULL DEFAULT 0, -- attempts made before it was last re-driven
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    due_at          INTEGER,
    put_back        INTEGER, -- 1 while due_at is the end of a pause; see log_put_back
    expires_at      INTEGER,
    sent_at         INTEGER,
    delivered_at    INTEGER,
    read_at         INTEGER,
    ended_at        INTEGER,
    dead_at         INTEGER, -- ran out of attempts, and nobody has dealt with it
    check_at        INTEGER  -- look it up at the provider then, if no receipt has come
);
-- Also the notification's deliveries (their ids share its first 64 bits) and the log by time (ids sort by it).
CREATE UNIQUE INDEX log_delivery ON communications_log (tenant_id, delivery_id);
-- Support's two questions: by provider's message id, and by recipient.
CREATE INDEX log_message ON communications_log (tenant_id, message_id) WHERE message_id IS NOT NULL;
CREATE INDEX log_recipient ON communications_log (tenant_id, recipient, delivery_id);
-- Webhooks name a message by its key.
CREATE INDEX log_key ON communications_log (integration_id, message_key) WHERE message_key IS NOT NULL;
-- The ledger walks what is in flight; ends leave the index, so it stays small. It goes by a column of its own, since an
-- index that names the status would be written again at every step.
CREATE INDEX log_in_flight ON communications_log (integration_id, delivery_id) WHERE in_flight = 1;
-- What a pause has put back, for when the pause ends early.
CREATE INDEX log_put_back ON communications_log (integration_id) WHERE put_back = 1;
CREATE INDEX log_check ON communications_log (integration_id, check_at) WHERE check_at IS NOT NULL;
CREATE INDEX log_dead ON communications_log (tenant_id, delivery_id) WHERE dead_at IS NOT NULL;
-- Rare ends, for the log's filter by status.
CREATE INDEX log_ends ON communications_log (tenant_id, status, delivery_id)
    WHERE status IN ('failed', 'skipped', 'canceled', 'expired', 'uncertain');

-- The timeline. A fact that is told twice has the same mark, and stands once.
CREATE TABLE delivery_events (
    delivery_id TEXT NOT NULL,
    mark        TEXT NOT NULL,
    at          INTEGER NOT NULL,
    type        TEXT NOT NULL,
    status      TEXT,
    attempt     INTEGER,
    class       TEXT,
    code        TEXT,
    detail      TEXT,
    took_us     INTEGER,
    occurred_at INTEGER,
    PRIMARY KEY (delivery_id, mark)
) WITHOUT ROWID;

-- Evidence of messages that no row knows (yet): matched when a row learns the id, else kept and counted.
CREATE TABLE unmatched (
    integration_id TEXT NOT NULL,
    ref            TEXT NOT NULL, -- "key:" or "id:" and the provider's id
    status         TEXT NOT NULL,
    code           TEXT,
    reason         TEXT,
    occurred_at    INTEGER,
    received_at    INTEGER NOT NULL,
    given_up_at    INTEGER, -- NULL while it is parked
    PRIMARY KEY (integration_id, ref, status)
) WITHOUT ROWID;
CREATE INDEX unmatched_parked ON unmatched (received_at) WHERE given_up_at IS NULL;
CREATE INDEX unmatched_given_up ON unmatched (given_up_at) WHERE given_up_at IS NOT NULL;

-- Webhooks that could not be understood, sealed as they came.
CREATE TABLE unreadable (
    id             INTEGER PRIMARY KEY,
    integration_id TEXT NOT NULL,
    received_at    INTEGER NOT NULL,
    reason         TEXT NOT NULL,
    body           BLOB NOT NULL
);
CREATE INDEX unreadable_age ON unreadable (received_at);

-- One row, written again and again: whether the database takes writes.
CREATE TABLE heartbeat (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at INTEGER NOT NULL
);

-- +goose Down
DROP TABLE heartbeat;
DROP TABLE unreadable;
DROP TABLE unmatched;
DROP TABLE delivery_events;
DROP TABLE communications_log;
DROP TABLE idempotency;
DROP TABLE notifications;
DROP TABLE users;
DROP TABLE integrations;
DROP TABLE api_keys;
DROP TABLE tenants;

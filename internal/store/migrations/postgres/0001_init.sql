-- +goose Up
-- The columns are those of SQLite. Times are microseconds since 1970 in UTC; NULL where there is none. Ids are UUIDv7 as
-- text, compared byte by byte, so they sort by time.
--
-- What grows without bound is partitioned by id, which is by the time it was accepted. Partitions are made ahead as the
-- process runs (see partitions.go); what has none falls into the default ones, which are to stay empty.

CREATE TABLE tenants (
    tenant_id  TEXT COLLATE "C" PRIMARY KEY,
    name       TEXT NOT NULL,
    disabled   SMALLINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE api_keys (
    key_id     TEXT COLLATE "C" PRIMARY KEY,
    tenant_id  TEXT COLLATE "C" NOT NULL REFERENCES tenants (tenant_id),
    name       TEXT NOT NULL,
    hash       BYTEA NOT NULL, -- SHA-256 of the secret: it has 256 bits of its own, so it needs no slow hash
    scopes     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX api_keys_tenant ON api_keys (tenant_id);

CREATE TABLE integrations (
    integration_id TEXT COLLATE "C" PRIMARY KEY,
    tenant_id      TEXT COLLATE "C" NOT NULL REFERENCES tenants (tenant_id),
    name           TEXT COLLATE "C" NOT NULL,
    kind           TEXT NOT NULL,
    channel        TEXT NOT NULL,
    settings       TEXT NOT NULL,
    secrets        BYTEA NOT NULL, -- credentials and webhook token, sealed; the id of the master key is in the bytes
    pause_code     TEXT,
    pause_reason   TEXT,
    paused_at      BIGINT,
    paused_until   BIGINT,
    version        BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    deleted_at     BIGINT
);
CREATE UNIQUE INDEX integrations_name ON integrations (tenant_id, name) WHERE deleted_at IS NULL;

CREATE TABLE users (
    tenant_id  TEXT COLLATE "C" NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL,
    phone      TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);

CREATE TABLE notifications (
    tenant_id       TEXT COLLATE "C" NOT NULL,
    notification_id TEXT COLLATE "C" NOT NULL,
    phone           TEXT,
    user_id         TEXT,
    event_type      TEXT,
    event_at        BIGINT,
    metadata        TEXT,
    send_at         BIGINT,
    expires_at      BIGINT,
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, notification_id)
) PARTITION BY RANGE (notification_id);
CREATE TABLE notifications_default PARTITION OF notifications DEFAULT;

-- A key is good for 24 hours, then the next request with it takes its row over.
CREATE TABLE idempotency (
    tenant_id       TEXT COLLATE "C" NOT NULL,
    key             TEXT COLLATE "C" NOT NULL,
    notification_id TEXT COLLATE "C" NOT NULL,
    body_hash       BYTEA NOT NULL,
    answer          BYTEA NOT NULL,
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);

-- One row per delivery: what support looks at.
CREATE TABLE communications_log (
    tenant_id       TEXT COLLATE "C" NOT NULL,
    delivery_id     TEXT COLLATE "C" NOT NULL,
    notification_id TEXT COLLATE "C" NOT NULL,
    integration_id  TEXT COLLATE "C" NOT NULL,
    channel         TEXT NOT NULL,
    message_id      TEXT COLLATE "C",
    message_key     TEXT COLLATE "C",
    recipient       TEXT COLLATE "C" NOT NULL,
    user_id         TEXT,
    payload         TEXT NOT NULL,
    status          TEXT COLLATE "C" NOT NULL,
    in_flight       SMALLINT, -- 1 while status is queued, sending or uncertain, else NULL; see log_in_flight
    error_code      TEXT,
    error_reason    TEXT,
    flag            TEXT,
    attempts        BIGINT NOT NULL DEFAULT 0,
    round           BIGINT NOT NULL DEFAULT 0, -- attempts made before it was last re-driven
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    due_at          BIGINT,
    put_back        SMALLINT, -- 1 while due_at is the end of a pause; see log_put_back
    expires_at      BIGINT,
    sent_at         BIGINT,
    delivered_at    BIGINT,
    read_at         BIGINT,
    ended_at        BIGINT,
    dead_at         BIGINT, -- ran out of attempts, and nobody has dealt with it
    check_at        BIGINT  -- look it up at the provider then, if no receipt has come
) PARTITION BY RANGE (delivery_id);
-- Also the notification's deliveries (their ids share its first 64 bits) and the log by time (ids sort by it).
CREATE UNIQUE INDEX log_delivery ON communications_log (tenant_id, delivery_id);
-- Support's two questions: by provider's message id, and by recipient.
CREATE INDEX log_message ON communications_log (tenant_id, message_id) WHERE message_id IS NOT NULL;
CREATE INDEX log_recipient ON communications_log (tenant_id, recipient, delivery_id);
-- Webhooks name a message by its key.
CREATE INDEX log_key ON communications_log (integration_id, message_key) WHERE message_key IS NOT NULL;
-- The ledger walks what is in flight; ends leave the index, so it stays small.
CREATE INDEX log_in_flight ON communications_log (integration_id, delivery_id) WHERE in_flight = 1;
-- What a pause has put back, for when the pause ends early.
CREATE INDEX log_put_back ON communications_log (integration_id) WHERE put_back = 1;
CREATE INDEX log_check ON communications_log (integration_id, check_at) WHERE check_at IS NOT NULL;
CREATE INDEX log_dead ON communications_log (tenant_id, delivery_id) WHERE dead_at IS NOT NULL;
-- Rare ends, for the log's filter by status.
CREATE INDEX log_ends ON communications_log (tenant_id, status, delivery_id)
    WHERE status IN ('failed', 'skipped', 'canceled', 'expired', 'uncertain');
CREATE TABLE communications_log_default PARTITION OF communications_log DEFAULT;

-- The timeline. A fact that is told twice has the same mark, and stands once.
CREATE TABLE delivery_events (
    delivery_id TEXT COLLATE "C" NOT NULL,
    mark        TEXT COLLATE "C" NOT NULL,
    at          BIGINT NOT NULL,
    type        TEXT NOT NULL,
    status      TEXT,
    attempt     BIGINT,
    class       TEXT,
    code        TEXT,
    detail      TEXT,
    took_us     BIGINT,
    occurred_at BIGINT,
    PRIMARY KEY (delivery_id, mark)
) PARTITION BY RANGE (delivery_id);
CREATE TABLE delivery_events_default PARTITION OF delivery_events DEFAULT;

-- Evidence of messages that no row knows (yet): matched when a row learns the id, else kept and counted.
CREATE TABLE unmatched (
    integration_id TEXT COLLATE "C" NOT NULL,
    ref            TEXT COLLATE "C" NOT NULL, -- "key:" or "id:" and the provider's id
    status         TEXT COLLATE "C" NOT NULL,
    code           TEXT,
    reason         TEXT,
    occurred_at    BIGINT,
    received_at    BIGINT NOT NULL,
    given_up_at    BIGINT, -- NULL while it is parked
    PRIMARY KEY (integration_id, ref, status)
);
CREATE INDEX unmatched_parked ON unmatched (received_at) WHERE given_up_at IS NULL;
CREATE INDEX unmatched_given_up ON unmatched (given_up_at) WHERE given_up_at IS NOT NULL;

-- Webhooks that could not be understood, sealed as they came.
CREATE TABLE unreadable (
    id             BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    integration_id TEXT COLLATE "C" NOT NULL,
    received_at    BIGINT NOT NULL,
    reason         TEXT NOT NULL,
    body           BYTEA NOT NULL
);
CREATE INDEX unreadable_age ON unreadable (received_at);

-- One row, written again and again: whether the database takes writes.
CREATE TABLE heartbeat (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    at BIGINT NOT NULL
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

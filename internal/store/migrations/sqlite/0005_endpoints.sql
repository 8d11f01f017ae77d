-- +goose Up
-- Addresses of the tenants' own that are told what happens: outbound webhooks.
CREATE TABLE endpoints (
    endpoint_id     TEXT PRIMARY KEY,
    tenant_id       TEXT NOT NULL REFERENCES tenants (tenant_id),
    name            TEXT NOT NULL,
    url             TEXT NOT NULL,
    types           TEXT, -- JSON list; none for all
    timeout_ms      INTEGER NOT NULL,
    secrets         BLOB NOT NULL, -- sealed
    disabled_code   TEXT,
    disabled_reason TEXT,
    disabled_at     INTEGER,
    failing_at      INTEGER, -- since when nothing but failures
    ok_at           INTEGER,
    failed_at       INTEGER,
    last_error      TEXT,
    fails           INTEGER NOT NULL DEFAULT 0, -- in a row
    cursor          TEXT NOT NULL, -- in the tenant's log: everything up to there was told, or is a message
    cursor_at       INTEGER,
    ahead           TEXT, -- JSON list: notices beyond the cursor that were told
    replay          TEXT, -- JSON: what is told once more
    generation      INTEGER NOT NULL, -- of the run that may write
    version         INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX endpoints_name ON endpoints (tenant_id, name);

-- What an endpoint is to be told apart from the log: it failed, stands behind what failed, or is told once more.
CREATE TABLE endpoint_messages (
    endpoint_id TEXT NOT NULL,
    notice_id   TEXT NOT NULL,
    type        TEXT NOT NULL,
    subject     TEXT NOT NULL,
    position    TEXT NOT NULL,
    at          INTEGER NOT NULL,
    tries       INTEGER NOT NULL,
    next_at     INTEGER,
    failed_at   INTEGER, -- when it ran out of tries
    data        TEXT NOT NULL,
    PRIMARY KEY (endpoint_id, notice_id)
) WITHOUT ROWID;
CREATE INDEX endpoint_messages_waiting ON endpoint_messages (endpoint_id) WHERE failed_at IS NULL;

-- Calls of endpoints.
CREATE TABLE endpoint_attempts (
    endpoint_id TEXT NOT NULL,
    attempt_id  TEXT NOT NULL,
    notice_id   TEXT NOT NULL,
    type        TEXT NOT NULL,
    try         INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    took_us     INTEGER NOT NULL,
    status      INTEGER NOT NULL, -- of HTTP; 0 for no answer
    ok          INTEGER NOT NULL,
    code        TEXT,
    error       TEXT,
    next_at     INTEGER,
    PRIMARY KEY (endpoint_id, attempt_id)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE endpoint_attempts;
DROP TABLE endpoint_messages;
DROP TABLE endpoints;

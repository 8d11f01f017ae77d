-- +goose Up
-- Addresses of the tenants' own that are told what happens: outbound webhooks.
CREATE TABLE endpoints (
    endpoint_id     TEXT COLLATE "C" PRIMARY KEY,
    tenant_id       TEXT COLLATE "C" NOT NULL REFERENCES tenants (tenant_id),
    name            TEXT COLLATE "C" NOT NULL,
    url             TEXT NOT NULL,
    types           TEXT, -- JSON list; none for all
    timeout_ms      BIGINT NOT NULL,
    secrets         BYTEA NOT NULL, -- sealed
    disabled_code   TEXT,
    disabled_reason TEXT,
    disabled_at     BIGINT,
    failing_at      BIGINT, -- since when nothing but failures
    ok_at           BIGINT,
    failed_at       BIGINT,
    last_error      TEXT,
    fails           BIGINT NOT NULL DEFAULT 0, -- in a row
    cursor          TEXT NOT NULL, -- in the tenant's log: everything up to there was told, or is a message
    cursor_at       BIGINT,
    ahead           TEXT, -- JSON list: notices beyond the cursor that were told
    replay          TEXT, -- JSON: what is told once more
    generation      BIGINT NOT NULL, -- of the run that may write
    version         BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);
CREATE UNIQUE INDEX endpoints_name ON endpoints (tenant_id, name);

-- What an endpoint is to be told apart from the log: it failed, stands behind what failed, or is told once more.
CREATE TABLE endpoint_messages (
    endpoint_id TEXT COLLATE "C" NOT NULL,
    notice_id   TEXT COLLATE "C" NOT NULL,
    type        TEXT COLLATE "C" NOT NULL,
    subject     TEXT NOT NULL,
    position    TEXT COLLATE "C" NOT NULL,
    at          BIGINT NOT NULL,
    tries       BIGINT NOT NULL,
    next_at     BIGINT,
    failed_at   BIGINT, -- when it ran out of tries
    data        TEXT NOT NULL,
    PRIMARY KEY (endpoint_id, notice_id)
);
CREATE INDEX endpoint_messages_waiting ON endpoint_messages (endpoint_id) WHERE failed_at IS NULL;

-- Calls of endpoints.
CREATE TABLE endpoint_attempts (
    endpoint_id TEXT COLLATE "C" NOT NULL,
    attempt_id  TEXT COLLATE "C" NOT NULL,
    notice_id   TEXT COLLATE "C" NOT NULL,
    type        TEXT NOT NULL,
    try         BIGINT NOT NULL,
    at          BIGINT NOT NULL,
    took_us     BIGINT NOT NULL,
    status      BIGINT NOT NULL, -- of HTTP; 0 for no answer
    ok          BIGINT NOT NULL,
    code        TEXT,
    error       TEXT,
    next_at     BIGINT,
    PRIMARY KEY (endpoint_id, attempt_id)
);

-- +goose Down
DROP TABLE endpoint_attempts;
DROP TABLE endpoint_messages;
DROP TABLE endpoints;

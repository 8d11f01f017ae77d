-- +goose Up
ALTER TABLE users ADD COLUMN email TEXT;
ALTER TABLE users ADD COLUMN locale TEXT;
ALTER TABLE users ADD COLUMN time_zone TEXT;
ALTER TABLE users ADD COLUMN attributes TEXT; -- JSON object

-- Installations of apps, and browsers. One stands for one address: whoever states an address has it.
CREATE TABLE devices (
    tenant_id      TEXT COLLATE "C" NOT NULL,
    device_id      TEXT COLLATE "C" NOT NULL, -- the installation's id, which the app makes
    user_id        TEXT COLLATE "C" NOT NULL,
    kind           TEXT COLLATE "C" NOT NULL,
    address        TEXT COLLATE "C" NOT NULL, -- token, installation id at the provider, or endpoint
    p256dh         TEXT,
    auth           TEXT,
    environment    TEXT,
    app_id         TEXT,
    platform       TEXT,
    locale         TEXT,
    time_zone      TEXT,
    app_version    TEXT,
    permission     TEXT NOT NULL,
    state          TEXT NOT NULL,
    retired_reason TEXT,
    retired_at     BIGINT,
    created_at     BIGINT NOT NULL,
    registered_at  BIGINT NOT NULL, -- when the address was last stated
    seen_at        BIGINT NOT NULL,
    ok_at          BIGINT,
    PRIMARY KEY (tenant_id, device_id)
);
CREATE UNIQUE INDEX devices_address ON devices (tenant_id, kind, address);
CREATE INDEX devices_user ON devices (tenant_id, user_id);
CREATE INDEX devices_seen ON devices (kind, seen_at) WHERE state <> 'retired';

-- What signs the tokens that tenants' backends give to their users.
CREATE TABLE user_keys (
    key_id     TEXT COLLATE "C" PRIMARY KEY,
    tenant_id  TEXT COLLATE "C" NOT NULL REFERENCES tenants (tenant_id),
    name       TEXT NOT NULL,
    algorithm  TEXT NOT NULL,
    public_key BYTEA, -- of EdDSA
    secret     BYTEA, -- of HS256, sealed
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX user_keys_tenant ON user_keys (tenant_id);

-- Short-lived credentials that the nodes share, sealed.
CREATE TABLE provider_tokens (
    name    TEXT COLLATE "C" PRIMARY KEY,
    sealed  BYTEA NOT NULL,
    made_at BIGINT NOT NULL
);

-- Notifications to audiences, which become deliveries step by step.
CREATE TABLE expansions (
    tenant_id       TEXT COLLATE "C" NOT NULL,
    notification_id TEXT COLLATE "C" NOT NULL,
    request         TEXT NOT NULL, -- JSON: what to say, to whom, over which integration
    priority        SMALLINT NOT NULL,
    due_at          BIGINT,
    expires_at      BIGINT,
    created_at      BIGINT NOT NULL,
    reached         TEXT COLLATE "C" NOT NULL, -- the last device that was planned for; they go by their ids
    planned         BIGINT NOT NULL, -- deliveries
    started_at      BIGINT,
    ended_at        BIGINT,
    outcome         TEXT, -- how it ended
    PRIMARY KEY (tenant_id, notification_id)
);
CREATE INDEX expansions_open ON expansions (tenant_id, notification_id) WHERE ended_at IS NULL;

-- +goose Down
DROP TABLE expansions;
DROP TABLE provider_tokens;
DROP TABLE user_keys;
DROP TABLE devices;
ALTER TABLE users DROP COLUMN attributes;
ALTER TABLE users DROP COLUMN time_zone;
ALTER TABLE users DROP COLUMN locale;
ALTER TABLE users DROP COLUMN email;

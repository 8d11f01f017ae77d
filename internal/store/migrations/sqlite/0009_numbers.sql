-- +goose Up
-- What a provider says of an account's sending number, as it last was.
CREATE TABLE numbers (
    integration_id TEXT PRIMARY KEY,
    tenant_id      TEXT NOT NULL,
    state          TEXT NOT NULL, -- JSON
    at             INTEGER NOT NULL -- when it was said
) WITHOUT ROWID;

-- Files that a provider keeps, so that each is uploaded once.
CREATE TABLE media (
    integration_id TEXT NOT NULL,
    scope          TEXT NOT NULL, -- whose account
    sha256         TEXT NOT NULL,
    media_type     TEXT NOT NULL,
    tenant_id      TEXT NOT NULL,
    media_id       TEXT NOT NULL,
    size           INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    PRIMARY KEY (integration_id, scope, sha256, media_type)
) WITHOUT ROWID;
CREATE INDEX media_expires ON media (expires_at);

-- +goose Down
DROP TABLE media;
DROP TABLE numbers;

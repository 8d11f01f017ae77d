-- +goose Up
-- What a provider says of an account's sending number, as it last was.
CREATE TABLE numbers (
    integration_id TEXT COLLATE "C" PRIMARY KEY,
    tenant_id      TEXT COLLATE "C" NOT NULL,
    state          TEXT NOT NULL, -- JSON
    at             BIGINT NOT NULL -- when it was said
);

-- Files that a provider keeps, so that each is uploaded once.
CREATE TABLE media (
    integration_id TEXT COLLATE "C" NOT NULL,
    scope          TEXT COLLATE "C" NOT NULL, -- whose account
    sha256         TEXT COLLATE "C" NOT NULL,
    media_type     TEXT COLLATE "C" NOT NULL,
    tenant_id      TEXT COLLATE "C" NOT NULL,
    media_id       TEXT COLLATE "C" NOT NULL,
    size           BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    PRIMARY KEY (integration_id, scope, sha256, media_type)
);
CREATE INDEX media_expires ON media (expires_at);

-- +goose Down
DROP TABLE media;
DROP TABLE numbers;

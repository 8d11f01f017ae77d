-- +goose Up
-- Messages that providers have approved, or may, as their catalogues have them.
CREATE TABLE templates (
    integration_id TEXT COLLATE "C" NOT NULL,
    name           TEXT COLLATE "C" NOT NULL,
    language       TEXT COLLATE "C" NOT NULL,
    tenant_id      TEXT COLLATE "C" NOT NULL,
    provider_id    TEXT,
    category       TEXT,
    status         TEXT NOT NULL,
    format         TEXT,
    quality        TEXT,
    reason         TEXT,
    components     TEXT, -- JSON, as the provider lists them
    state_at       BIGINT NOT NULL,
    changed_at     BIGINT NOT NULL,
    heard_at       BIGINT, -- of its newest news, by the provider's clock
    stopped        TEXT, -- the status that a call's answer said, while the catalogue says another
    stopped_reason TEXT,
    stopped_at     BIGINT,
    broken_code    TEXT,
    broken_reason  TEXT,
    broken_at      BIGINT,
    PRIMARY KEY (integration_id, name, language)
);

CREATE TABLE catalogues (
    integration_id TEXT COLLATE "C" PRIMARY KEY,
    tenant_id      TEXT COLLATE "C" NOT NULL,
    version        BIGINT NOT NULL,
    of_version     BIGINT NOT NULL, -- of the integration
    synced_at      BIGINT,
    tried_at       BIGINT,
    asked_at       BIGINT,
    forced         SMALLINT NOT NULL, -- 1: it was a person who asked
    pages          INTEGER NOT NULL,
    failures       INTEGER NOT NULL,
    error          TEXT
);

-- +goose Down
DROP TABLE catalogues;
DROP TABLE templates;

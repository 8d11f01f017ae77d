-- +goose Up
-- Messages that providers have approved, or may, as their catalogues have them.
CREATE TABLE templates (
    integration_id TEXT NOT NULL,
    name           TEXT NOT NULL,
    language       TEXT NOT NULL,
    tenant_id      TEXT NOT NULL,
    provider_id    TEXT,
    category       TEXT,
    status         TEXT NOT NULL,
    format         TEXT,
    quality        TEXT,
    reason         TEXT,
    components     TEXT, -- JSON, as the provider lists them
    state_at       INTEGER NOT NULL,
    changed_at     INTEGER NOT NULL,
    heard_at       INTEGER, -- of its newest news, by the provider's clock
    stopped        TEXT, -- the status that a call's answer said, while the catalogue says another
    stopped_reason TEXT,
    stopped_at     INTEGER,
    broken_code    TEXT,
    broken_reason  TEXT,
    broken_at      INTEGER,
    PRIMARY KEY (integration_id, name, language)
) WITHOUT ROWID;

CREATE TABLE catalogues (
    integration_id TEXT PRIMARY KEY,
    tenant_id      TEXT NOT NULL,
    version        INTEGER NOT NULL,
    of_version     INTEGER NOT NULL, -- of the integration
    synced_at      INTEGER,
    tried_at       INTEGER,
    asked_at       INTEGER,
    forced         INTEGER NOT NULL, -- 1: it was a person who asked
    pages          INTEGER NOT NULL,
    failures       INTEGER NOT NULL,
    error          TEXT
) WITHOUT ROWID;

-- +goose Down
DROP TABLE catalogues;
DROP TABLE templates;

-- +goose Up
-- What was heard of integrations, and what is thought of them.
CREATE TABLE integration_watch (
    integration_id  TEXT PRIMARY KEY,
    since           INTEGER NOT NULL, -- from when on it is watched
    last_webhook_at INTEGER,
    last_receipt_at INTEGER,
    refused         INTEGER NOT NULL DEFAULT 0, -- webhooks without the right secret, since the last with it
    heard_state     TEXT, -- of its session, by the provider's last word
    heard_at        INTEGER, -- when it was said to Peal
    session_state   TEXT, -- as its tenant was told
    session_at      INTEGER,
    suspect_since   INTEGER, -- NULL: it is above suspicion
    suspect_reason  TEXT
) WITHOUT ROWID;

-- +goose Down
DROP TABLE integration_watch;

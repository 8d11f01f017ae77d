-- +goose Up
-- What was heard of integrations, and what is thought of them.
CREATE TABLE integration_watch (
    integration_id  TEXT COLLATE "C" PRIMARY KEY,
    since           BIGINT NOT NULL, -- from when on it is watched
    last_webhook_at BIGINT,
    last_receipt_at BIGINT,
    refused         BIGINT NOT NULL DEFAULT 0, -- webhooks without the right secret, since the last with it
    heard_state     TEXT, -- of its session, by the provider's last word
    heard_at        BIGINT, -- when it was said to Peal
    session_state   TEXT, -- as its tenant was told
    session_at      BIGINT,
    suspect_since   BIGINT, -- NULL: it is above suspicion
    suspect_reason  TEXT
);

-- +goose Down
DROP TABLE integration_watch;

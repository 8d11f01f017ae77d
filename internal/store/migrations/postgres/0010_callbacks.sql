-- +goose Up
-- A held webhook that is folded in only waits for the broker, which keeps it with the others.
ALTER TABLE held_callbacks ADD COLUMN folded_at BIGINT;
CREATE INDEX held_callbacks_folded ON held_callbacks (id) WHERE folded_at IS NOT NULL;
CREATE INDEX held_callbacks_waiting ON held_callbacks (id) WHERE folded_at IS NULL;

-- What a webhook is known by among those that the broker keeps: one that comes twice stands once.
ALTER TABLE unreadable ADD COLUMN mark TEXT COLLATE "C";
CREATE UNIQUE INDEX unreadable_mark ON unreadable (mark);
CREATE INDEX unreadable_integration ON unreadable (integration_id, id);

-- Kept webhooks that are run through the parsers again.
CREATE TABLE replays (
    tenant_id  TEXT COLLATE "C" NOT NULL,
    replay_id  TEXT COLLATE "C" NOT NULL,
    replay     TEXT NOT NULL, -- JSON: what was asked for, and how far it is
    created_at BIGINT NOT NULL,
    ended_at   BIGINT,
    PRIMARY KEY (tenant_id, replay_id)
);
CREATE INDEX replays_open ON replays (replay_id) WHERE ended_at IS NULL;
CREATE INDEX replays_ended ON replays (ended_at) WHERE ended_at IS NOT NULL;

-- +goose Down
DROP TABLE replays;
DROP INDEX unreadable_integration;
DROP INDEX unreadable_mark;
ALTER TABLE unreadable DROP COLUMN mark;
DROP INDEX held_callbacks_waiting;
DROP INDEX held_callbacks_folded;
ALTER TABLE held_callbacks DROP COLUMN folded_at;

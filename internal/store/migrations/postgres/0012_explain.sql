-- +goose Up
-- How long an attempt had waited for its turn, and for what.
ALTER TABLE delivery_events ADD COLUMN waited_us BIGINT;
ALTER TABLE delivery_events ADD COLUMN waited_for TEXT;

-- Requests that were answered from this notification, having its idempotency key; NULL where there was none.
ALTER TABLE notifications ADD COLUMN replays BIGINT;
ALTER TABLE notifications ADD COLUMN replayed_at BIGINT;
ALTER TABLE notifications ADD COLUMN replayed_key TEXT;

-- +goose Down
ALTER TABLE notifications DROP COLUMN replayed_key;
ALTER TABLE notifications DROP COLUMN replayed_at;
ALTER TABLE notifications DROP COLUMN replays;
ALTER TABLE delivery_events DROP COLUMN waited_for;
ALTER TABLE delivery_events DROP COLUMN waited_us;

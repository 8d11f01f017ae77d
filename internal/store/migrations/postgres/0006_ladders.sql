-- +goose Up
-- A delivery's place on its notification's ladder; NULL of those that are on none.
ALTER TABLE communications_log ADD COLUMN rung SMALLINT;
ALTER TABLE communications_log ADD COLUMN unless TEXT; -- delivered or read: such a receipt on a rung before makes it needless
ALTER TABLE communications_log ADD COLUMN rung_at BIGINT; -- its turn, unless the rung before ends without success earlier
ALTER TABLE notifications ADD COLUMN ladder TEXT; -- JSON: the ladder as it was asked for

-- +goose Down
ALTER TABLE notifications DROP COLUMN ladder;
ALTER TABLE communications_log DROP COLUMN rung_at;
ALTER TABLE communications_log DROP COLUMN unless;
ALTER TABLE communications_log DROP COLUMN rung;

-- What such an application keeps of each message: the row that support looks at, with the two indexes that it asks for.
CREATE TABLE notification_log (
    id         uuid PRIMARY KEY,
    recipient  text NOT NULL,
    body       text NOT NULL,
    status     text NOT NULL,
    message_id text,
    error      text,
    attempts   integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    sent_at    timestamptz
);
CREATE INDEX notification_log_recipient ON notification_log (recipient, created_at);
CREATE INDEX notification_log_message ON notification_log (message_id) WHERE message_id IS NOT NULL;

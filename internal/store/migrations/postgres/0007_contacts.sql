-- +goose Up
ALTER TABLE users ADD COLUMN whatsapp_user_id TEXT;

-- What people wrote to the tenants' accounts.
CREATE TABLE inbound (
    tenant_id      TEXT COLLATE "C" NOT NULL,
    inbound_id     TEXT COLLATE "C" NOT NULL,
    integration_id TEXT COLLATE "C" NOT NULL,
    message_id     TEXT COLLATE "C" NOT NULL, -- the provider's
    sender         TEXT COLLATE "C", -- E.164
    sender_id      TEXT COLLATE "C", -- WhatsApp user id
    name           TEXT,
    type           TEXT NOT NULL,
    text           TEXT,
    content        TEXT, -- JSON, as the provider words it
    reply_to       TEXT,
    delivery_id    TEXT COLLATE "C",
    media_id       TEXT,
    media_type     TEXT,
    at             BIGINT NOT NULL,
    received_at    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, inbound_id)
);
CREATE UNIQUE INDEX inbound_message ON inbound (integration_id, message_id);
CREATE INDEX inbound_sender ON inbound (tenant_id, sender, inbound_id) WHERE sender IS NOT NULL;
CREATE INDEX inbound_sender_id ON inbound (tenant_id, sender_id, inbound_id) WHERE sender_id IS NOT NULL;
CREATE INDEX inbound_delivery ON inbound (tenant_id, delivery_id, inbound_id) WHERE delivery_id IS NOT NULL;

-- People as an integration's account knows them. Whoever is known by number and by user id has a row for each.
CREATE TABLE contacts (
    tenant_id       TEXT COLLATE "C" NOT NULL,
    integration_id  TEXT COLLATE "C" NOT NULL,
    contact         TEXT COLLATE "C" NOT NULL, -- E.164 or WhatsApp user id
    other           TEXT, -- the other one
    name            TEXT,
    last_inbound_at BIGINT, -- by the provider's clock
    updated_at      BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, integration_id, contact)
);
CREATE INDEX contacts_contact ON contacts (tenant_id, contact);

-- What people want to be told.
CREATE TABLE consents (
    tenant_id TEXT COLLATE "C" NOT NULL,
    contact   TEXT COLLATE "C" NOT NULL, -- E.164 or WhatsApp user id
    channel   TEXT COLLATE "C" NOT NULL,
    category  TEXT COLLATE "C" NOT NULL, -- or all
    state     TEXT NOT NULL, -- in, out
    source    TEXT NOT NULL,
    at        BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, contact, channel, category)
);
CREATE INDEX consents_out ON consents (tenant_id, contact, channel, category) WHERE state = 'out';

-- Since when webhooks of an integration have been folded in.
CREATE TABLE listening (
    integration_id TEXT COLLATE "C" PRIMARY KEY,
    since          BIGINT NOT NULL
);

-- +goose Down
DROP TABLE listening;
DROP TABLE consents;
DROP TABLE contacts;
DROP TABLE inbound;
ALTER TABLE users DROP COLUMN whatsapp_user_id;

CREATE TABLE events (
    event_id    uuid         PRIMARY KEY,
    event_type  varchar(255) NOT NULL,
    source      varchar(255) NOT NULL,
    "timestamp" timestamptz  NOT NULL,
    payload     jsonb        NOT NULL DEFAULT '{}',
    metadata    jsonb        NOT NULL DEFAULT '{}',
    created_at  timestamptz  NOT NULL DEFAULT now()
);

CREATE INDEX events_event_type_idx ON events (event_type);
CREATE INDEX events_source_idx ON events (source);
CREATE INDEX events_timestamp_idx ON events ("timestamp");
CREATE INDEX events_created_at_idx ON events (created_at);

COMMENT ON TABLE events IS 'One row for each accepted event; event_id is what makes delivery idempotent.';
COMMENT ON COLUMN events."timestamp" IS 'When it happened, as the producer says.';
COMMENT ON COLUMN events.created_at IS 'When it was stored here.';

-- Instants are text in UTC with six fractional digits, so that they sort as
-- they are: 2006-01-02T15:04:05.000000Z.
CREATE TABLE events (
    event_id    TEXT PRIMARY KEY NOT NULL CHECK (length(event_id) = 36),
    event_type  TEXT NOT NULL CHECK (length(event_type) <= 255),
    source      TEXT NOT NULL CHECK (length(source) <= 255),
    "timestamp" TEXT NOT NULL,
    payload     TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(payload)),
    metadata    TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metadata)),
    created_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
) STRICT;

CREATE INDEX events_event_type_idx ON events (event_type);
CREATE INDEX events_source_idx ON events (source);
CREATE INDEX events_timestamp_idx ON events ("timestamp");
CREATE INDEX events_created_at_idx ON events (created_at);

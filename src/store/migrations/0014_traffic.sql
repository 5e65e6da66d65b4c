-- Totals of each website at the end of each minute of the last day. Rates are differences of neighbours, so a restart loses
-- nothing. pending, oldest_at: the events that waited, and the capture of the oldest change among them.
CREATE TABLE traffic_minute (
    minute     INTEGER NOT NULL,
    website_id INTEGER NOT NULL,
    delivered  INTEGER NOT NULL,
    parked     INTEGER NOT NULL,
    pending    INTEGER NOT NULL,
    oldest_at  INTEGER,
    PRIMARY KEY (minute, website_id)
) STRICT, WITHOUT ROWID;

-- The same at the end of each day in UTC, by kind and outcome.
CREATE TABLE traffic_day (
    day        INTEGER NOT NULL,
    website_id INTEGER NOT NULL,
    kind       INTEGER NOT NULL,
    outcome    TEXT    NOT NULL,
    events     INTEGER NOT NULL,
    PRIMARY KEY (day, website_id, kind, outcome)
) STRICT, WITHOUT ROWID;

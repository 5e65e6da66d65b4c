-- Times are milliseconds since 1970-01-01T00:00:00Z. Tables that Commerce has too keep Commerce's names and words.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE website (
    id   INTEGER PRIMARY KEY,
    code TEXT NOT NULL UNIQUE
) STRICT;

-- The positions in the source. They move only in the transaction that appends the changes they cover (I1).
CREATE TABLE source_cursor (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The changelog. AUTOINCREMENT: a version id is never given twice, even after every row was cleaned (I8).
-- No secondary index: on a random column it makes appends ten times slower.
CREATE TABLE sales_order_data_exporter_v2_cl (
    version_id   INTEGER PRIMARY KEY AUTOINCREMENT,
    entity_id    INTEGER NOT NULL,
    source_table TEXT    NOT NULL,
    op           TEXT    NOT NULL,
    observed_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE mview_state (
    view_id    TEXT PRIMARY KEY,
    mode       TEXT NOT NULL CHECK (mode IN ('enabled', 'disabled')),
    status     TEXT NOT NULL CHECK (status IN ('idle', 'working', 'suspended')),
    version_id INTEGER NOT NULL,
    updated    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE indexer_state (
    indexer_id  TEXT PRIMARY KEY,
    status      TEXT NOT NULL CHECK (status IN ('valid', 'invalid', 'working', 'suspended')),
    hash_config TEXT NOT NULL,
    updated     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The feed: the last indexed version of each order, as a hash with its routing; nothing personal.
-- exported: 0 events are derived, otherwise the reason against it (feed::Exported).
CREATE TABLE sales_data_exporter_orders_v2 (
    id          INTEGER PRIMARY KEY,
    number      TEXT    NOT NULL,
    website_id  INTEGER,
    feed_hash   BLOB    NOT NULL,
    exported    INTEGER NOT NULL,
    is_deleted  INTEGER NOT NULL DEFAULT 0,
    modified_at INTEGER NOT NULL
) STRICT;

-- Orders that could not be indexed. They are retried one by one; the others of their page were indexed.
CREATE TABLE index_failure (
    entity_id INTEGER PRIMARY KEY,
    attempts  INTEGER NOT NULL,
    first_at  INTEGER NOT NULL,
    due_at    INTEGER NOT NULL,
    reason    TEXT    NOT NULL
) STRICT;

-- Backfills: full reindex, resync, first sync. The position moves with each batch, so a kill repeats one batch.
CREATE TABLE walk (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT    NOT NULL,
    options     TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('running', 'complete', 'cancelled')),
    below       INTEGER,
    total       INTEGER NOT NULL,
    done        INTEGER NOT NULL,
    events      INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;

-- One row for each event ever derived, for idempotence. Delivery does not touch it: state 0 means "as its batch", and a
-- batch whose row was removed was delivered.
CREATE TABLE outbox_event (
    order_id    INTEGER NOT NULL,
    kind        INTEGER NOT NULL,
    document_id INTEGER NOT NULL,
    batch_id    INTEGER NOT NULL,
    state       INTEGER NOT NULL CHECK (state IN (0, 1, 2)),
    body_hash   INTEGER NOT NULL,
    PRIMARY KEY (order_id, kind, document_id)
) STRICT, WITHOUT ROWID;

-- Frozen events that are sent together. AUTOINCREMENT: an id is never reused, see outbox_event.
-- class: 0 live, 1 history. state: 0 pending, 1 delivered.
CREATE TABLE outbox_batch (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    website_id      INTEGER NOT NULL,
    class           INTEGER NOT NULL,
    state           INTEGER NOT NULL,
    events          INTEGER NOT NULL,
    bytes           INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    changed_at      INTEGER NOT NULL,
    due_at          INTEGER NOT NULL,
    attempts        INTEGER NOT NULL DEFAULT 0,
    last_attempt_at INTEGER,
    last_status     INTEGER,
    last_error      TEXT,
    request_id      TEXT,
    finished_at     INTEGER
) STRICT;
CREATE INDEX outbox_batch_pending  ON outbox_batch (website_id, class, id) WHERE state = 0;
CREATE INDEX outbox_batch_finished ON outbox_batch (finished_at) WHERE state = 1;

-- The bytes, apart from the row above, so that settling an answer does not rewrite them.
CREATE TABLE outbox_body (
    batch_id INTEGER PRIMARY KEY,
    contents BLOB NOT NULL,
    body     BLOB NOT NULL
) STRICT;

-- batch_id waits until after_id is final: they hold events of the same order (I6).
CREATE TABLE outbox_dependency (
    after_id INTEGER NOT NULL,
    batch_id INTEGER NOT NULL,
    PRIMARY KEY (after_id, batch_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_dependency_batch ON outbox_dependency (batch_id);

-- The parked events. body is NULL if the event could not be rendered.
CREATE TABLE outbox_parked (
    order_id    INTEGER NOT NULL,
    kind        INTEGER NOT NULL,
    document_id INTEGER NOT NULL,
    website_id  INTEGER NOT NULL,
    code        TEXT    NOT NULL,
    detail      TEXT    NOT NULL,
    status      INTEGER,
    request_id  TEXT,
    attempts    INTEGER NOT NULL,
    parked_at   INTEGER NOT NULL,
    body        BLOB,
    PRIMARY KEY (order_id, kind, document_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox_suppressed (
    order_id      INTEGER NOT NULL,
    kind          INTEGER NOT NULL,
    document_id   INTEGER NOT NULL,
    reason        TEXT    NOT NULL,
    suppressed_at INTEGER NOT NULL,
    PRIMARY KEY (order_id, kind, document_id)
) STRICT, WITHOUT ROWID;

-- Final states, counted as they happen, so that `status` never counts rows.
CREATE TABLE outbox_total (
    website_id INTEGER NOT NULL,
    kind       INTEGER NOT NULL,
    outcome    TEXT    NOT NULL,
    events     INTEGER NOT NULL,
    PRIMARY KEY (website_id, kind, outcome)
) STRICT, WITHOUT ROWID;

CREATE TABLE sender (
    website_id INTEGER PRIMARY KEY,
    state      TEXT    NOT NULL CHECK (state IN ('running', 'backing_off', 'halted', 'paused')),
    code       TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    since      INTEGER NOT NULL,
    until      INTEGER,
    failures   INTEGER NOT NULL
) STRICT;

-- Running work and its process. Void as soon as another process holds the lock file.
CREATE TABLE lease (
    name         TEXT PRIMARY KEY,
    holder       TEXT    NOT NULL,
    pid          INTEGER NOT NULL,
    acquired_at  INTEGER NOT NULL,
    heartbeat_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE cron_job (
    job_code          TEXT PRIMARY KEY,
    last_scheduled_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE cron_schedule (
    schedule_id  INTEGER PRIMARY KEY AUTOINCREMENT,
    job_code     TEXT    NOT NULL,
    status       TEXT    NOT NULL CHECK (status IN ('pending', 'running', 'success', 'missed', 'error')),
    messages     TEXT    NOT NULL,
    scheduled_at INTEGER NOT NULL,
    executed_at  INTEGER,
    finished_at  INTEGER
) STRICT;
CREATE INDEX cron_schedule_job ON cron_schedule (job_code, schedule_id);

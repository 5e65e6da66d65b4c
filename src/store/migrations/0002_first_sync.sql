-- The first sync of each website whose back-office events were ever enabled. A row is created then, and stays.
-- floor: orders created before it have no events in the first sync; NULL means any age. walk_id: the backfill that reads
-- the history, one for several websites or one of its own. limited_by: the limiting factor, as last measured.
CREATE TABLE first_sync (
    website_id   INTEGER PRIMARY KEY,
    state        TEXT    NOT NULL CHECK (state IN ('not_started', 'reindexing', 'sending', 'complete')),
    started_at   INTEGER NOT NULL,
    deadline     INTEGER NOT NULL,
    floor        INTEGER,
    walk_id      INTEGER,
    total_orders INTEGER NOT NULL DEFAULT 0,
    done_orders  INTEGER NOT NULL DEFAULT 0,
    events       INTEGER NOT NULL DEFAULT 0,
    sent_events  INTEGER NOT NULL DEFAULT 0,
    completed_at INTEGER,
    warned_early INTEGER NOT NULL DEFAULT 0,
    warned_late  INTEGER NOT NULL DEFAULT 0,
    limited_by   TEXT
) STRICT;

-- The backfill that queued a batch: its pending events stay countable after some became live.
ALTER TABLE outbox_batch ADD COLUMN walk_id INTEGER;

-- With the number of events in the index, counting what is pending reads the index alone.
DROP INDEX outbox_batch_pending;
CREATE INDEX outbox_batch_pending ON outbox_batch (website_id, class, id, events, walk_id) WHERE state = 0;

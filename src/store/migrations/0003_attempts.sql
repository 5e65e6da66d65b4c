-- Failed attempts. A success is stored in its batch's own columns, because a row for each would slow delivery down. Their
-- number per batch is limited (outbox::attempts), and they are removed with its body.
CREATE TABLE outbox_attempt (
    batch_id    INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    request_id  TEXT,
    status      INTEGER,
    code        TEXT,
    error       TEXT,
    duration_ms INTEGER,
    PRIMARY KEY (batch_id, attempt)
) STRICT, WITHOUT ROWID;

-- Duration of the last attempt.
ALTER TABLE outbox_batch ADD COLUMN duration_ms INTEGER;
-- The batch that the events were in before (a split, a retried parked event). Its attempts up to parent_until are theirs
-- too.
ALTER TABLE outbox_batch ADD COLUMN parent_id INTEGER;
ALTER TABLE outbox_batch ADD COLUMN parent_until INTEGER;

-- The person whom a stored body names, so that suppression and erasure ask an index. A row covers a run of events of a
-- batch: `events` of them, from position `first` on. Events that name no person have no row. Rows are removed with the
-- body, so an event past its retention costs nothing here.
--
-- block is batch_id / 16. Hashes are random: with the person alone in front, every new row would dirty a page of its own,
-- and a first sync would write several times as much. The block keeps new rows together. A search for a person probes
-- once for each block; the rows of one batch are found by reading its block.
CREATE TABLE outbox_person (
    block    INTEGER NOT NULL,
    person   BLOB    NOT NULL,
    batch_id INTEGER NOT NULL,
    first    INTEGER NOT NULL,
    events   INTEGER NOT NULL,
    PRIMARY KEY (block, person, batch_id, first)
) STRICT, WITHOUT ROWID;

-- NULL: not known yet, for rows of an earlier version. Empty: the body names no person.
ALTER TABLE outbox_parked ADD COLUMN person BLOB;
CREATE INDEX outbox_parked_person ON outbox_parked (person);

-- Batches up to this id are of an earlier version and have no rows in outbox_person yet. They are converted in small
-- steps (outbox::persons), because reading every body here could take minutes.
INSERT INTO meta SELECT 'persons_unknown_upto', CAST(seq AS TEXT) FROM sqlite_sequence WHERE name = 'outbox_batch';

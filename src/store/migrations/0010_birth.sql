-- Birth marks: what distinguishes two documents that Commerce gave the same id (orderfeed_model::birth). The first mark of an
-- order is in its feed row, NULL in rows of an earlier version: the next reading sets it. Those of invoices, shipments, credit
-- memos and returns are in document_birth. document is 8 * id + kind (store::feed::birth).
ALTER TABLE sales_data_exporter_orders_v2 ADD COLUMN birth_mark INTEGER;
CREATE TABLE document_birth (
    document INTEGER PRIMARY KEY,
    mark     INTEGER NOT NULL
) STRICT;

-- Documents whose id belonged to another one before; few, if any. Their events are those of the same generation: wherever
-- the store holds an event's kind as part of its key, it is kind + 256 * generation.
CREATE TABLE later_birth (
    document      INTEGER NOT NULL,
    generation    INTEGER NOT NULL CHECK (generation > 0),
    mark          INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL,
    PRIMARY KEY (document, generation)
) STRICT, WITHOUT ROWID;

-- Persons whose events are not sent: SHA-256 of the trimmed, lower-case e-mail address, as in an event's identity. Never
-- an address.
CREATE TABLE suppression (
    person   BLOB PRIMARY KEY,
    added_at INTEGER NOT NULL,
    note     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Events whose bodies were erased at a person's request: they are never sent again. Ids only.
CREATE TABLE outbox_erased (
    order_id    INTEGER NOT NULL,
    kind        INTEGER NOT NULL,
    document_id INTEGER NOT NULL,
    erased_at   INTEGER NOT NULL,
    PRIMARY KEY (order_id, kind, document_id)
) STRICT, WITHOUT ROWID;

-- A batch without a row counts as delivered (see outbox_event). So the row of a pending batch that has events, and their
-- bytes, cannot be deleted, not even by an operator's own statement. Code that removes the last event of a batch sets
-- events = 0 first.
CREATE TRIGGER outbox_batch_guard BEFORE DELETE ON outbox_batch WHEN old.state = 0 AND old.events > 0
BEGIN
    SELECT RAISE(ABORT, 'this batch was not delivered yet: without its row its events would count as delivered');
END;
CREATE TRIGGER outbox_body_guard BEFORE DELETE ON outbox_body
    WHEN EXISTS (SELECT 1 FROM outbox_batch WHERE id = old.batch_id AND state = 0 AND events > 0)
BEGIN
    SELECT RAISE(ABORT, 'these events were not delivered yet: without their bytes they never would be');
END;

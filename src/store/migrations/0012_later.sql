-- Pending batches with a due time of their own: retried ones, and events that are dated in the future. They are few, and
-- counting the latter reads no others.
CREATE INDEX outbox_batch_later ON outbox_batch (website_id, due_at, attempts, events, walk_id) WHERE state = 0 AND due_at > 0;

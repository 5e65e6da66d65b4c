-- When a first sync was interrupted because its website was switched off, or taken out of the configuration; NULL while it
-- goes on. It begins a new window when the website is enabled again.
ALTER TABLE first_sync ADD COLUMN interrupted_at INTEGER;

-- 1: the order failed in a walk that keeps to first_sync.history, so its retry keeps to it as well. Whatever failed as a
-- live change, or was named, has all its events however old it is.
ALTER TABLE index_failure ADD COLUMN limited INTEGER NOT NULL DEFAULT 0;

-- Time at which a first sync was interrupted, because its website was disabled or removed from the configuration. It gets
-- a new window when the website is enabled again.
ALTER TABLE first_sync ADD COLUMN interrupted_at INTEGER;

-- 1: the order failed in a backfill limited by first_sync.history, so its retry has that limit as well. An order that
-- failed as a live change, or was named, has all its events however old it is.
ALTER TABLE index_failure ADD COLUMN limited INTEGER NOT NULL DEFAULT 0;

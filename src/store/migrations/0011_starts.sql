-- Starts of a backfill since its position last moved: more than one means that a process was killed inside a page, which is
-- read in smaller ones then.
ALTER TABLE walk ADD COLUMN starts INTEGER NOT NULL DEFAULT 0;

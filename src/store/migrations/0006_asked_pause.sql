-- End of the pause that the edge asked for, by website. It is kept apart from the sender's state, so that it survives an
-- operator's pause and resume, a halt and a restart.
CREATE TABLE asked_pause (
    website_id INTEGER PRIMARY KEY,
    until      INTEGER NOT NULL
) STRICT;

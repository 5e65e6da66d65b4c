-- Until when the edge asked to be left alone, by website: apart from the sender's state, so that neither an operator's
-- pause and resume nor a halt and a restart forgets it.
CREATE TABLE asked_pause (
    website_id INTEGER PRIMARY KEY,
    until      INTEGER NOT NULL
) STRICT;

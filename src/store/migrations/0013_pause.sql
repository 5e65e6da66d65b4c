-- The pauses that peers asked for, each by what it binds: a datastream, the organization, or the client of the token
-- service. Pauses of earlier versions belonged to a website, and keep to it.
CREATE TABLE pause (
    scope    TEXT    NOT NULL,
    owner    TEXT    NOT NULL,
    until    INTEGER NOT NULL,
    asked_at INTEGER NOT NULL,
    code     TEXT    NOT NULL,
    PRIMARY KEY (scope, owner)
) STRICT, WITHOUT ROWID;

INSERT INTO pause SELECT 'website', w.code, p.until, 0, '' FROM asked_pause p JOIN website w ON w.id = p.website_id;
DROP TABLE asked_pause;

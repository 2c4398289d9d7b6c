-- The processes that follow the changes, each until a time (in milliseconds) by which it trusts nothing that it read before, unless
-- it puts that time off. What a process has seen is what was visible in the last snapshot whose changes it has taken in; it relies on
-- that for so many milliseconds.
CREATE TABLE tower_api_key_node (
    node      TEXT COLLATE "C" PRIMARY KEY,
    expires_at BIGINT NOT NULL,
    applied    PG_SNAPSHOT NOT NULL,
    lease     BIGINT NOT NULL
);

-- The highest transaction of which a change was taken off the feed, in one row: whoever was not told of all changes from there on
-- cannot tell what has changed.
CREATE TABLE tower_api_key_change_trim (tx XID8 NOT NULL);
INSERT INTO tower_api_key_change_trim (tx) VALUES ('0');

-- What a server calls its time: emptied by itself when a server has crashed or is promoted, as what is unlogged does, and then given
-- another name. Whoever reads it is told an error by a standby, which may be behind.
CREATE UNLOGGED TABLE tower_api_key_epoch (
    is_only BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (is_only),
    epoch     TEXT NOT NULL DEFAULT gen_random_uuid()::TEXT
);

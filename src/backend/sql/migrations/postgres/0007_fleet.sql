-- The nodes that follow the changes. Until `expires_at` (in milliseconds), which a node extends, the node may trust its cache.
-- `applied` is the last snapshot whose changes the node has applied; it relies on them for `lease` milliseconds.
CREATE TABLE tower_api_key_node (
    node      TEXT COLLATE "C" PRIMARY KEY,
    expires_at BIGINT NOT NULL,
    applied    PG_SNAPSHOT NOT NULL,
    lease     BIGINT NOT NULL
);

-- The highest transaction of which a change was trimmed, in one row: a node that has not read all changes from there on cannot
-- tell what has changed.
CREATE TABLE tower_api_key_change_trim (tx XID8 NOT NULL);
INSERT INTO tower_api_key_change_trim (tx) VALUES ('0');

-- The epoch of a server. Unlogged tables are emptied when a server has crashed or is promoted, and a new epoch is generated then.
-- Reading it fails on a standby, which may be behind.
CREATE UNLOGGED TABLE tower_api_key_epoch (
    is_only BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (is_only),
    epoch     TEXT NOT NULL DEFAULT gen_random_uuid()::TEXT
);

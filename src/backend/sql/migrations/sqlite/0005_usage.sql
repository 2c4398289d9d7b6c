-- Requests by key and day (days since the Unix epoch, in UTC). The owner is stored as well: usage outlives its key.
CREATE TABLE tower_api_key_usage (
    key_id             TEXT NOT NULL,
    day                INTEGER NOT NULL,
    environment        TEXT NOT NULL CHECK (environment IN ('live', 'test')),
    owner_organization TEXT,
    owner_email        TEXT,
    owner_project      TEXT,
    requests           INTEGER NOT NULL,
    PRIMARY KEY (key_id, day, environment)
) STRICT, WITHOUT ROWID;
CREATE INDEX tower_api_key_usage_by_day ON tower_api_key_usage (day);
CREATE INDEX tower_api_key_usage_by_organization ON tower_api_key_usage (owner_organization, day)
    WHERE owner_organization IS NOT NULL;
CREATE INDEX tower_api_key_usage_by_email ON tower_api_key_usage (owner_email, day) WHERE owner_email IS NOT NULL;

-- The last batch of each writer, so that a batch that is sent twice is added once.
CREATE TABLE tower_api_key_usage_writer (
    writer TEXT PRIMARY KEY,
    batch  INTEGER NOT NULL,
    at     INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER))
) STRICT;

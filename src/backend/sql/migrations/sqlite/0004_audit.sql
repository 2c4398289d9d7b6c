ALTER TABLE tower_api_key ADD COLUMN revoked_by TEXT;

-- One row for each key that was changed, written in the transaction of the change. Rows stay when their keys are deleted.
CREATE TABLE tower_api_key_audit (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    at             INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
    action         TEXT NOT NULL,
    key_id         TEXT NOT NULL,
    related_key_id TEXT,
    made_by        TEXT
) STRICT;
CREATE INDEX tower_api_key_audit_by_key ON tower_api_key_audit (key_id, seq);
CREATE INDEX tower_api_key_audit_by_time ON tower_api_key_audit (at);

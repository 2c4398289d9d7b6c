ALTER TABLE tower_api_key ADD COLUMN revoked_by TEXT;

-- One row for each key that was changed, written in the transaction of the change. Rows stay when their keys are deleted.
CREATE TABLE tower_api_key_audit (
    seq            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at             BIGINT NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT,
    action         TEXT NOT NULL,
    key_id         TEXT COLLATE "C" NOT NULL,
    related_key_id TEXT COLLATE "C",
    made_by        TEXT
);
CREATE INDEX tower_api_key_audit_by_key ON tower_api_key_audit (key_id, seq);
CREATE INDEX tower_api_key_audit_by_time ON tower_api_key_audit (at);

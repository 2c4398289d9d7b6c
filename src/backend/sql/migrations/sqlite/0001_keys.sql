-- Times are milliseconds since the Unix epoch. Digests are bytes, so no collation can make two of them equal.
CREATE TABLE tower_api_key (
    id                 TEXT PRIMARY KEY,
    digest             BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    hint               TEXT NOT NULL,
    name               TEXT NOT NULL,
    owner_kind         TEXT NOT NULL CHECK (owner_kind IN ('organization', 'user', 'project')),
    owner_organization TEXT,
    owner_email        TEXT,
    owner_project      TEXT,
    environment        TEXT NOT NULL CHECK (environment IN ('live', 'test')),
    scopes             TEXT NOT NULL,
    sources            TEXT NOT NULL,
    created_at         INTEGER,
    created_by         TEXT,
    expires_at         INTEGER,
    revoked_at         INTEGER,
    revoked_reason     TEXT,
    rotated_from       TEXT,
    rotated_to         TEXT,
    last_used_at       INTEGER,
    metadata           TEXT NOT NULL,
    CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL))
) STRICT;

-- One row for each change of a key, written in the transaction of the change.
CREATE TABLE tower_api_key_change (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    kind   TEXT NOT NULL CHECK (kind IN ('changed', 'revoked')),
    at     INTEGER NOT NULL
) STRICT;

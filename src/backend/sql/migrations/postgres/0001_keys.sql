-- Times are milliseconds since the Unix epoch. Digests are bytes, so no collation can make two of them equal, and ids sort by
-- their bytes.
CREATE TABLE tower_api_key (
    id                 TEXT COLLATE "C" PRIMARY KEY,
    digest             BYTEA NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    hint               TEXT NOT NULL,
    name               TEXT NOT NULL,
    owner_kind         TEXT NOT NULL CHECK (owner_kind IN ('organization', 'user', 'project')),
    owner_organization TEXT COLLATE "C",
    owner_email        TEXT COLLATE "C",
    owner_project      TEXT COLLATE "C",
    environment        TEXT NOT NULL CHECK (environment IN ('live', 'test')),
    scopes             TEXT NOT NULL,
    sources            TEXT NOT NULL,
    created_at         BIGINT,
    created_by         TEXT,
    expires_at         BIGINT,
    revoked_at         BIGINT,
    revoked_reason     TEXT,
    rotated_from       TEXT,
    rotated_to         TEXT,
    last_used_at       BIGINT,
    first_use_grace    BIGINT,
    metadata           TEXT NOT NULL,
    CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL))
);

-- Lists of the keys of one owner, in the order of their ids.
CREATE INDEX tower_api_key_by_organization ON tower_api_key (owner_organization, id)
    WHERE owner_organization IS NOT NULL;
CREATE INDEX tower_api_key_by_email ON tower_api_key (owner_email, id) WHERE owner_email IS NOT NULL;

-- One row for each change of a key, written in the transaction of the change. Rows become visible when their transactions commit,
-- which is not the order of their numbers: readers of the log go by the transactions.
CREATE TABLE tower_api_key_change (
    seq    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tx     XID8 NOT NULL DEFAULT pg_current_xact_id(),
    digest BYTEA CHECK (octet_length(digest) = 32),
    kind   TEXT NOT NULL CHECK (kind IN ('changed', 'revoked', 'everything')),
    at     BIGINT NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT,
    CHECK ((digest IS NULL) = (kind = 'everything'))
);
CREATE INDEX tower_api_key_change_by_tx ON tower_api_key_change (tx);

-- Times are milliseconds since the Unix epoch. Digests are bytes, so no collation can make two of them equal, and ids sort by
-- their bytes.

-- Plans of keys: limits by their texts.
CREATE TABLE tower_api_key_plan (
    plan_name   TEXT COLLATE "C" PRIMARY KEY,
    plan_limits TEXT NOT NULL
);

CREATE TABLE tower_api_key (
    id                 TEXT COLLATE "C" PRIMARY KEY,
    digest             BYTEA NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    -- Their collation also makes the case of ASCII letters the only one that `lower` changes.
    hint               TEXT COLLATE "C" NOT NULL,
    name               TEXT COLLATE "C" NOT NULL,
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
    -- The first key of the rotations that led to it.
    first_rotated_from TEXT,
    rotated_to         TEXT,
    last_used_at       BIGINT,
    first_use_grace    BIGINT,
    -- The application's, which the owner of a key does not see.
    metadata           TEXT NOT NULL,
    revoked_by         TEXT,
    -- The text of a retrievable key.
    retrievable        TEXT,
    -- What the owner of a key sets.
    labels             TEXT NOT NULL DEFAULT '{}',
    disabled_at        BIGINT,
    disabled_reason    TEXT,
    disabled_by        TEXT,
    -- Whether the owner of a key cannot enable it.
    disabled_locked    BOOLEAN,
    -- The limits of the key itself, and its plan, in place of that of its organization or user. A revoked key may name a plan that was deleted.
    limits             TEXT NOT NULL DEFAULT '',
    plan               TEXT COLLATE "C",
    -- The fingerprint of the digester that computed the digest, where known.
    digester           TEXT COLLATE "C",
    -- Of a session of the console, which is no key: its opener, and what the console keeps.
    session_opener     TEXT COLLATE "C",
    session_state      TEXT,
    -- What a search compares, cut to what an index can hold whatever the characters.
    search_name        TEXT COLLATE "C" GENERATED ALWAYS AS (lower(substr(name, 1, 60))) STORED,
    search_hint        TEXT COLLATE "C" GENERATED ALWAYS AS (substr(hint, 1, 60)) STORED,
    CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL)),
    CHECK ((session_opener IS NULL) = (session_state IS NULL)),
    CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL) AND (disabled_at IS NULL) = (disabled_locked IS NULL))
);

-- Further digests of keys, by digesters that became the current one. Each change of a key invalidates them as well.
CREATE TABLE tower_api_key_digest (
    further_digest BYTEA PRIMARY KEY CHECK (octet_length(further_digest) = 32),
    key_id         TEXT COLLATE "C" NOT NULL REFERENCES tower_api_key (id) ON DELETE CASCADE,
    by_digester    TEXT COLLATE "C" NOT NULL
);
-- A digester has one digest of a key.
CREATE UNIQUE INDEX tower_api_key_digest_by_key ON tower_api_key_digest (key_id, by_digester);

-- The fingerprints of the digesters and the formats with which keys were made.
CREATE TABLE tower_api_key_fingerprint (
    fingerprint TEXT COLLATE "C" PRIMARY KEY
);

-- Searches by the start of a name or of a hint, in the order of these.
CREATE INDEX tower_api_key_by_name ON tower_api_key (search_name, id);
CREATE INDEX tower_api_key_by_hint ON tower_api_key (search_hint, id);
CREATE INDEX tower_api_key_by_project_name ON tower_api_key (owner_organization, owner_project, search_name, id)
    WHERE owner_project IS NOT NULL;
CREATE INDEX tower_api_key_by_project_hint ON tower_api_key (owner_organization, owner_project, search_hint, id)
    WHERE owner_project IS NOT NULL;
CREATE INDEX tower_api_key_by_organization_name ON tower_api_key (owner_organization, search_name, id)
    WHERE owner_organization IS NOT NULL;
CREATE INDEX tower_api_key_by_organization_hint ON tower_api_key (owner_organization, search_hint, id)
    WHERE owner_organization IS NOT NULL;
CREATE INDEX tower_api_key_by_email_name ON tower_api_key (owner_email, search_name, id) WHERE owner_email IS NOT NULL;
CREATE INDEX tower_api_key_by_email_hint ON tower_api_key (owner_email, search_hint, id) WHERE owner_email IS NOT NULL;

-- Lists of the keys of one owner, in the order of their ids.
CREATE INDEX tower_api_key_by_organization ON tower_api_key (owner_organization, id, revoked_at, expires_at, disabled_at)
    WHERE owner_organization IS NOT NULL;
CREATE INDEX tower_api_key_by_project ON tower_api_key (owner_organization, owner_project, id)
    WHERE owner_project IS NOT NULL;
CREATE INDEX tower_api_key_by_email ON tower_api_key (owner_email, id) WHERE owner_email IS NOT NULL;

-- Pages of the keys in one state. Keys in other states are skipped within an index, without reading their rows.
CREATE INDEX tower_api_key_revoked ON tower_api_key (id) WHERE revoked_at IS NOT NULL;
CREATE INDEX tower_api_key_revoked_by_organization ON tower_api_key (owner_organization, id)
    WHERE revoked_at IS NOT NULL AND owner_organization IS NOT NULL;
-- Searches among revoked keys, which would otherwise read all keys that a search finds, or all that are revoked.
CREATE INDEX tower_api_key_revoked_by_name ON tower_api_key (search_name, id) WHERE revoked_at IS NOT NULL;
CREATE INDEX tower_api_key_revoked_by_hint ON tower_api_key (search_hint, id) WHERE revoked_at IS NOT NULL;
CREATE INDEX tower_api_key_disabled ON tower_api_key (id) WHERE disabled_at IS NOT NULL;
CREATE INDEX tower_api_key_ending ON tower_api_key (id, expires_at)
    WHERE revoked_at IS NULL AND expires_at IS NOT NULL;
CREATE INDEX tower_api_key_session ON tower_api_key (session_opener, id) WHERE session_opener IS NOT NULL;
-- For purges, which would otherwise read all keys.
CREATE INDEX tower_api_key_sessions ON tower_api_key (id) WHERE session_opener IS NOT NULL;

-- A plan is deleted only if no key has it that is not revoked.
CREATE INDEX tower_api_key_by_plan ON tower_api_key (plan) WHERE plan IS NOT NULL AND revoked_at IS NULL;

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

-- The highest transaction of which a change was trimmed, in one row: a node that has not read all changes from there on cannot
-- tell what has changed.
CREATE TABLE tower_api_key_change_trim (tx XID8 NOT NULL);
INSERT INTO tower_api_key_change_trim (tx) VALUES ('0');

-- The nodes that follow the changes. Until `expires_at` (in milliseconds), which a node extends, the node may trust its cache.
-- `applied` is the last snapshot whose changes the node has applied; it relies on them for `lease` milliseconds. `name` is for
-- operators.
CREATE TABLE tower_api_key_node (
    node       TEXT COLLATE "C" PRIMARY KEY,
    expires_at BIGINT NOT NULL,
    applied    PG_SNAPSHOT NOT NULL,
    lease      BIGINT NOT NULL,
    name       TEXT
);

-- The epoch of a server. Unlogged tables are emptied when a server has crashed or is promoted, and a new epoch is generated then.
-- Reading it fails on a standby, which may be behind.
CREATE UNLOGGED TABLE tower_api_key_epoch (
    is_only BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (is_only),
    epoch   TEXT NOT NULL DEFAULT gen_random_uuid()::TEXT
);

-- Owners of keys. The ASCII letters of e-mails are in lower case, also in keys.
CREATE TABLE tower_api_key_organization (
    organization      TEXT COLLATE "C" PRIMARY KEY,
    disabled          BOOLEAN NOT NULL,
    requires_sso      BOOLEAN NOT NULL,
    -- That of its keys and of those of its projects which have none of their own.
    organization_plan TEXT COLLATE "C" REFERENCES tower_api_key_plan (plan_name)
);
CREATE INDEX tower_api_key_organization_by_plan ON tower_api_key_organization (organization_plan)
    WHERE organization_plan IS NOT NULL;

-- The version of a password stays while hashes of the same password replace each other. If it is null, it follows from the hash.
CREATE TABLE tower_api_key_user (
    email            TEXT COLLATE "C" PRIMARY KEY,
    password_hash    TEXT,
    password_version BYTEA CHECK (octet_length(password_version) = 32),
    -- That of a sign-in by password, and of the keys of the user which have none of their own.
    user_plan        TEXT COLLATE "C" REFERENCES tower_api_key_plan (plan_name)
);
CREATE INDEX tower_api_key_user_by_plan ON tower_api_key_user (user_plan) WHERE user_plan IS NOT NULL;

CREATE TABLE tower_api_key_membership (
    email        TEXT COLLATE "C" NOT NULL REFERENCES tower_api_key_user (email),
    organization TEXT COLLATE "C" NOT NULL REFERENCES tower_api_key_organization (organization),
    role         TEXT NOT NULL,
    scopes       TEXT NOT NULL,
    PRIMARY KEY (email, organization)
);
CREATE INDEX tower_api_key_membership_by_organization ON tower_api_key_membership (organization, email);

CREATE TABLE tower_api_key_project (
    organization TEXT COLLATE "C" NOT NULL REFERENCES tower_api_key_organization (organization),
    project      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (organization, project)
);

-- Deleted owners. Their ids are not used again before they are purged. For a user, the name is a digest of the address.
CREATE TABLE tower_api_key_deleted_owner (
    kind         TEXT COLLATE "C" NOT NULL CHECK (kind IN ('organization', 'user', 'project')),
    organization TEXT COLLATE "C" NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    at           BIGINT NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT,
    PRIMARY KEY (kind, organization, name)
);

-- One row for each key that was changed, written in the transaction of the change. Rows stay when their keys are deleted. The owner
-- is that of the key; it is forgotten when the owner is purged. `delegated`: the actor changed a key of its own owner.
CREATE TABLE tower_api_key_audit (
    seq                BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at                 BIGINT NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT,
    action             TEXT NOT NULL,
    key_id             TEXT COLLATE "C" NOT NULL,
    related_key_id     TEXT COLLATE "C",
    made_by            TEXT COLLATE "C",
    delegated          BOOLEAN NOT NULL,
    environment        TEXT COLLATE "C" NOT NULL CHECK (environment IN ('live', 'test')),
    owner_organization TEXT COLLATE "C",
    owner_email        TEXT COLLATE "C",
    owner_project      TEXT COLLATE "C"
);
-- Pages in the order of time.
CREATE INDEX tower_api_key_audit_by_time ON tower_api_key_audit (at, seq);
CREATE INDEX tower_api_key_audit_by_actor ON tower_api_key_audit (made_by, at, seq) WHERE made_by IS NOT NULL;
CREATE INDEX tower_api_key_audit_by_organization ON tower_api_key_audit (owner_organization, at, seq)
    WHERE owner_organization IS NOT NULL;
CREATE INDEX tower_api_key_audit_by_project ON tower_api_key_audit (owner_organization, owner_project, at, seq)
    WHERE owner_project IS NOT NULL;
CREATE INDEX tower_api_key_audit_by_email ON tower_api_key_audit (owner_email, at, seq) WHERE owner_email IS NOT NULL;
CREATE INDEX tower_api_key_audit_by_key ON tower_api_key_audit (key_id, at, seq);

-- Requests by key and day (days since the Unix epoch, in UTC), and how many of them a limit or another check rejected. The owner is stored as
-- well: usage outlives its key.
CREATE TABLE tower_api_key_usage (
    key_id             TEXT COLLATE "C" NOT NULL,
    day                BIGINT NOT NULL,
    environment        TEXT COLLATE "C" NOT NULL CHECK (environment IN ('live', 'test')),
    owner_organization TEXT COLLATE "C",
    owner_email        TEXT COLLATE "C",
    owner_project      TEXT COLLATE "C",
    requests           BIGINT NOT NULL,
    limited            BIGINT NOT NULL DEFAULT 0,
    forbidden          BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (key_id, day, environment)
);
CREATE INDEX tower_api_key_usage_by_day ON tower_api_key_usage (day);
CREATE INDEX tower_api_key_usage_by_organization ON tower_api_key_usage (owner_organization, day)
    WHERE owner_organization IS NOT NULL;
CREATE INDEX tower_api_key_usage_by_email ON tower_api_key_usage (owner_email, day) WHERE owner_email IS NOT NULL;

-- The same requests by route, if they are counted so. The owner is that of the row of the key.
CREATE TABLE tower_api_key_usage_route (
    key_id             TEXT COLLATE "C" NOT NULL,
    day                BIGINT NOT NULL,
    environment        TEXT COLLATE "C" NOT NULL,
    route              TEXT COLLATE "C" NOT NULL,
    owner_organization TEXT COLLATE "C",
    owner_email        TEXT COLLATE "C",
    owner_project      TEXT COLLATE "C",
    requests           BIGINT NOT NULL,
    PRIMARY KEY (key_id, day, environment, route),
    FOREIGN KEY (key_id, day, environment) REFERENCES tower_api_key_usage (key_id, day, environment) ON DELETE CASCADE
);
CREATE INDEX tower_api_key_usage_route_by_day ON tower_api_key_usage_route (day);
CREATE INDEX tower_api_key_usage_route_by_organization ON tower_api_key_usage_route (owner_organization, day)
    WHERE owner_organization IS NOT NULL;
CREATE INDEX tower_api_key_usage_route_by_email ON tower_api_key_usage_route (owner_email, day) WHERE owner_email IS NOT NULL;

-- The sums of the rows of keys by owner and day, kept in the transaction of each batch: of all owners, of an organization with its projects, of
-- a project, and of a user. Names that a kind does not have are empty.
CREATE TABLE tower_api_key_usage_total (
    kind         TEXT COLLATE "C" NOT NULL CHECK (kind IN ('organization', 'project', 'user', 'whole')),
    organization TEXT COLLATE "C" NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    day          BIGINT NOT NULL,
    environment  TEXT COLLATE "C" NOT NULL CHECK (environment IN ('live', 'test')),
    requests     BIGINT NOT NULL,
    limited      BIGINT NOT NULL DEFAULT 0,
    forbidden    BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, organization, name, day, environment)
);

-- The last batch of each writer, so that a batch that is sent twice is added once.
CREATE TABLE tower_api_key_usage_writer (
    writer TEXT COLLATE "C" PRIMARY KEY,
    batch  BIGINT NOT NULL,
    at     BIGINT NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT
);

-- Quotas of keys and owners that the nodes of a fleet share: what the nodes have taken in the last period, in blocks, and the size of the last
-- block. The name of a count is a digest of its id, which may have the address of a user.
CREATE TABLE tower_api_key_quota (
    count_digest BYTEA PRIMARY KEY CHECK (octet_length(count_digest) = 32),
    starts_at    BIGINT NOT NULL,
    ends_at      BIGINT NOT NULL,
    taken        BIGINT NOT NULL CHECK (taken >= 0),
    granted      BIGINT NOT NULL
);
CREATE INDEX tower_api_key_quota_by_end ON tower_api_key_quota (ends_at);

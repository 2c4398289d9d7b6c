-- Times are milliseconds since the Unix epoch. Digests are bytes, so no collation can make two of them equal.

-- Plans of keys: limits by their texts.
CREATE TABLE tower_api_key_plan (
    plan_name   TEXT PRIMARY KEY,
    plan_limits TEXT NOT NULL
) STRICT, WITHOUT ROWID;

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
    -- The first key of the rotations that led to it.
    first_rotated_from TEXT,
    rotated_to         TEXT,
    last_used_at       INTEGER,
    first_use_grace    INTEGER,
    -- The application's, which the owner of a key does not see.
    metadata           TEXT NOT NULL,
    revoked_by         TEXT,
    -- The text of a retrievable key.
    retrievable        TEXT,
    -- What the owner of a key sets.
    labels             TEXT NOT NULL DEFAULT '{}',
    disabled_at        INTEGER,
    disabled_reason    TEXT,
    disabled_by        TEXT,
    -- Whether the owner of a key cannot enable it.
    disabled_locked    INTEGER CHECK (disabled_locked IN (0, 1)),
    -- The limits of the key itself, and its plan, in place of that of its organization or user. A revoked key may name a plan that was deleted.
    limits             TEXT NOT NULL DEFAULT '',
    plan               TEXT,
    -- The fingerprint of the digester that computed the digest, where known.
    digester           TEXT,
    -- What a search compares, cut to what an index can hold whatever the characters.
    search_name        TEXT GENERATED ALWAYS AS (lower(substr(name, 1, 60))) VIRTUAL,
    search_hint        TEXT GENERATED ALWAYS AS (substr(hint, 1, 60)) VIRTUAL,
    -- Of a session of the console, which is no key: its opener, and what the console keeps.
    session_opener     TEXT,
    session_state      TEXT,
    CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL)),
    CHECK ((session_opener IS NULL) = (session_state IS NULL)),
    CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL) AND (disabled_at IS NULL) = (disabled_locked IS NULL))
) STRICT;

-- Further digests of keys, by digesters that became the current one. Each change of a key invalidates them as well.
CREATE TABLE tower_api_key_digest (
    further_digest BLOB PRIMARY KEY CHECK (length(further_digest) = 32),
    key_id         TEXT NOT NULL REFERENCES tower_api_key (id) ON DELETE CASCADE,
    by_digester    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- A digester has one digest of a key.
CREATE UNIQUE INDEX tower_api_key_digest_by_key ON tower_api_key_digest (key_id, by_digester);

-- The fingerprints of the digesters and the formats with which keys were made.
CREATE TABLE tower_api_key_fingerprint (
    fingerprint TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Searches by the start of a name or of a hint, in the order of these. A change of state does not touch them.
CREATE INDEX tower_api_key_by_name ON tower_api_key (search_name, id);
CREATE INDEX tower_api_key_by_hint ON tower_api_key (search_hint, id);
-- Before those of organizations: of indexes that SQLite takes to be equal, it uses the first.
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

-- One row for each change of a key, written in the transaction of the change.
CREATE TABLE tower_api_key_change (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB CHECK (length(digest) = 32),
    kind   TEXT NOT NULL CHECK (kind IN ('changed', 'revoked', 'everything')),
    at     INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
    CHECK ((digest IS NULL) = (kind = 'everything'))
) STRICT;

-- Owners of keys. The ASCII letters of e-mails are in lower case, also in keys.
CREATE TABLE tower_api_key_organization (
    organization      TEXT PRIMARY KEY,
    disabled          INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    requires_sso      INTEGER NOT NULL CHECK (requires_sso IN (0, 1)),
    -- That of its keys and of those of its projects which have none of their own.
    organization_plan TEXT REFERENCES tower_api_key_plan (plan_name)
) STRICT;
CREATE INDEX tower_api_key_organization_by_plan ON tower_api_key_organization (organization_plan)
    WHERE organization_plan IS NOT NULL;

-- The version of a password stays while hashes of the same password replace each other. If it is null, it follows from the hash.
CREATE TABLE tower_api_key_user (
    email            TEXT PRIMARY KEY,
    password_hash    TEXT,
    password_version BLOB CHECK (length(password_version) = 32),
    -- That of a sign-in by password, and of the keys of the user which have none of their own.
    user_plan        TEXT REFERENCES tower_api_key_plan (plan_name)
) STRICT;
CREATE INDEX tower_api_key_user_by_plan ON tower_api_key_user (user_plan) WHERE user_plan IS NOT NULL;

CREATE TABLE tower_api_key_membership (
    email        TEXT NOT NULL REFERENCES tower_api_key_user (email),
    organization TEXT NOT NULL REFERENCES tower_api_key_organization (organization),
    role         TEXT NOT NULL,
    scopes       TEXT NOT NULL,
    PRIMARY KEY (email, organization)
) STRICT;
CREATE INDEX tower_api_key_membership_by_organization ON tower_api_key_membership (organization, email);

CREATE TABLE tower_api_key_project (
    organization TEXT NOT NULL REFERENCES tower_api_key_organization (organization),
    project      TEXT NOT NULL,
    PRIMARY KEY (organization, project)
) STRICT;

-- Deleted owners. Their ids are not used again before they are purged. For a user, the name is a digest of the address.
CREATE TABLE tower_api_key_deleted_owner (
    kind         TEXT NOT NULL CHECK (kind IN ('organization', 'user', 'project')),
    organization TEXT NOT NULL,
    name         TEXT NOT NULL,
    at           INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
    PRIMARY KEY (kind, organization, name)
) STRICT, WITHOUT ROWID;

-- One row for each key that was changed, written in the transaction of the change. Rows stay when their keys are deleted. The owner
-- is that of the key; it is forgotten when the owner is purged. `delegated`: the actor changed a key of its own owner.
CREATE TABLE tower_api_key_audit (
    seq                INTEGER PRIMARY KEY AUTOINCREMENT,
    at                 INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
    action             TEXT NOT NULL,
    key_id             TEXT NOT NULL,
    related_key_id     TEXT,
    made_by            TEXT,
    delegated          INTEGER NOT NULL CHECK (delegated IN (0, 1)),
    environment        TEXT NOT NULL CHECK (environment IN ('live', 'test')),
    owner_organization TEXT,
    owner_email        TEXT,
    owner_project      TEXT
) STRICT;
-- Pages in the order of time.
CREATE INDEX tower_api_key_audit_by_time ON tower_api_key_audit (at, seq);
CREATE INDEX tower_api_key_audit_by_actor ON tower_api_key_audit (made_by, at, seq) WHERE made_by IS NOT NULL;
CREATE INDEX tower_api_key_audit_by_organization ON tower_api_key_audit (owner_organization, at, seq)
    WHERE owner_organization IS NOT NULL;
CREATE INDEX tower_api_key_audit_by_project ON tower_api_key_audit (owner_organization, owner_project, at, seq)
    WHERE owner_project IS NOT NULL;
CREATE INDEX tower_api_key_audit_by_email ON tower_api_key_audit (owner_email, at, seq) WHERE owner_email IS NOT NULL;
-- The last one: of equal indexes, SQLite takes the newest, and a key has fewer entries than its owner.
CREATE INDEX tower_api_key_audit_by_key ON tower_api_key_audit (key_id, at, seq);

-- Requests by key and day (days since the Unix epoch, in UTC), and how many of them a limit or another check rejected. The owner is stored as
-- well: usage outlives its key.
CREATE TABLE tower_api_key_usage (
    key_id             TEXT NOT NULL,
    day                INTEGER NOT NULL,
    environment        TEXT NOT NULL CHECK (environment IN ('live', 'test')),
    owner_organization TEXT,
    owner_email        TEXT,
    owner_project      TEXT,
    requests           INTEGER NOT NULL,
    limited            INTEGER NOT NULL DEFAULT 0,
    forbidden          INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (key_id, day, environment)
) STRICT, WITHOUT ROWID;
CREATE INDEX tower_api_key_usage_by_day ON tower_api_key_usage (day);
CREATE INDEX tower_api_key_usage_by_organization ON tower_api_key_usage (owner_organization, day)
    WHERE owner_organization IS NOT NULL;
CREATE INDEX tower_api_key_usage_by_email ON tower_api_key_usage (owner_email, day) WHERE owner_email IS NOT NULL;

-- The same requests by route, if they are counted so. The owner is that of the row of the key.
CREATE TABLE tower_api_key_usage_route (
    key_id             TEXT NOT NULL,
    day                INTEGER NOT NULL,
    environment        TEXT NOT NULL,
    route              TEXT NOT NULL,
    owner_organization TEXT,
    owner_email        TEXT,
    owner_project      TEXT,
    requests           INTEGER NOT NULL,
    PRIMARY KEY (key_id, day, environment, route),
    FOREIGN KEY (key_id, day, environment) REFERENCES tower_api_key_usage (key_id, day, environment) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX tower_api_key_usage_route_by_day ON tower_api_key_usage_route (day);
CREATE INDEX tower_api_key_usage_route_by_organization ON tower_api_key_usage_route (owner_organization, day)
    WHERE owner_organization IS NOT NULL;
CREATE INDEX tower_api_key_usage_route_by_email ON tower_api_key_usage_route (owner_email, day) WHERE owner_email IS NOT NULL;

-- The sums of the rows of keys by owner and day, kept in the transaction of each batch: of all owners, of an organization with its projects, of
-- a project, and of a user. Names that a kind does not have are empty.
CREATE TABLE tower_api_key_usage_total (
    kind         TEXT NOT NULL CHECK (kind IN ('organization', 'project', 'user', 'whole')),
    organization TEXT NOT NULL,
    name         TEXT NOT NULL,
    day          INTEGER NOT NULL,
    environment  TEXT NOT NULL CHECK (environment IN ('live', 'test')),
    requests     INTEGER NOT NULL,
    limited      INTEGER NOT NULL DEFAULT 0,
    forbidden    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, organization, name, day, environment)
) STRICT, WITHOUT ROWID;

-- The last batch of each writer, so that a batch that is sent twice is added once.
CREATE TABLE tower_api_key_usage_writer (
    writer TEXT PRIMARY KEY,
    batch  INTEGER NOT NULL,
    at     INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER))
) STRICT;

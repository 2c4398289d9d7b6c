ALTER TABLE tower_api_key ADD COLUMN first_use_grace INTEGER;

-- Lists of the keys of one owner, in the order of their ids.
CREATE INDEX tower_api_key_by_organization ON tower_api_key (owner_organization, id)
    WHERE owner_organization IS NOT NULL;
CREATE INDEX tower_api_key_by_email ON tower_api_key (owner_email, id) WHERE owner_email IS NOT NULL;

-- Changes of everything, and a default for the time. The numbers continue.
ALTER TABLE tower_api_key_change RENAME TO tower_api_key_change_1;
CREATE TABLE tower_api_key_change (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB CHECK (length(digest) = 32),
    kind   TEXT NOT NULL CHECK (kind IN ('changed', 'revoked', 'everything')),
    at     INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
    CHECK ((digest IS NULL) = (kind = 'everything'))
) STRICT;
INSERT INTO tower_api_key_change (seq, digest, kind, at) SELECT seq, digest, kind, at FROM tower_api_key_change_1;
DROP TABLE tower_api_key_change_1;

-- What the owner of a key notes about it, apart from what the application keeps with it.
ALTER TABLE tower_api_key ADD COLUMN labels TEXT NOT NULL DEFAULT '{}';

-- What tells a password from the one before it, while hashes of the same password replace each other. Without one, the hash itself does.
ALTER TABLE tower_api_key_user ADD COLUMN password_version BLOB CHECK (length(password_version) = 32);

-- Owners that were deleted. Their ids are not used again before they are purged. Of a person, the name is a digest of the address.
CREATE TABLE tower_api_key_deleted_owner (
    kind         TEXT NOT NULL CHECK (kind IN ('organization', 'user', 'project')),
    organization TEXT NOT NULL,
    name         TEXT NOT NULL,
    at           INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
    PRIMARY KEY (kind, organization, name)
) STRICT, WITHOUT ROWID;

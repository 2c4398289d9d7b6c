-- What the owner of a key notes about it, apart from what the application keeps with it.
ALTER TABLE tower_api_key ADD COLUMN labels TEXT NOT NULL DEFAULT '{}';

-- What tells a password from the one before it, while hashes of the same password replace each other. Without one, the hash itself does.
ALTER TABLE tower_api_key_user ADD COLUMN password_version BYTEA CHECK (octet_length(password_version) = 32);

-- Owners that were deleted. Their ids are not used again before they are purged. Of a person, the name is a digest of the address.
CREATE TABLE tower_api_key_deleted_owner (
    kind         TEXT COLLATE "C" NOT NULL CHECK (kind IN ('organization', 'user', 'project')),
    organization TEXT COLLATE "C" NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    at           BIGINT NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT,
    PRIMARY KEY (kind, organization, name)
);

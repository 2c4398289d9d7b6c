-- Labels, which the owner of a key sets, apart from the application's metadata.
ALTER TABLE tower_api_key ADD COLUMN labels TEXT NOT NULL DEFAULT '{}';

-- The version of a password, which stays while hashes of the same password replace each other. If it is null, it follows from the
-- hash.
ALTER TABLE tower_api_key_user ADD COLUMN password_version BYTEA CHECK (octet_length(password_version) = 32);

-- Deleted owners. Their ids are not used again before they are purged. For a person, the name is a digest of the address.
CREATE TABLE tower_api_key_deleted_owner (
    kind         TEXT COLLATE "C" NOT NULL CHECK (kind IN ('organization', 'user', 'project')),
    organization TEXT COLLATE "C" NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    at           BIGINT NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT,
    PRIMARY KEY (kind, organization, name)
);

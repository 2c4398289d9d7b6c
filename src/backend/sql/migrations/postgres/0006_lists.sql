-- Pages of the keys in one state. Keys in other states are skipped within an index, without reading their rows.
CREATE INDEX tower_api_key_revoked ON tower_api_key (id) WHERE revoked_at IS NOT NULL;
CREATE INDEX tower_api_key_ending ON tower_api_key (id, expires_at)
    WHERE revoked_at IS NULL AND expires_at IS NOT NULL;

-- The same for one organization.
DROP INDEX tower_api_key_by_organization;
CREATE INDEX tower_api_key_by_organization ON tower_api_key (owner_organization, id, revoked_at, expires_at)
    WHERE owner_organization IS NOT NULL;
CREATE INDEX tower_api_key_revoked_by_organization ON tower_api_key (owner_organization, id)
    WHERE revoked_at IS NOT NULL AND owner_organization IS NOT NULL;

-- Lists of the keys of a project, in an organization that may have many.
CREATE INDEX tower_api_key_by_project ON tower_api_key (owner_organization, owner_project, id)
    WHERE owner_project IS NOT NULL;

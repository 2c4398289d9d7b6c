-- The role that owns the tables migrates them, at the first start of each version of the crate. These two roles own none.
-- Each start requires `CREATE`, even if nothing is left to create: keep the tables in a schema of their own.
GRANT USAGE, CREATE ON SCHEMA keys TO keys_node, keys_manager;
GRANT SELECT ON tower_api_key_migration TO keys_node, keys_manager;

-- Nodes: look up keys, poll changes, and are on the list of nodes.
GRANT SELECT ON tower_api_key, tower_api_key_digest, tower_api_key_fingerprint, tower_api_key_plan,
    tower_api_key_organization, tower_api_key_membership, tower_api_key_change, tower_api_key_change_trim TO keys_node;
GRANT SELECT (email, user_plan) ON tower_api_key_user TO keys_node;
GRANT SELECT, INSERT, UPDATE, DELETE ON tower_api_key_node TO keys_node;
GRANT SELECT, INSERT ON tower_api_key_epoch TO keys_node;

-- If usage is counted.
GRANT SELECT, INSERT, UPDATE ON tower_api_key_usage, tower_api_key_usage_route, tower_api_key_usage_total TO keys_node;
GRANT SELECT, INSERT, UPDATE, DELETE ON tower_api_key_usage_writer TO keys_node;
GRANT UPDATE (last_used_at) ON tower_api_key TO keys_node;

-- If quotas are shared by `PostgresCounters`.
GRANT SELECT, INSERT, UPDATE, DELETE ON tower_api_key_quota TO keys_node;

-- If passwords are accepted.
GRANT SELECT ON tower_api_key_user TO keys_node;

-- While a pepper is replaced, if nodes add digests of the new one. Revoke these rights afterwards: an attacker on a node could add a digest of
-- a text of their own to any key.
-- GRANT UPDATE (last_used_at) ON tower_api_key TO keys_node;
-- GRANT INSERT ON tower_api_key_digest, tower_api_key_fingerprint, tower_api_key_change TO keys_node;
-- GRANT DELETE ON tower_api_key_change TO keys_node;
-- GRANT UPDATE ON tower_api_key_change_trim TO keys_node;

-- Managers: change keys and owners, and read the audit log. A node needs these rights as well to end a rotated key at the first use of its
-- successor, or to strengthen the hash of a password.
GRANT SELECT, INSERT, UPDATE, DELETE ON tower_api_key, tower_api_key_digest, tower_api_key_fingerprint,
    tower_api_key_plan, tower_api_key_organization, tower_api_key_user, tower_api_key_membership,
    tower_api_key_project, tower_api_key_deleted_owner, tower_api_key_change TO keys_manager;
GRANT SELECT, UPDATE ON tower_api_key_change_trim TO keys_manager;
GRANT SELECT, INSERT, DELETE ON tower_api_key_audit TO keys_manager;
-- To purge an owner.
GRANT UPDATE (owner_organization, owner_email, owner_project) ON tower_api_key_audit TO keys_manager;
GRANT SELECT ON tower_api_key_node, tower_api_key_epoch TO keys_manager;
GRANT SELECT, DELETE ON tower_api_key_usage, tower_api_key_usage_route TO keys_manager;
GRANT SELECT, INSERT, UPDATE, DELETE ON tower_api_key_usage_total TO keys_manager;

-- The role that owns the tables brings them up to date, at the first start of each version of the crate. These two own none.
-- `CREATE` is asked for by each start, though there is nothing left to create: keep the tables in a schema of their own.
GRANT USAGE, CREATE ON SCHEMA keys TO keys_node, keys_manager;
GRANT SELECT ON tower_api_key_migration TO keys_node, keys_manager;

-- Whoever answers requests: looks keys up, follows their changes, and is on the list of those who do.
GRANT SELECT ON tower_api_key, tower_api_key_organization, tower_api_key_membership,
    tower_api_key_change, tower_api_key_change_trim TO keys_node;
GRANT SELECT, INSERT, UPDATE, DELETE ON tower_api_key_node TO keys_node;
GRANT SELECT, INSERT ON tower_api_key_epoch TO keys_node;

-- Where usage is counted.
GRANT SELECT, INSERT, UPDATE ON tower_api_key_usage TO keys_node;
GRANT SELECT, INSERT, UPDATE, DELETE ON tower_api_key_usage_writer TO keys_node;
GRANT UPDATE (last_used_at) ON tower_api_key TO keys_node;

-- Where passwords are accepted.
GRANT SELECT ON tower_api_key_user TO keys_node;

-- Whoever changes keys and owners, and asks who did what. A node that ends a rotated key with the first use of its successor, or
-- makes the hash of a password stronger, does so as well.
GRANT SELECT, INSERT, UPDATE, DELETE ON tower_api_key, tower_api_key_organization, tower_api_key_user,
    tower_api_key_membership, tower_api_key_project, tower_api_key_deleted_owner, tower_api_key_change TO keys_manager;
GRANT SELECT, UPDATE ON tower_api_key_change_trim TO keys_manager;
GRANT SELECT, INSERT, DELETE ON tower_api_key_audit TO keys_manager;
GRANT SELECT ON tower_api_key_node TO keys_manager;
GRANT SELECT, DELETE ON tower_api_key_usage TO keys_manager;

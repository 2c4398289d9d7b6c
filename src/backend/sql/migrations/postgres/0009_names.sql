-- The name of a node for operators.
ALTER TABLE tower_api_key_node ADD COLUMN name TEXT;

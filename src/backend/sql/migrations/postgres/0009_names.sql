-- What operators call a node.
ALTER TABLE tower_api_key_node ADD COLUMN name TEXT;

TRUNCATE tower_api_key_change, tower_api_key_node;
UPDATE tower_api_key_change_trim SET tx = '0';

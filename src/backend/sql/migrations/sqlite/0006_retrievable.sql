-- The text of a retrievable key.
ALTER TABLE tower_api_key ADD COLUMN retrievable TEXT;

-- The text of a key that is no secret.
ALTER TABLE tower_api_key ADD COLUMN retrievable TEXT;

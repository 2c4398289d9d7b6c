-- Requests by key and day (days since the Unix epoch, in UTC). The owner is stored as well: usage outlives its key.
CREATE TABLE tower_api_key_usage (
    key_id             TEXT COLLATE "C" NOT NULL,
    day                BIGINT NOT NULL,
    environment        TEXT COLLATE "C" NOT NULL CHECK (environment IN ('live', 'test')),
    owner_organization TEXT COLLATE "C",
    owner_email        TEXT COLLATE "C",
    owner_project      TEXT COLLATE "C",
    requests           BIGINT NOT NULL,
    PRIMARY KEY (key_id, day, environment)
);
CREATE INDEX tower_api_key_usage_by_day ON tower_api_key_usage (day);
CREATE INDEX tower_api_key_usage_by_organization ON tower_api_key_usage (owner_organization, day)
    WHERE owner_organization IS NOT NULL;
CREATE INDEX tower_api_key_usage_by_email ON tower_api_key_usage (owner_email, day) WHERE owner_email IS NOT NULL;

-- The last batch of each writer, so that a batch that is sent twice is added once.
CREATE TABLE tower_api_key_usage_writer (
    writer TEXT COLLATE "C" PRIMARY KEY,
    batch  BIGINT NOT NULL,
    at     BIGINT NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT
);

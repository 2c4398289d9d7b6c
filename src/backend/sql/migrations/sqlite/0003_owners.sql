-- Owners of keys. The ASCII letters of e-mails are in lower case, also in keys.
UPDATE tower_api_key SET owner_email = lower(owner_email) WHERE owner_email <> lower(owner_email);

CREATE TABLE tower_api_key_organization (
    organization TEXT PRIMARY KEY,
    disabled     INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    requires_sso INTEGER NOT NULL CHECK (requires_sso IN (0, 1))
) STRICT;

CREATE TABLE tower_api_key_user (
    email         TEXT PRIMARY KEY,
    password_hash TEXT
) STRICT;

CREATE TABLE tower_api_key_membership (
    email        TEXT NOT NULL REFERENCES tower_api_key_user (email),
    organization TEXT NOT NULL REFERENCES tower_api_key_organization (organization),
    role         TEXT NOT NULL,
    scopes       TEXT NOT NULL,
    PRIMARY KEY (email, organization)
) STRICT;
CREATE INDEX tower_api_key_membership_by_organization ON tower_api_key_membership (organization, email);

CREATE TABLE tower_api_key_project (
    organization TEXT NOT NULL REFERENCES tower_api_key_organization (organization),
    project      TEXT NOT NULL,
    PRIMARY KEY (organization, project)
) STRICT;

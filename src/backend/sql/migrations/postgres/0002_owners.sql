-- Owners of keys. The ASCII letters of e-mails are in lower case, also in keys.
UPDATE tower_api_key SET owner_email = lower(owner_email) WHERE owner_email <> lower(owner_email);

CREATE TABLE tower_api_key_organization (
    organization TEXT COLLATE "C" PRIMARY KEY,
    disabled     BOOLEAN NOT NULL,
    requires_sso BOOLEAN NOT NULL
);

CREATE TABLE tower_api_key_user (
    email         TEXT COLLATE "C" PRIMARY KEY,
    password_hash TEXT
);

CREATE TABLE tower_api_key_membership (
    email        TEXT COLLATE "C" NOT NULL REFERENCES tower_api_key_user (email),
    organization TEXT COLLATE "C" NOT NULL REFERENCES tower_api_key_organization (organization),
    role         TEXT NOT NULL,
    scopes       TEXT NOT NULL,
    PRIMARY KEY (email, organization)
);
CREATE INDEX tower_api_key_membership_by_organization ON tower_api_key_membership (organization, email);

CREATE TABLE tower_api_key_project (
    organization TEXT COLLATE "C" NOT NULL REFERENCES tower_api_key_organization (organization),
    project      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (organization, project)
);

//! The columns of a key's row, for the bare queries.

/// Finds a key by its digest.
pub const FIND: &str = "SELECT id, digest, hint, name, owner_kind, owner_organization, owner_email, owner_project, environment,
    scopes, sources, created_at, created_by, expires_at, revoked_at, revoked_reason, rotated_from, rotated_to, last_used_at,
    first_use_grace, metadata, revoked_by, retrievable, labels, disabled_at, disabled_reason,
    disabled_by, disabled_locked, limits, plan FROM tower_api_key WHERE digest = $1";

/// The columns of texts.
pub const TEXTS: [&str; 22] = [
    "id",
    "hint",
    "name",
    "owner_kind",
    "owner_organization",
    "owner_email",
    "owner_project",
    "environment",
    "scopes",
    "sources",
    "created_by",
    "revoked_reason",
    "rotated_from",
    "rotated_to",
    "metadata",
    "revoked_by",
    "retrievable",
    "labels",
    "disabled_reason",
    "disabled_by",
    "limits",
    "plan",
];

/// The columns of times and durations.
pub const TIMES: [&str; 7] = [
    "created_at",
    "expires_at",
    "revoked_at",
    "last_used_at",
    "first_use_grace",
    "disabled_at",
    "disabled_locked",
];

//! Accepted keys and permissions: `X-Api-Key`, permissions such as `memory.read`, and 403 Forbidden without them.

use tower_api_key::reject::{Payload, Reason, Rejection};
use tower_api_key::{AuthenticateLayer, Authenticator, ConfigError, KeyFormat, Scope, Source, SqliteStore};

use crate::errors;

/// The permissions of keys, by group. `memory.*` includes all of a group, `*` all permissions.
pub(crate) const PERMISSIONS: [(&str, &[&str]); 7] = [
    ("memory", &["read", "write", "delete"]),
    ("knowledge", &["read", "write", "delete"]),
    ("workspace", &["read", "write", "delete"]),
    ("export", &["read", "write"]),
    ("ingest", &["read", "write"]),
    ("webhook", &["read", "write", "delete"]),
    ("dashboard", &["read"]),
];

/// The format of keys: `msk_live_…` or `msk_test_…`.
pub(crate) fn format() -> Result<KeyFormat, ConfigError> {
    KeyFormat::new("msk")
}

/// Admits requests with a valid key.
pub(crate) fn layer(store: SqliteStore) -> Result<AuthenticateLayer, ConfigError> {
    let source = Source::x_api_key().format(format()?);
    Ok(AuthenticateLayer::new(Authenticator::builder(store).sources([source]).respond(payload).build()?))
}

fn payload(rejection: &Rejection) -> Payload {
    let detail = match rejection.reason() {
        Reason::MissingScope(_) => "Forbidden",
        other => other.detail(),
    };
    Payload::json(errors::body(rejection.reason().status(), detail).to_string())
}

/// Returns whether a permission exists.
pub(crate) fn exists(permission: &Scope) -> bool {
    let (group, action) = permission.as_str().split_once('.').unwrap_or((permission.as_str(), ""));
    let of_group =
        |(name, actions): &(&str, &[&str])| *name == group && (action == "*" || actions.contains(&action));
    permission.as_str() == "*" || PERMISSIONS.iter().any(of_group)
}

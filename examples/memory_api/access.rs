//! Accepted keys, their scopes, and the error codes.

use tower_api_key::manage::Permissions;
use tower_api_key::reject::{Forbidden, Payload, Reason, Rejection};
use tower_api_key::usage::Usage;
use tower_api_key::{Authenticator, ConfigError, KeyFormat, Source, SqliteStore};

use crate::api_error;

/// The scopes of keys. `admin` includes all of them.
pub(crate) fn permissions() -> Result<Permissions, ConfigError> {
    let scopes = [
        ("read", "Read and query memories, and view usage"),
        ("write", "Create and update memories"),
        ("delete", "Delete memories"),
        ("admin", "Everything, and the management of keys"),
    ];
    Permissions::new().group("Memory API", scopes)
}

/// The format of keys: `mem_live_…` or `mem_test_…`.
pub(crate) fn format() -> Result<KeyFormat, ConfigError> {
    KeyFormat::new("mem")
}

/// Admits requests with a valid key in one of the two headers, and counts them.
pub(crate) fn authenticator(store: SqliteStore, usage: Usage) -> Result<Authenticator, ConfigError> {
    Authenticator::builder(store)
        .sources([Source::bearer().format(format()?), Source::x_api_key().format(format()?)])
        .admin_scope("admin")
        .usage(usage)
        .respond(payload)
        .build()
}

/// This service tells its clients the reason of a rejection.
fn payload(rejection: &Rejection) -> Payload {
    let (code, message) = match rejection.reason() {
        Reason::Missing => ("MISSING_API_KEY", "Missing API key"),
        Reason::Malformed => ("INVALID_API_KEY_FORMAT", "Expected a key like mem_live_… or mem_test_…"),
        Reason::Expired => ("API_KEY_EXPIRED", "The API key has expired"),
        Reason::Disabled => ("API_KEY_DISABLED", "The API key is disabled"),
        Reason::Revoked => ("API_KEY_DISABLED", "The API key was revoked"),
        Reason::Ambiguous => ("MULTIPLE_API_KEYS", "The request must have one API key, got several"),
        Reason::Forbidden(Forbidden::OrganizationDisabled) => {
            ("ORGANIZATION_DISABLED", "The organization is disabled")
        }
        Reason::MissingScope(_) | Reason::Forbidden(_) => {
            ("INSUFFICIENT_PERMISSIONS", "The API key lacks a scope")
        }
        Reason::Limited(_) => ("RATE_LIMIT_EXCEEDED", "Too many requests with this API key"),
        Reason::Unavailable => ("SERVICE_UNAVAILABLE", "API keys cannot be checked at the moment"),
        _ => ("INVALID_API_KEY", "Invalid API key"),
    };
    Payload::json(api_error::body(code, message, &[]).to_string())
}

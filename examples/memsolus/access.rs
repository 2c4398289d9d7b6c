//! Accepted keys and permissions: `X-Api-Key`, permissions such as `memory.read`, and 403 Forbidden without them.

use tower_api_key::manage::Permissions;
use tower_api_key::reject::{Payload, Reason, Rejection};
use tower_api_key::{Authenticator, ConfigError, KeyFormat, Source, SqliteStore};

use crate::errors;

/// The actions that keys can be permitted, by group.
const GROUPS: [(&str, &[(&str, &str)]); 7] = [
    (
        "memory",
        &[
            ("read", "Find and view memories"),
            ("write", "Add and edit memories"),
            ("delete", "Remove memories"),
        ],
    ),
    (
        "knowledge",
        &[("read", "View entries"), ("write", "Add and edit entries"), ("delete", "Remove entries")],
    ),
    (
        "workspace",
        &[("read", "View workspaces"), ("write", "Add and edit workspaces"), ("delete", "Remove workspaces")],
    ),
    ("export", &[("read", "View and download exports"), ("write", "Start exports")]),
    ("ingest", &[("read", "View the state of jobs"), ("write", "Submit files and URLs")]),
    (
        "webhook",
        &[
            ("read", "View webhooks and deliveries"),
            ("write", "Add and edit webhooks"),
            ("delete", "Remove webhooks"),
        ],
    ),
    ("dashboard", &[("read", "View statistics and alerts")]),
];

/// The permissions of keys. `memory.*` includes all of a group, `*` all permissions.
pub(crate) fn permissions() -> Result<Permissions, ConfigError> {
    let mut permissions = Permissions::new();
    for (group, actions) in GROUPS {
        let actions = actions.iter().chain(&[("*", "All of these")]);
        let listed = actions.map(|(action, description)| (format!("{group}.{action}"), *description));
        permissions = permissions.group(group, listed)?;
    }
    permissions.group("all", [("*", "All permissions, and the management of keys")])
}

/// The format of keys: `msk_live_…` or `msk_test_…`.
pub(crate) fn format() -> Result<KeyFormat, ConfigError> {
    KeyFormat::new("msk")
}

/// Admits requests with a valid key.
pub(crate) fn authenticator(store: SqliteStore) -> Result<Authenticator, ConfigError> {
    Authenticator::builder(store).sources([Source::x_api_key().format(format()?)]).respond(payload).build()
}

fn payload(rejection: &Rejection) -> Payload {
    let detail = match rejection.reason() {
        Reason::MissingScope(_) => "Forbidden",
        other => other.detail(),
    };
    Payload::json(errors::body(rejection.reason().status(), detail).to_string())
}

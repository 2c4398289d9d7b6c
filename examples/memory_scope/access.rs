//! Accepted keys: those of one environment in `X-API-Key`. All other requests get the same response.

use axum::Router;
use tower_api_key::manage::{KeyManager, ManageSettings, RouteError, routes};
use tower_api_key::reject::{Payload, Reason, Rejection};
use tower_api_key::usage::Usage;
use tower_api_key::{Authenticator, ConfigError, Environment, KeyFormat, Requirement, Source, SqliteStore};

use crate::errors;

/// The format of keys: `sk_test_…` or `sk_live_…`.
pub(crate) fn format() -> Result<KeyFormat, ConfigError> {
    KeyFormat::new("sk")
}

/// Admits requests with a valid key of this environment, and counts them by key.
pub(crate) fn authenticator(
    store: SqliteStore,
    environment: Environment,
    usage: Usage,
) -> Result<Authenticator, ConfigError> {
    Authenticator::builder(store)
        .sources([Source::x_api_key().format(format()?)])
        .environment(environment)
        .usage(usage)
        .respond(payload)
        .build()
}

/// A client without a key gets the same response as one with an invalid key.
fn payload(rejection: &Rejection) -> Payload {
    let detail = match rejection.reason() {
        Reason::Missing => Reason::Unknown.detail(),
        Reason::Limited(_) => "Rate limit exceeded. Please try again later.",
        other => other.detail(),
    };
    Payload::json(errors::body(rejection.reason().status(), detail).to_string())
}

/// Routes that create, show, rotate and delete named keys, and return their usage, for callers with the scope `console`.
pub(crate) fn console(store: SqliteStore) -> Result<Router, ConfigError> {
    let granted = Requirement::all_of(["console"])?;
    let settings = ManageSettings::new(granted.clone(), granted).respond(|error: &RouteError| {
        Payload::json(errors::body(error.status, &error.to_string()).to_string())
    });
    Ok(routes(KeyManager::new(store, format()?).require_names(), settings))
}

//! Settings of the routes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::error::{RouteError, Shape};
use crate::reject::Payload;
use crate::scope::Requirement;

/// The default timeout of a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Settings of the [`routes`](super::routes): the scopes that callers need, and the shape of errors.
#[derive(Clone)]
#[non_exhaustive]
pub struct ManageSettings {
    /// Required to read keys and their usage.
    pub read: Requirement,
    /// Required to create, update, rotate and revoke keys.
    pub write: Requirement,
    /// How long the body of a request may take to arrive. Default: 10 s.
    pub body_timeout: Duration,
    pub(super) external_callers: bool,
    pub(super) cross_site: bool,
    pub(super) shows_nodes: bool,
    pub(super) shape: Option<Shape>,
}

impl ManageSettings {
    /// Creates settings with these requirements, and errors in the default shape.
    pub fn new(read: Requirement, write: Requirement) -> Self {
        Self {
            read,
            write,
            body_timeout: BODY_TIMEOUT,
            external_callers: false,
            cross_site: false,
            shows_nodes: false,
            shape: None,
        }
    }

    /// Sets how long the body of a request may take to arrive. A slower one gets 408.
    #[must_use]
    pub fn body_timeout(self, timeout: Duration) -> Self {
        Self { body_timeout: timeout, ..self }
    }

    /// Admits callers whose keys another backend keeps. The store cannot check them in the transaction of a change; they are
    /// [rechecked](crate::Principal::recheck) right before it. By default, such callers are rejected.
    #[must_use]
    pub fn external_callers(self) -> Self {
        Self { external_callers: true, ..self }
    }

    /// Permits changes that a browser sends from pages of other sites. `Sec-Fetch-Site` shows these, or an `Origin` other than the requested
    /// host. By default they are rejected with 403, because a browser sends stored Basic credentials with the requests of any page. A page
    /// that manages keys from another site needs this in addition to CORS. Clients other than browsers send neither header.
    #[must_use]
    pub fn allow_cross_site(self) -> Self {
        Self { cross_site: true, ..self }
    }

    /// Adds a header `Revocation-Missing` to the response to `wait=fleet` for each node that has not acknowledged a revocation. By default,
    /// only the log names these nodes: callers need not know the machines of a service.
    #[must_use]
    pub fn show_nodes(self) -> Self {
        Self { shows_nodes: true, ..self }
    }

    /// Sets the bodies of errors. [`Respond`](crate::reject::Respond) sets those of the authenticator, including that for a caller that lacks
    /// `read` or `write`. Status and headers stay.
    ///
    /// ```
    /// use tower_api_key::Requirement;
    /// use tower_api_key::manage::{ManageSettings, RouteError};
    /// use tower_api_key::reject::Payload;
    ///
    /// let admin = Requirement::all_of(["admin"])?;
    /// let settings = ManageSettings::new(admin.clone(), admin)
    ///     .respond(|error: &RouteError| Payload::json(serde_json::json!({ "error": error.to_string() }).to_string()));
    /// # Ok::<(), tower_api_key::ConfigError>(())
    /// ```
    #[must_use]
    pub fn respond(self, respond: impl Fn(&RouteError) -> Payload + Send + Sync + 'static) -> Self {
        Self { shape: Some(Arc::new(respond)), ..self }
    }
}

impl fmt::Debug for ManageSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManageSettings")
            .field("read", &self.read)
            .field("write", &self.write)
            .finish_non_exhaustive()
    }
}

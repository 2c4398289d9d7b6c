//! What an application decides about the routes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::error::{RouteError, Shape};
use crate::reject::Payload;
use crate::scope::{Requirement, Scopes};

/// How long a body of a few kilobytes may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What callers need to manage their keys over HTTP, what keys can be granted, and what errors look like.
#[derive(Clone)]
#[non_exhaustive]
pub struct ManageSettings {
    /// To look at keys and at their usage.
    pub read: Requirement,
    /// To create, change, rotate and revoke keys.
    pub write: Requirement,
    /// The scopes that `GET /permissions` lists.
    pub permissions: Scopes,
    /// How long the body of a request may take to arrive. Default: 10 s.
    pub body_timeout: Duration,
    pub(super) external_callers: bool,
    pub(super) cross_site: bool,
    pub(super) shows_nodes: bool,
    pub(super) shape: Option<Shape>,
}

impl ManageSettings {
    /// Asks for these, lists no permissions, and writes errors as [`routes`](super::routes) says.
    pub fn new(read: Requirement, write: Requirement) -> Self {
        Self {
            read,
            write,
            permissions: Scopes::default(),
            body_timeout: BODY_TIMEOUT,
            external_callers: false,
            cross_site: false,
            shows_nodes: false,
            shape: None,
        }
    }

    /// Sets the scopes that `GET /permissions` lists.
    #[must_use]
    pub fn permissions(self, permissions: Scopes) -> Self {
        Self { permissions, ..self }
    }

    /// Sets how long the body of a request may take to arrive. A later one is answered 408.
    #[must_use]
    pub fn body_timeout(self, timeout: Duration) -> Self {
        Self { body_timeout: timeout, ..self }
    }

    /// Takes callers whose keys another backend keeps than the one that is managed. The store cannot judge them with a change: they are
    /// [judged again](crate::Principal::recheck) right before it. Without this, such a caller is refused.
    #[must_use]
    pub fn external_callers(self) -> Self {
        Self { external_callers: true, ..self }
    }

    /// Takes changes that a browser sends from pages of other sites, by `Sec-Fetch-Site`, or by an `Origin` other than the host that is asked.
    /// Without this they are refused with 403, because a browser presents Basic credentials that it has kept whichever page asks. A page
    /// that manages keys from another site needs this, beside CORS. Clients that are no browsers send neither header.
    #[must_use]
    pub fn allow_cross_site(self) -> Self {
        Self { cross_site: true, ..self }
    }

    /// Names the nodes that have not acknowledged a revocation, each in a line `Revocation-Missing` of the answer to `wait=fleet`. Without
    /// this, the log alone names them: callers need not know the machines of a service.
    #[must_use]
    pub fn show_nodes(self) -> Self {
        Self { shows_nodes: true, ..self }
    }

    /// Writes the bodies of errors, as [`Respond`](crate::reject::Respond) does for the refusals of an authenticator, among
    /// them that of a caller who lacks `read` or `write`. Status and headers stay.
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
            .field("permissions", &self.permissions)
            .finish_non_exhaustive()
    }
}

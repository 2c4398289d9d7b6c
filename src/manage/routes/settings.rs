//! What an application decides about the routes.

use std::fmt;
use std::sync::Arc;

use super::refused::{Refused, Shape};
use crate::reject::Payload;
use crate::scope::{Requirement, Scopes};

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
    pub(super) shape: Option<Shape>,
}

impl ManageSettings {
    /// Asks for these, lists no permissions, and writes errors as [`routes`](super::routes) says.
    pub fn new(read: Requirement, write: Requirement) -> Self {
        Self { read, write, permissions: Scopes::default(), shape: None }
    }

    /// Sets the scopes that `GET /permissions` lists.
    #[must_use]
    pub fn permissions(self, permissions: Scopes) -> Self {
        Self { permissions, ..self }
    }

    /// Writes the bodies of errors, as [`Respond`](crate::reject::Respond) does for the refusals of an authenticator, among
    /// them that of a caller who lacks `read` or `write`. Status and headers stay.
    ///
    /// ```
    /// use tower_api_key::Requirement;
    /// use tower_api_key::manage::{ManageSettings, Refused};
    /// use tower_api_key::reject::Payload;
    ///
    /// let admin = Requirement::all_of(["admin"])?;
    /// let settings = ManageSettings::new(admin.clone(), admin)
    ///     .respond(|refused: &Refused| Payload::json(serde_json::json!({ "error": refused.to_string() }).to_string()));
    /// # Ok::<(), tower_api_key::ConfigError>(())
    /// ```
    #[must_use]
    pub fn respond(self, respond: impl Fn(&Refused) -> Payload + Send + Sync + 'static) -> Self {
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

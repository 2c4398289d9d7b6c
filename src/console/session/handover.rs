//! The hand-over of a visitor whom the application has signed in itself.

// Layer 10 of 10: rim.

use std::fmt;

use axum::http::header::{CACHE_CONTROL, LOCATION, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::state::{Bounds, Door, Environments, State};
use crate::backend::Actor;
use crate::clock::Timestamp;
use crate::console::signed_in::check_operator;
use crate::credential::Scheme;
use crate::environment::Environment;
use crate::error::{InvalidValue, InvalidValueKind};
use crate::limit::{Limits, Plan};
use crate::manage::ExternalCaller;
use crate::owner::Owner;
use crate::scope::{Requirement, Scopes};

/// A visitor to whom the application opens the console: who acts, whose keys it manages, and what its keys may be.
///
/// The actor of each change is the opener of the session. A key or a user of the store is authorized again before each page and in the
/// transaction of each change: it never exceeds what it has itself then, and with it ends the session. So a key manages keys of its own owner, and a
/// user its own or those of an organization that it is a member of; one that is not live manages keys of its own environment alone. What any other
/// actor may do is what the hand-over says, until the session ends.
///
/// ```
/// use tower_api_key::backend::Actor;
/// use tower_api_key::console::Handover;
/// use tower_api_key::{Owner, Timestamp};
///
/// let handover = Handover::customer(Actor::external("user:17"), Owner::organization("acme"))?
///     .across_environments()
///     .scopes("notes.*".parse()?)
///     .keys_end_by(Timestamp::from_unix_millis(1_900_000_000_000))
///     .return_url("/settings");
///
/// let error = Handover::operator(Actor::external("user:17")).unwrap_err();
/// assert!(error.to_string().starts_with("an operator must be"));
/// assert!(Handover::customer(Actor::system(), Owner::organization("acme")).is_err(), "it has no name");
/// # Ok::<(), tower_api_key::InvalidValue>(())
/// ```
#[derive(Debug, Clone)]
pub struct Handover {
    pub(super) state: State,
    pub(super) bounds: Bounds,
    pub(super) owner: Owner,
    pub(super) scopes: Scopes,
}

impl Handover {
    /// Creates the hand-over of a customer, who manages the live keys of `owner` and, by default, has no scope to give them.
    ///
    /// # Errors
    ///
    /// As [`ExternalCaller::new`] with the name of the actor, which an application needs as well.
    pub fn customer(actor: Actor, owner: Owner) -> Result<Self, InvalidValue> {
        let name = actor.opener().and_then(|_| actor.name().map(str::to_owned));
        let Some(name) = name else {
            let message = "the actor of a hand-over must have a name (`Actor::named`), and be no session";
            return Err(InvalidValue::new(InvalidValueKind::ExternalCaller, message));
        };
        let owner = ExternalCaller::new(name, owner)?.owner().identity();
        Ok(Self::new(actor, Door::Customer, owner))
    }

    /// Creates the hand-over of an operator, who manages the keys of all owners: an application with a [name](Actor::named), or a live key or a
    /// user of the store that meets a requirement for the application's own organization, by [`Actor::requires_for`]. Its keys have no limits.
    ///
    /// # Errors
    ///
    /// When it is neither.
    pub fn operator(actor: Actor) -> Result<Self, InvalidValue> {
        Ok(Self::new(check_operator(actor)?, Door::Operator, no_owner()))
    }

    /// Returns a limit that was set for an operator, who has none.
    pub(super) fn limit_of_operator(&self) -> Option<&'static str> {
        let fields = [
            ("scopes", !self.scopes.is_empty()),
            ("sources", !self.bounds.sources.is_empty()),
            ("expires_at", self.bounds.keys_end_by.is_some()),
            ("limits", !self.bounds.limits.is_empty()),
            ("plan", self.bounds.plan.is_some()),
            ("environment", self.state.environments != Environments::One(Environment::Live)),
            ("manager", self.state.keeps.is_some()),
        ];
        let is_operator = self.state.door == Door::Operator;
        fields.into_iter().find(|(_, is_set)| is_operator && *is_set).map(|(field, _)| field)
    }

    fn new(opener: Actor, door: Door, owner: Owner) -> Self {
        let environments = Environments::One(Environment::Live);
        let state = State {
            opener,
            door,
            bounds: None,
            environments,
            read_only: false,
            keeps: None,
            return_url: None,
        };
        Self { state, bounds: Bounds::default(), owner, scopes: Scopes::default() }
    }

    /// Sets the scopes that the keys of a customer may have. Wildcards are as for [`ExternalCaller::scopes`].
    #[must_use]
    pub fn scopes(self, scopes: Scopes) -> Self {
        Self { scopes, ..self }
    }

    /// Sets the environment whose keys a customer manages. Default: live.
    #[must_use]
    pub fn environment(mut self, environment: Environment) -> Self {
        self.state.environments = Environments::One(environment);
        self
    }

    /// Lets a customer manage the keys of all environments.
    #[must_use]
    pub fn across_environments(mut self) -> Self {
        self.state.environments = Environments::All;
        self
    }

    /// Sets the sources that the keys of a customer are limited to, among those of the actor if that is a key. Default: those of the actor.
    #[must_use]
    pub fn sources(mut self, sources: impl IntoIterator<Item: Into<Scheme>>) -> Self {
        self.bounds.sources = sources.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the latest expiry of the keys that a customer makes. They never end after an actor that is a key.
    #[must_use]
    pub fn keys_end_by(mut self, end: Timestamp) -> Self {
        self.bounds.keys_end_by = Some(end);
        self
    }

    /// Sets the limits of the keys that a customer creates. Default: those of an actor that is a key, or none.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.bounds.limits = limits;
        self
    }

    /// Sets the plan of the keys that a customer creates, by its name. Default: that of an actor that is a key; keys without a plan have that of
    /// their organization or user.
    #[must_use]
    pub fn plan(mut self, plan: Plan) -> Self {
        self.bounds.plan = Some(plan);
        self
    }

    /// Rejects changes that would leave the owner without a key that meets a requirement, such as the scopes by which the application hands a
    /// key over: as [`Delegate::keeping_manager`](crate::manage::Delegate::keeping_manager) does.
    #[must_use]
    pub fn keeping_manager(mut self, requirement: Requirement) -> Self {
        self.state.keeps = Some(requirement);
        self
    }

    /// Shows the pages without their forms, and rejects changes with 403.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.state.read_only = true;
        self
    }

    /// Sets the address to which the pages link as the way back: a path, or a URL of an origin of the application.
    #[must_use]
    pub fn return_url(mut self, url: impl Into<Box<str>>) -> Self {
        self.state.return_url = Some(url.into());
        self
    }
}

/// Returns the owner in the record of an operator's session, which no owner of keys can be: an id is not empty.
pub(super) fn no_owner() -> Owner {
    Owner::organization("")
}

/// The way into the console for one browser: a URL with a code that works once within 15 minutes, and a cookie without which it does not.
///
/// It is a response as well: a redirection to the URL, with the cookie. Its `Debug` text shows neither.
#[must_use = "the browser has to get the cookie and follow the URL"]
pub struct SignInUrl {
    pub(super) url: String,
    pub(super) cookie: HeaderValue,
}

impl SignInUrl {
    /// Returns the URL, on the origin of the console.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the value of the header `Set-Cookie` that the response has to have, which leads the browser to the URL.
    pub fn set_cookie(&self) -> &HeaderValue {
        &self.cookie
    }
}

impl IntoResponse for SignInUrl {
    fn into_response(self) -> Response {
        let mut response = StatusCode::SEE_OTHER.into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(SET_COOKIE, self.cookie);
        match HeaderValue::from_str(&self.url) {
            Ok(url) => _ = headers.insert(LOCATION, url),
            Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
        }
        response
    }
}

impl fmt::Debug for SignInUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInUrl").finish_non_exhaustive()
    }
}

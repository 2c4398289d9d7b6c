//! Callers that another login has authenticated.

// Layer 9 of 10: management.

use super::validation::Validation;
use super::{FieldError, ManageError};
#[cfg(feature = "console")]
use crate::backend::AuthorizedActor;
use crate::backend::{Actor, Caller};
use crate::clock::Timestamp;
use crate::credential::Scheme;
use crate::environment::Environment;
use crate::error::{InvalidValue, InvalidValueKind};
use crate::limit::{Limits, Plan};
use crate::owner::Owner;
use crate::principal::Principal;
use crate::scope::{Requirement, Scopes};

/// A caller that another login has authenticated, such as a user with a session or a token: whose keys it manages, and what it may grant.
///
/// It has no key in the store, which therefore checks its keys and scopes, not that it is still signed in or that its organization is not
/// disabled: create one from the session right before each change. By default, it manages live keys, and has no scopes.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use tower_api_key::manage::{ExternalCaller, KeyManager, ManageErrorKind};
/// use tower_api_key::{KeyFormat, MemoryStore, Owner};
///
/// let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo")?);
/// let ann = ExternalCaller::new("user:17", Owner::organization("acme"))?.scopes("notes.*".parse()?);
/// let delegate = manager.on_behalf_of_external(ann);
///
/// let created = delegate.create(delegate.new_key().scopes("notes.read".parse()?)).await?;
/// assert_eq!(created.record().created_by.as_deref(), Some("user:17"));
///
/// let beyond = delegate.new_key().scopes("billing.read".parse()?);
/// assert_eq!(delegate.create(beyond).await.unwrap_err().kind(), ManageErrorKind::Forbidden);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ExternalCaller {
    pub(super) name: Box<str>,
    pub(super) owner: Owner,
    /// That of new keys, and of all keys of the caller unless `all_environments` is set.
    pub(super) environment: Environment,
    pub(super) all_environments: bool,
    pub(super) caller: Caller,
    /// The actor of its changes, if it is a session, which the store checks.
    pub(super) session: Option<Actor>,
    /// What a key of the owner has to meet so that its last one is not ended.
    pub(super) keeps: Option<Requirement>,
}

impl ExternalCaller {
    /// Creates a caller that manages the live keys of `owner`. `name` is recorded with its keys and in the audit log, where the ids of keys are
    /// names as well: take an id that users do not choose, with a prefix of your own, such as `user:17` or `auth0|17`.
    ///
    /// # Errors
    ///
    /// If the name or an id of the owner is empty, longer than 255 characters, or contains control characters.
    pub fn new(name: impl Into<Box<str>>, owner: Owner) -> Result<Self, InvalidValue> {
        let name = name.into();
        Validation::default().caller(&name).owner(&owner).finish().map_err(|error| invalid(&error))?;
        let (environment, caller) = (Environment::Live, Caller::default());
        Ok(Self { name, owner, environment, all_environments: false, caller, session: None, keeps: None })
    }

    /// Creates the caller of a session, with what it has as of now.
    #[cfg(feature = "console")]
    pub(crate) fn of_session(session: Actor, authorized: AuthorizedActor, owner: Owner) -> Self {
        Self {
            name: session.name().unwrap_or_default().into(),
            owner,
            environment: Environment::Live,
            all_environments: false,
            caller: authorized.into(),
            session: Some(session),
            keeps: None,
        }
    }

    /// Rejects changes that would end the last key of the owner that meets a requirement.
    #[cfg(feature = "console")]
    pub(crate) fn keeping_manager(self, keeps: Option<Requirement>) -> Self {
        Self { keeps, ..self }
    }

    /// Sets the environment whose keys it manages.
    #[must_use]
    pub fn environment(self, environment: Environment) -> Self {
        Self { environment, all_environments: false, ..self }
    }

    /// Lets it manage the keys of all environments. Its new keys are live unless they name another environment.
    #[must_use]
    pub fn across_environments(self) -> Self {
        Self { environment: Environment::Live, all_environments: true, ..self }
    }

    /// Sets the scopes that it has. It grants no others, and updates, rotates and revokes only keys without others. A wildcard grants every
    /// scope that it covers; but the one that [implies all](crate::AuthenticatorBuilder::admin_scope) only if it is `*`, or if the manager
    /// does not know that scope: [`KeyManager::for_authenticator`](super::KeyManager::for_authenticator) does.
    /// [Permissions](super::KeyManager::with_permissions) keep the scopes to manage keys out of keys.
    #[must_use]
    pub fn scopes(mut self, scopes: Scopes) -> Self {
        // It no longer acts by the key that it may have been admitted with.
        (self.caller.scopes, self.caller.own_key) = (scopes, None);
        self
    }

    /// Sets the sources that its keys are limited to. By default, they may be presented by any.
    #[must_use]
    pub fn sources(mut self, sources: impl IntoIterator<Item: Into<Scheme>>) -> Self {
        self.caller.sources = sources.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the latest expiry of the keys that it makes, including successors: a key without an expiry gets this one. Once it is over, the
    /// caller makes none. By default, they need not expire. An earlier limit stays, such as the expiry of the caller's own key.
    #[must_use]
    pub fn keys_end_by(mut self, end: Timestamp) -> Self {
        self.caller.keys_end_by = Some(self.caller.keys_end_by.map_or(end, |earlier| earlier.min(end)));
        self
    }

    /// Sets the limits of the keys that it creates. By default, those of the key that it was admitted with, or none. Successors have those of the
    /// keys that they replace.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.caller.limits = limits;
        self
    }

    /// Sets the plan of the keys that it creates, by its name. By default as the limits; keys without a plan have that of their organization or
    /// user.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use tower_api_key::limit::Plan;
    /// use tower_api_key::manage::{ExternalCaller, KeyManager};
    /// use tower_api_key::{KeyFormat, MemoryStore, Owner};
    ///
    /// let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo")?);
    /// manager.put_plan(&Plan::new("free", "burst=10/60s/owner".parse()?)?).await?;
    /// let ann = ExternalCaller::new("user:17", Owner::organization("acme"))?.plan(Plan::named("free")?);
    /// let delegate = manager.on_behalf_of_external(ann);
    /// let created = delegate.create(delegate.new_key()).await?;
    /// assert_eq!(created.record().all_limits().count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn plan(mut self, plan: Plan) -> Self {
        self.caller.plan = Some(plan);
        self
    }

    /// Returns the name in the audit log.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the owner whose keys it manages.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Returns the environments whose keys it manages; that of new keys by default is the first.
    #[cfg(feature = "console")]
    pub(crate) fn environments(&self) -> &'static [Environment] {
        match (self.all_environments, self.environment) {
            (true, _) => &[Environment::Live, Environment::Test],
            (false, Environment::Live) => &[Environment::Live],
            (false, Environment::Test) => &[Environment::Test],
        }
    }

    /// Returns the latest expiry of the keys that it makes.
    #[cfg(feature = "console")]
    pub(crate) fn latest_expiry(&self) -> Option<Timestamp> {
        self.caller.keys_end_by
    }

    pub(super) fn actor(&self) -> Actor {
        self.session.clone().unwrap_or_else(|| Actor::external(self.name.clone()))
    }
}

/// A caller whose key another backend keeps, with the rights of the time when it was admitted, however long ago. Call [`Principal::recheck`]
/// right before a change.
impl From<&Principal> for ExternalCaller {
    fn from(principal: &Principal) -> Self {
        Self {
            name: principal.key_id().as_str().into(),
            owner: principal.owner().clone(),
            environment: principal.environment(),
            all_environments: false,
            caller: principal.authorized_actor().into(),
            session: None,
            keeps: None,
        }
    }
}

fn invalid(error: &ManageError) -> InvalidValue {
    let problems: Vec<_> =
        error.fields().iter().map(|FieldError { field, message }| format!("{field} {message}")).collect();
    let message = format!("external caller is invalid: {}", problems.join("; "));
    InvalidValue::new(InvalidValueKind::ExternalCaller, message)
}

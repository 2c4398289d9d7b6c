//! The actor of a change, which is authorized in the transaction of the change.

// Layer 3 of 10: storage.

use std::fmt;
use std::sync::Arc;

use super::{BackendError, KeyFilter};
use crate::clock::{Clock, Timestamp};
use crate::credential::Scheme;
use crate::digest::{Digest, Digests};
use crate::environment::Environment;
use crate::key::KeyId;
use crate::limit::{Limits, Plan};
use crate::owner::{Owner, User};
use crate::record::{KeyState, Record};
use crate::rights::{Resource, Rights, ScopePolicy};
use crate::scope::{Requirement, Scopes};

/// The actor of a change.
///
/// The store authorizes the actor in the transaction of the change. A key that was revoked, a user who was removed, or a scope
/// that was withdrawn since the request began changes nothing, however long the body of the request took to arrive.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use http::HeaderMap;
/// use tower_api_key::backend::{BackendErrorKind, KeyChange, KeyStore};
/// use tower_api_key::digest::Digester;
/// use tower_api_key::record::Revocation;
/// use tower_api_key::{Authenticator, Environment, KeyFormat, KeyId, MemoryStore, Owner, Record};
/// use tower_api_key::{Requirement, Scopes, Timestamp};
///
/// let (store, text) = (MemoryStore::new(), KeyFormat::new("demo")?.mint(Environment::Live)?);
/// let mut own = Record::new(KeyId::new("key_1")?, &text, &Digester::sha256(), Owner::organization("acme"));
/// own.scopes = Scopes::parse("keys.write")?;
/// store.change(KeyChange::insert(own.clone())).await?;
/// let mut headers = HeaderMap::new();
/// headers.insert("x-api-key", text.reveal().as_str().parse()?);
/// let caller = Authenticator::builder(store.clone()).build()?.authenticate(&headers).await?;
///
/// let lost = Revocation::new(Timestamp::from_unix_millis(0), "lost");
/// let revoke = KeyChange::revoke(&own.id, lost);
/// let by_caller = revoke.clone().by(caller.actor().requires(Requirement::all_of(["keys.write"])?));
/// store.change(revoke).await?;
/// // The caller was admitted, and its key was revoked since.
/// assert_eq!(store.change(by_caller).await.unwrap_err().kind(), BackendErrorKind::Forbidden);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Actor {
    /// The application itself, which may make every change.
    #[non_exhaustive]
    System {
        /// Its name in the audit log.
        name: Option<Box<str>>,
    },
    /// A caller that another system has authenticated. The store cannot authorize it: the application is responsible.
    #[non_exhaustive]
    External {
        /// Its name in the audit log.
        id: Box<str>,
    },
    /// A key of this store.
    Key(KeyActor),
    /// A user of this store who presented a password.
    User(UserActor),
    /// A session of the console, which stands for its opener.
    Session(SessionActor),
}

/// A key as an actor. It has to be active, and to meet the requirements of the change.
#[derive(Debug, Clone)]
pub struct KeyActor {
    pub(super) id: KeyId,
    /// Of its text, by each digester of the node: the store has it under one of them, or several.
    pub(super) digests: Digests,
    pub(super) context: AuthContext,
}

/// A user as an actor. The user must still have the presented password, and meet the requirements of the change.
#[derive(Debug, Clone)]
pub struct UserActor {
    pub(super) id: KeyId,
    pub(super) email: Box<str>,
    pub(super) password: Digest,
    pub(super) environment: Environment,
    pub(super) context: AuthContext,
}

/// A session of the console as an actor. It has to be active, and so has its opener, which has to meet its requirements. It can do what
/// both the opener and the hand-over permit.
#[derive(Debug, Clone)]
pub struct SessionActor {
    id: KeyId,
    digest: Digest,
    opener: Box<Actor>,
    grant: Option<Grant>,
    policy: ScopePolicy,
    clock: Arc<dyn Clock>,
}

/// What a hand-over permits to the opener of a session, of what the opener may do itself: the owner of the keys, their scopes and their limits.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "console"), allow(dead_code, reason = "only the console opens sessions"))]
pub(crate) struct Grant {
    pub(crate) owner: Owner,
    pub(crate) scopes: Scopes,
    /// The environment of the keys. `None` for all of them.
    pub(crate) environment: Option<Environment>,
    pub(crate) sources: Box<[Scheme]>,
    pub(crate) keys_end_by: Option<Timestamp>,
    pub(crate) limits: Limits,
    pub(crate) plan: Option<Plan>,
}

/// The parts that [`KeyActor`] and [`UserActor`] have in common.
#[derive(Clone)]
pub(super) struct AuthContext {
    pub(super) scheme: Scheme,
    pub(super) policy: ScopePolicy,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) requirements: Vec<ActorRequirement>,
}

/// A requirement, and the organization or project that it applies to, if any.
#[derive(Debug, Clone)]
pub(super) struct ActorRequirement {
    pub(super) requirement: Requirement,
    pub(super) resource: Option<(Box<str>, Option<Box<str>>)>,
}

/// What a store looks up to authorize an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject<'a> {
    /// The key with this id.
    Key(&'a KeyId),
    /// The user with this e-mail.
    User(&'a str),
}

/// The result of looking up a [`Subject`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub enum ResolvedSubject {
    /// The record of the key, with its current owner.
    Key(Record),
    /// The user, with memberships and password.
    User(User),
    /// The store has no such key or user.
    Missing,
}

/// An actor that was authorized, as of that moment.
#[derive(Debug, Clone)]
pub struct AuthorizedActor {
    pub(super) record: Record,
    pub(super) policy: ScopePolicy,
    /// That of an actor that is a session; the record is that of its opener then, if the store has it.
    pub(super) session: Option<AuthorizedSession>,
}

/// A session that was authorized with its opener.
#[derive(Debug, Clone)]
pub(super) struct AuthorizedSession {
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    ends_at: Option<Timestamp>,
    pub(super) grant: Option<Grant>,
    pub(super) opener: SessionOpener,
}

#[derive(Debug, Clone)]
pub(super) enum SessionOpener {
    /// An account of the application, which has what the hand-over grants.
    NotInStore,
    /// A key or a user, with the scopes of its role where the owner of the keys is an organization that it is a member of.
    InStore { role: Option<Scopes> },
}

impl Actor {
    /// Creates the actor for a caller with this record: a user if it is that of a password, otherwise a key.
    /// `digests` are those of the presented text.
    pub(crate) fn of(
        record: &Record,
        digests: Digests,
        scheme: &Scheme,
        policy: &ScopePolicy,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let (scheme, policy, clock) = (scheme.clone(), policy.clone(), Arc::clone(clock));
        let context = AuthContext { scheme, policy, clock, requirements: Vec::new() };
        match &record.owner {
            Owner::User(user) if record.digest == Digest::of_user(&user.email) => {
                Self::User(UserActor {
                    id: record.id.clone(),
                    email: user.email.clone(),
                    // A user without a password was not admitted by one; no password has this version.
                    password: user.password().map_or(record.digest, |password| password.version),
                    environment: record.environment,
                    context,
                })
            }
            _ => Self::Key(KeyActor { id: record.id.clone(), digests, context }),
        }
    }

    /// Creates the actor for a session with this record.
    #[cfg(feature = "console")]
    pub(crate) fn session(
        record: &Record,
        opener: Self,
        grant: Option<Grant>,
        policy: &ScopePolicy,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let (policy, clock) = (policy.clone(), Arc::clone(clock));
        let (id, digest, opener) = (record.id.clone(), record.digest, Box::new(opener));
        Self::Session(SessionActor { id, digest, opener, grant, policy, clock })
    }

    /// Returns the application as an actor, without a name.
    pub const fn system() -> Self {
        Self::System { name: None }
    }

    /// Returns the application, or a part of it, as an actor with this name in the audit log.
    pub fn named(name: impl Into<Box<str>>) -> Self {
        Self::System { name: Some(name.into()) }
    }

    /// Returns a caller that another system has authenticated, with this name in the audit log.
    pub fn external(id: impl Into<Box<str>>) -> Self {
        Self::External { id: id.into() }
    }

    /// Requires scopes of a key or a user at the time of the change, as [`Principal::require`](crate::Principal::require) does. Ignored
    /// for other actors.
    ///
    /// The roles of a user are those in this store. One that keeps no users, behind a [`WithOwnerResolver`](super::WithOwnerResolver), knows
    /// no role and rejects the change, unless the [scopes of every user](crate::AuthenticatorBuilder::user_scopes) suffice; such callers act
    /// as [`Actor::External`].
    #[must_use]
    pub fn requires(self, requirement: Requirement) -> Self {
        self.with(ActorRequirement { requirement, resource: None })
    }

    /// Requires scopes for one resource at the time of the change, as [`Principal::authorize`](crate::Principal::authorize)
    /// does. Ignored for actors other than keys and users.
    #[must_use]
    pub fn requires_for(self, requirement: Requirement, resource: Resource<'_>) -> Self {
        let resource = match resource {
            Resource::Organization(organization) => (organization.into(), None),
            Resource::Project { organization, project } => (organization.into(), Some(project.into())),
        };
        self.with(ActorRequirement { requirement, resource: Some(resource) })
    }

    /// Adds the requirements of another actor.
    pub(crate) fn requires_same_as(mut self, other: &Self) -> Self {
        if let Self::Key(KeyActor { context, .. }) | Self::User(UserActor { context, .. }) = other {
            for need in &context.requirements {
                self = self.with(need.clone());
            }
        }
        self
    }

    fn with(mut self, need: ActorRequirement) -> Self {
        match &mut self {
            Self::Key(KeyActor { context, .. }) | Self::User(UserActor { context, .. }) => {
                context.requirements.push(need);
            }
            Self::System { .. } | Self::External { .. } | Self::Session(_) => {}
        }
        self
    }

    /// Returns the name of the actor in the audit log. For a key and a user it is the [id](crate::Principal::key_id) that they
    /// authenticated with, for a session the name of its opener.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::System { name } => name.as_deref(),
            Self::External { id } => Some(id),
            Self::Key(KeyActor { id, .. }) | Self::User(UserActor { id, .. }) => Some(id.as_str()),
            Self::Session(own) => own.opener.name(),
        }
    }

    /// Returns the subjects that a store looks up to authorize the actor: a key, a user, or a session and its opener. None for an actor that the
    /// store does not authorize.
    pub fn subjects(&self) -> impl Iterator<Item = Subject<'_>> {
        let opener = match self {
            Self::Session(own) => own.opener.subject(),
            _ => None,
        };
        self.subject().into_iter().chain(opener)
    }

    fn subject(&self) -> Option<Subject<'_>> {
        match self {
            Self::System { .. } | Self::External { .. } => None,
            Self::Key(KeyActor { id, .. }) | Self::Session(SessionActor { id, .. }) => Some(Subject::Key(id)),
            Self::User(UserActor { email, .. }) => Some(Subject::User(email)),
        }
    }

    /// Returns whether the store has the actor, and authorizes it.
    pub(crate) fn is_in_store(&self) -> bool {
        self.subject().is_some()
    }

    /// Authorizes the actor by what the store has found of each of its [subjects](Self::subjects), in their order, in the transaction of the
    /// change. Returns `None` for an actor that no store authorizes.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::BackendErrorKind::Forbidden) if the actor may not make the change, or no longer.
    pub fn authorize(
        &self,
        found: impl IntoIterator<Item = ResolvedSubject>,
    ) -> Result<Option<AuthorizedActor>, BackendError> {
        let mut found = found.into_iter().chain([ResolvedSubject::Missing, ResolvedSubject::Missing]);
        let mut next = || found.next().unwrap_or(ResolvedSubject::Missing);
        match self {
            Self::Session(own) => own.authorize(next(), next()).map(Some),
            _ => self.authorize_alone(next()),
        }
    }

    fn authorize_alone(&self, found: ResolvedSubject) -> Result<Option<AuthorizedActor>, BackendError> {
        let (record, context) = match (self, found) {
            (Self::System { .. } | Self::External { .. }, _) => return Ok(None),
            (Self::Key(own), ResolvedSubject::Key(record))
                if own.digests.as_slice().contains(&record.digest) =>
            {
                (record, &own.context)
            }
            (Self::User(own), ResolvedSubject::User(user)) if own.is(&user) => {
                let scopes = &own.context.policy.of_users;
                (Record::of_user(user, own.environment, scopes), &own.context)
            }
            // A missing key or user is not active, nor is another one with the same name.
            (Self::Key(_) | Self::User(_) | Self::Session(_), _) => return Err(BackendError::actor_gone()),
        };
        context.authorize(record).map(Some)
    }

    /// Checks the expiry of an actor again right before the commit: the transaction may have waited for others.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(super) fn check_time(&self, authorized: Option<&AuthorizedActor>) -> Result<(), BackendError> {
        let clock = match self {
            Self::Key(KeyActor { context, .. }) => &context.clock,
            Self::Session(own) => &own.clock,
            _ => return Ok(()),
        };
        match authorized {
            Some(authorized) if authorized.has_expired(clock.wall()) => Err(BackendError::actor_gone()),
            _ => Ok(()),
        }
    }
}

impl SessionActor {
    /// Authorizes the session, and its opener.
    fn authorize(
        &self,
        session: ResolvedSubject,
        opener: ResolvedSubject,
    ) -> Result<AuthorizedActor, BackendError> {
        let ResolvedSubject::Key(session) = session else { return Err(BackendError::actor_gone()) };
        let is_active = session.digest == self.digest
            && session.session.is_some()
            && session.state(self.clock.wall()) == KeyState::Active
            && !session.owner.is_disabled();
        if !is_active {
            return Err(BackendError::actor_gone());
        }
        #[cfg(any(feature = "sqlite", feature = "postgres"))]
        let ends_at = session.expires_at;
        let (actor, opener) = match self.opener.authorize_alone(opener)? {
            None => (AuthorizedActor::new(session, self.policy.clone()), SessionOpener::NotInStore),
            Some(own) => {
                let role = self.grant.as_ref().map(|grant| grant.check_opener(&own.record)).transpose()?;
                (own, SessionOpener::InStore { role: role.flatten() })
            }
        };
        let session = AuthorizedSession {
            #[cfg(any(feature = "sqlite", feature = "postgres"))]
            ends_at,
            grant: self.grant.clone(),
            opener,
        };
        Ok(AuthorizedActor { session: Some(session), ..actor })
    }
}

impl Grant {
    /// Checks that an opener reaches what it is handed over for, and returns the scopes of its role there, if it is a user who manages the keys of
    /// an organization.
    ///
    /// # Errors
    ///
    /// [`Forbidden`](super::BackendErrorKind::Forbidden) if the owner is not that of the opener, nor an organization of which it is a member, or if
    /// the opener is of another environment.
    pub(crate) fn check_opener(&self, opener: &Record) -> Result<Option<Scopes>, BackendError> {
        // With a live key that it creates, a test key would reach live data.
        if opener.environment != Environment::Live && self.environment != Some(opener.environment) {
            let message = format!("a {} key manages keys of its own environment alone", opener.environment);
            return Err(BackendError::forbidden(Some("environment"), message));
        }
        let organization = self.owner.organization_id();
        // An operator manages the keys of all owners, by the requirement of its hand-over.
        let is_operator = organization.is_some_and(str::is_empty);
        if is_operator || KeyFilter::of_owner(&opener.owner).matches_owner(&self.owner, opener.environment) {
            return Ok(None);
        }
        let role = match (&opener.owner, organization) {
            (Owner::User(user), Some(id)) => user.reachable().find(|role| *role.organization.id == *id),
            _ => None,
        };
        role.map(|role| Some(role.scopes.clone())).ok_or_else(|| {
            BackendError::forbidden(Some("owner"), "the actor may not manage the keys of this owner")
        })
    }
}

impl UserActor {
    fn is(&self, user: &User) -> bool {
        let version = user.password().map(|password| password.version);
        user.email == self.email && version == Some(self.password)
    }
}

impl AuthContext {
    fn authorize(&self, record: Record) -> Result<AuthorizedActor, BackendError> {
        let is_active = record.state(self.clock.wall()) == KeyState::Active
            && record.accepts(&self.scheme)
            && !record.owner.is_disabled();
        if !is_active {
            return Err(BackendError::actor_gone());
        }
        let rights = Rights::new(&record, &self.policy);
        if self.requirements.iter().all(|need| need.is_met_by(rights)) {
            Ok(AuthorizedActor::new(record, self.policy.clone()))
        } else {
            Err(BackendError::forbidden(None, "the actor lacks what the change requires"))
        }
    }
}

impl ActorRequirement {
    fn is_met_by(&self, rights: Rights<'_>) -> bool {
        let resource = self.resource.as_ref().map(|(organization, project)| match project {
            Some(project) => Resource::Project { organization, project },
            None => Resource::Organization(organization),
        });
        match resource {
            Some(resource) => rights.authorize(&self.requirement, resource).is_ok(),
            None => rights.meets(&self.requirement),
        }
    }
}

impl AuthorizedActor {
    /// Creates the authorized actor from the record that the store has of it, or that the caller was admitted with.
    pub(crate) fn new(record: Record, policy: ScopePolicy) -> Self {
        Self { record, policy, session: None }
    }

    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    fn has_expired(&self, now: Timestamp) -> bool {
        let ends_at = self.session.as_ref().and_then(|session| session.ends_at);
        self.record.has_expired(now) || ends_at.is_some_and(|end| end <= now)
    }

    /// Returns the record of the actor. For a session, it is that of its opener, if the store has it.
    pub fn record(&self) -> &Record {
        &self.record
    }
}

impl fmt::Debug for AuthContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthContext")
            .field("scheme", &self.scheme)
            .field("policy", &self.policy)
            .field("requirements", &self.requirements)
            .finish_non_exhaustive()
    }
}

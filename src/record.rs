//! Records of keys: facts, never decisions.

// Layer 1 of 10: words.
// Above `owner`, `key` and `credential`; below `reason` and `rights`, which decide. `setters` is above this file.

mod setters;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::credential::Scheme;
use crate::digest::{Digest, Digester};
use crate::environment::Environment;
use crate::error::{InvalidValue, InvalidValueKind};
use crate::key::{ApiKey, KeyId, RetrievableKey};
use crate::limit::{Limit, Limits, Plan};
use crate::owner::{Owner, User};
use crate::scope::Scopes;
use crate::text::{parsed_from_text, serialized_as_text};

/// The record of a key in a store. It does not hold the text of the key, unless that is no secret.
///
/// ```
/// use tower_api_key::key::{KeyFormat, KeyId};
/// use tower_api_key::{Environment, Owner, Record, Timestamp, digest::Digester};
///
/// let key = KeyFormat::new("demo")?.mint(Environment::Live)?;
/// let id = KeyId::generate(Timestamp::from_unix_millis(1_800_000_000_000))?;
/// let record = Record::new(id, &key, &Digester::sha256(), Owner::organization("acme"))
///     .name("Production server")
///     .scopes("notes.read notes.write".parse()?);
/// assert_eq!(record.environment, Environment::Live);
/// assert_eq!(&*record.hint, key.hint());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// The public id.
    pub id: KeyId,
    /// The digest by which the key is looked up.
    pub digest: Digest,
    /// The first characters of the text, by which people recognise the key.
    pub hint: Box<str>,
    /// The name chosen by the owner.
    pub name: Box<str>,
    /// The owner of the key.
    pub owner: Owner,
    /// The environment of the key.
    pub environment: Environment,
    /// The scopes granted to the key.
    pub scopes: Scopes,
    /// The schemes by which the key may be presented; empty for any.
    pub sources: Box<[Scheme]>,
    /// The time of creation.
    pub created_at: Option<Timestamp>,
    /// The creator.
    pub created_by: Option<Box<str>>,
    /// The time from which the key is rejected.
    pub expires_at: Option<Timestamp>,
    /// The revocation, which is final.
    pub revoked: Option<Revocation>,
    /// The disabling, which can be undone.
    pub disabled: Option<Disabling>,
    /// The key that this one replaced.
    pub rotated_from: Option<KeyId>,
    /// The first key of the rotations that led to this one. Limits count all of them as one key.
    pub first_rotated_from: Option<KeyId>,
    /// The key that replaces this one.
    pub rotated_to: Option<KeyId>,
    /// The time of the last recorded use.
    pub last_used_at: Option<Timestamp>,
    /// The time for which the replaced key stays valid after the first use of this key. `None` once that time has begun.
    pub first_use_grace: Option<Duration>,
    /// The text of the key, if it is no secret and may be retrieved. `None` by default.
    pub retrievable: Option<RetrievableKey>,
    /// Values of the application. The owner can neither read nor change them by the routes, but gets a key with the same values by
    /// rotating a key: keep settings of an owner with the owner.
    pub metadata: BTreeMap<String, String>,
    /// Notes of the owner. Base no decision on them.
    pub labels: BTreeMap<String, String>,
    /// The limits of the key itself. None by default.
    pub limits: Limits,
    /// The plan of the key, in place of that of its organization or user. A store writes its name, and reads it with its current limits.
    pub plan: Option<Plan>,
    /// The session that the record stands for, instead of a key. No [filter](crate::backend::KeyFilter) of keys selects it, and no
    /// authenticator admits it.
    pub session: Option<Session>,
}

/// What the record of a session of the console holds beside what each record does. Its `Debug` text shows none of it: the state has digests.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// The actor that opened it, as a text by which its sessions are found.
    pub opener: Box<str>,
    /// What the console keeps with it, which only the console reads.
    pub state: Box<str>,
}

impl Session {
    /// Creates the session of an opener.
    pub fn new(opener: impl Into<Box<str>>, state: impl Into<Box<str>>) -> Self {
        Self { opener: opener.into(), state: state.into() }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// The state of a key. The [table of states](crate::_guide::rotation#states-of-a-key) shows the changes between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyState {
    /// The key is neither revoked nor expired nor disabled.
    Active,
    /// The key is rejected until it is enabled again. It was not revoked and has not expired.
    Disabled,
    /// The key has expired, and was not revoked.
    Expired,
    /// The key was revoked, before or after it expired.
    Revoked,
}

impl KeyState {
    /// Returns the name of the state: `active`, `disabled`, `expired` or `revoked`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// Returns whether the key has ended: expired or revoked. A disabled key has not, as it can be enabled.
    pub(crate) fn has_ended(self) -> bool {
        matches!(self, Self::Expired | Self::Revoked)
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

impl AsRef<str> for KeyState {
    fn as_ref(&self) -> &str {
        self.label()
    }
}

impl FromStr for KeyState {
    type Err = InvalidValue;

    fn from_str(label: &str) -> Result<Self, InvalidValue> {
        let states = [Self::Active, Self::Disabled, Self::Expired, Self::Revoked];
        states.into_iter().find(|state| state.label() == label).ok_or_else(|| {
            let message = "state is invalid: must be `active`, `disabled`, `expired` or `revoked`";
            InvalidValue::new(InvalidValueKind::KeyState, message)
        })
    }
}

parsed_from_text!(KeyState, "`active`, `disabled`, `expired` or `revoked`");
serialized_as_text!(KeyState);

/// The revocation of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revocation {
    /// The time of the revocation.
    pub at: Timestamp,
    /// The reason, as text.
    pub reason: Box<str>,
    /// The actor.
    pub by: Option<Box<str>>,
}

impl Revocation {
    /// Creates a revocation without an actor.
    pub fn new(at: Timestamp, reason: impl Into<Box<str>>) -> Self {
        Self { at, reason: reason.into(), by: None }
    }

    /// Sets the actor.
    #[must_use]
    pub fn by(self, by: impl Into<Box<str>>) -> Self {
        Self { by: Some(by.into()), ..self }
    }
}

/// The disabling of a key. The key is rejected until it is enabled again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disabling {
    /// The time of the disabling.
    pub at: Timestamp,
    /// The reason, as text.
    pub reason: Box<str>,
    /// The actor.
    pub by: Option<Box<str>>,
    /// Whether only the application may enable the key. `true` unless a delegate disabled it.
    pub locked: bool,
}

impl Disabling {
    /// Creates a disabling by the application, without the name of an actor.
    pub fn new(at: Timestamp, reason: impl Into<Box<str>>) -> Self {
        Self { at, reason: reason.into(), by: None, locked: true }
    }

    /// Sets the actor.
    #[must_use]
    pub fn by(self, by: impl Into<Box<str>>) -> Self {
        Self { by: Some(by.into()), ..self }
    }

    /// Lets delegates of the key's owner enable the key.
    #[must_use]
    pub fn unlocked(self) -> Self {
        Self { locked: false, ..self }
    }
}

impl Record {
    /// Creates the record of a newly minted key, without scopes, restrictions or expiry.
    pub fn new(id: KeyId, key: &ApiKey, digester: &Digester, owner: Owner) -> Self {
        let mut record = Self::imported(id, key.digest(digester), owner);
        record.environment = key.environment();
        record.hint = key.hint().into();
        record
    }

    /// Creates the record of a key that was made elsewhere, from its digest.
    pub fn imported(id: KeyId, digest: Digest, owner: Owner) -> Self {
        Self {
            id,
            digest,
            hint: Box::default(),
            name: Box::default(),
            owner,
            environment: Environment::Live,
            scopes: Scopes::default(),
            sources: Box::default(),
            created_at: None,
            created_by: None,
            expires_at: None,
            revoked: None,
            disabled: None,
            rotated_from: None,
            first_rotated_from: None,
            rotated_to: None,
            last_used_at: None,
            first_use_grace: None,
            retrievable: None,
            metadata: BTreeMap::new(),
            labels: BTreeMap::new(),
            limits: Limits::default(),
            plan: None,
            session: None,
        }
    }

    /// Creates the record of a user who signs in with a password. It holds `scopes` and those of all roles in organizations that a
    /// password can reach, so that it denies no action of a role.
    pub(crate) fn of_user(user: User, environment: Environment, scopes: &Scopes) -> Self {
        let digest = Digest::of_user(&user.email);
        let of_roles = user.reachable().flat_map(|membership| membership.scopes.iter());
        let scopes = of_roles.chain(scopes.iter()).cloned().collect();
        let mut record = Self::imported(KeyId::of_user(&digest), digest, Owner::User(user));
        record.environment = environment;
        record.scopes = scopes;
        record.sources = [Scheme::Basic].into();
        record
    }

    /// Returns whether the key may be presented by this scheme.
    pub fn accepts(&self, scheme: &Scheme) -> bool {
        self.sources.is_empty() || self.sources.contains(scheme)
    }

    /// Returns the limits of the requests with the key: its own, and those of its plan, or else of its owner's, that have other names.
    /// Those of a plan that is known by its name alone are missing; no authenticator admits a key with such a plan.
    pub fn all_limits(&self) -> impl Iterator<Item = &Limit> {
        let of_plan = self.plan_in_force().and_then(Plan::limits).into_iter().flat_map(Limits::iter);
        self.limits.iter().chain(of_plan.filter(|limit| !self.limits.has(limit.name())))
    }

    /// Returns the id of the first key of the rotations that led to this one: its own if it is none's successor.
    pub(crate) fn first_of_rotations(&self) -> &KeyId {
        self.first_rotated_from.as_ref().unwrap_or(&self.id)
    }

    /// Returns the plan of the key, or else that of its organization or user.
    pub fn plan_in_force(&self) -> Option<&Plan> {
        self.plan.as_ref().or_else(|| self.owner.plan())
    }

    /// Returns the state of the key at `now`.
    pub fn state(&self, now: Timestamp) -> KeyState {
        match &self.revoked {
            Some(_) => KeyState::Revoked,
            None if self.has_expired(now) => KeyState::Expired,
            None if self.disabled.is_some() => KeyState::Disabled,
            None => KeyState::Active,
        }
    }

    /// Returns whether the first use of the key, which ends the replaced one, is still to be recorded. A revoked or disabled key is
    /// not used.
    pub(crate) fn has_pending_first_use(&self) -> bool {
        self.first_use_grace.is_some() && self.revoked.is_none() && self.disabled.is_none()
    }

    /// Returns whether the key has expired at `now`, which includes the millisecond of its expiry.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

//! What a store knows of a key: facts, never decisions.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::credential::Scheme;
use crate::digest::{Digest, Digester};
use crate::environment::Environment;
use crate::key::{ApiKey, KeyId, RetrievableKey};
use crate::owner::{Organization, Owner, User};
use crate::scope::Scopes;

/// What a store knows of a key. The text of the key is not among it, unless it is no secret.
///
/// ```
/// use tower_api_key::key::{KeyFormat, KeyId};
/// use tower_api_key::{Environment, Owner, Record, Scopes, Timestamp, digest::Digester};
///
/// let key = KeyFormat::new("demo")?.mint(Environment::Live)?;
/// let id = KeyId::generate(Timestamp::from_unix_millis(1_800_000_000_000))?;
/// let mut record = Record::new(id, &key, &Digester::sha256(), Owner::organization("acme"));
/// record.name = "Production server".into();
/// record.scopes = Scopes::new(["notes.read", "notes.write"])?;
/// assert_eq!(record.environment, Environment::Live);
/// assert_eq!(&*record.hint, key.hint());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// The public id.
    pub id: KeyId,
    /// The digest of the text, by which the key is looked up.
    pub digest: Digest,
    /// The first characters of the text, for people to recognise the key.
    pub hint: Box<str>,
    /// A name that its owner chose.
    pub name: Box<str>,
    /// Whom the key belongs to.
    pub owner: Owner,
    /// The environment that the key works in.
    pub environment: Environment,
    /// What the key may do.
    pub scopes: Scopes,
    /// How the key may be presented; empty means in any way.
    pub sources: Box<[Scheme]>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// Who made it.
    pub created_by: Option<Box<str>>,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// That it was revoked, which is final.
    pub revoked: Option<Revocation>,
    /// The key that this one replaced.
    pub rotated_from: Option<KeyId>,
    /// The key that replaces this one.
    pub rotated_to: Option<KeyId>,
    /// When it was used last, as far as that was written down.
    pub last_used_at: Option<Timestamp>,
    /// How long the key that this one replaced goes on from the first use of this one; `None` once that has begun.
    pub first_use_grace: Option<Duration>,
    /// The text of the key, if it is no secret and may be read back. `None`, the default, for all others.
    pub retrievable: Option<RetrievableKey>,
    /// What the application keeps with the key. The owner neither sees nor changes it by the routes, and gets a key with the same by
    /// rotating one: what is to hold for an owner belongs to the owner.
    pub metadata: BTreeMap<String, String>,
    /// What the owner of the key notes about it. Decide nothing by it.
    pub labels: BTreeMap<String, String>,
}

/// Whether a key is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyState {
    /// It is neither revoked nor expired.
    Active,
    /// Its end has come, and it was not revoked.
    Expired,
    /// It was revoked, be it before or after its end.
    Revoked,
}

impl KeyState {
    /// Returns the name of the state: `active`, `expired` or `revoked`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// Returns the state called `label`.
    pub fn from_label(label: &str) -> Option<Self> {
        [Self::Active, Self::Expired, Self::Revoked].into_iter().find(|state| state.label() == label)
    }
}

/// That a key was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revocation {
    /// When.
    pub at: Timestamp,
    /// Why, in words.
    pub reason: Box<str>,
    /// Who revoked it.
    pub by: Option<Box<str>>,
}

impl Revocation {
    /// Creates a revocation by nobody in particular.
    pub fn new(at: Timestamp, reason: impl Into<Box<str>>) -> Self {
        Self { at, reason: reason.into(), by: None }
    }

    /// Sets who revokes.
    #[must_use]
    pub fn by(self, by: impl Into<Box<str>>) -> Self {
        Self { by: Some(by.into()), ..self }
    }
}

impl Record {
    /// Creates the record of a key that was just minted, without scopes, restrictions or an end.
    pub fn new(id: KeyId, key: &ApiKey, digester: &Digester, owner: Owner) -> Self {
        let mut record = Self::imported(id, key.digest(digester), owner);
        record.environment = key.environment();
        record.hint = key.hint().into();
        record
    }

    /// Creates the record of a key that was made elsewhere, of which nothing but its digest need be known.
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
            rotated_from: None,
            rotated_to: None,
            last_used_at: None,
            first_use_grace: None,
            retrievable: None,
            metadata: BTreeMap::new(),
            labels: BTreeMap::new(),
        }
    }

    /// Creates the record that stands for a person who is known by a password, with these scopes and those of all the roles in
    /// organizations that are reached by it: less would deny what a role may do.
    pub(crate) fn of_account(user: User, environment: Environment, scopes: &Scopes) -> Self {
        let digest = Digest::of_account(&user.email);
        let is_reached = |own: &Organization| !(own.disabled || own.requires_sso);
        let roles = user.memberships.iter().filter(|membership| is_reached(&membership.organization));
        let scopes =
            roles.flat_map(|membership| membership.scopes.iter()).chain(scopes.iter()).cloned().collect();
        let mut record = Self::imported(KeyId::of_account(&digest), digest, Owner::User(user));
        record.environment = environment;
        record.scopes = scopes;
        record.sources = [Scheme::Basic].into();
        record
    }

    /// Tells whether the key may be presented in this way.
    pub fn accepts(&self, scheme: &Scheme) -> bool {
        self.sources.is_empty() || self.sources.contains(scheme)
    }

    /// Returns whether the key is in force at `now`.
    pub fn state(&self, now: Timestamp) -> KeyState {
        match &self.revoked {
            Some(_) => KeyState::Revoked,
            None if self.has_expired(now) => KeyState::Expired,
            None => KeyState::Active,
        }
    }

    /// Returns whether the first use of the key ends another one, and is still to be noted. A revoked key is not used any more.
    pub(crate) fn has_first_use_to_note(&self) -> bool {
        self.first_use_grace.is_some() && self.revoked.is_none()
    }

    /// Tells whether the key has expired at `now`. It has at the very millisecond of its expiry.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

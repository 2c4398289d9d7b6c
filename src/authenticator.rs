//! The decision: from the headers of a request to a principal or a rejection.

mod builder;
mod password;
mod recheck;

pub use builder::AuthenticatorBuilder;

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use subtle::ConstantTimeEq;

use crate::backend::{Backend, BackendError};
use crate::cache::{Cache, Entry, Fact, LookupError};
use crate::clock::{Clock, Timestamp};
use crate::credential::{Credential, CredentialError, CredentialErrorKind, Scheme, Sources};
use crate::digest::{Digest, Digester};
use crate::environment::Environment;
use crate::health::Health;
use crate::owner::Owner;
use crate::principal::Principal;
use crate::reject::{Forbidden, Reason, Rejection, ResponseConfig};
use crate::trace;
use crate::usage::Usage;
use password::Presented;

/// Decides who is calling: extracts a credential, resolves it through the cache, and judges its record.
///
/// A clone is one `Arc` and shares the cache. Middleware and handlers use it through
/// [`AuthenticateLayer`](crate::AuthenticateLayer); where there is no Tower at hand, as when a websocket is upgraded, call
/// [`authenticate`](Self::authenticate).
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use http::HeaderMap;
/// use tower_api_key::backend::KeyStore;
/// use tower_api_key::key::{KeyFormat, KeyId};
/// use tower_api_key::reject::Reason;
/// use tower_api_key::{Authenticator, Environment, MemoryStore, Owner, Record, Timestamp, digest::Digester};
///
/// let key = KeyFormat::new("demo")?.mint(Environment::Live)?;
/// let id = KeyId::generate(Timestamp::from_unix_millis(0))?;
/// let store = MemoryStore::new();
/// store.insert(Record::new(id.clone(), &key, &Digester::sha256(), Owner::organization("acme"))).await?;
/// let authenticator = Authenticator::builder(store).build()?;
///
/// let mut headers = HeaderMap::new();
/// let rejection = authenticator.authenticate(&headers).await.unwrap_err();
/// assert_eq!(rejection.reason(), &Reason::Missing);
///
/// headers.insert("x-api-key", key.reveal().as_str().parse()?);
/// let principal = authenticator.authenticate(&headers).await?;
/// assert_eq!(principal.key_id(), &id);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

struct Inner {
    sources: Sources,
    digester: Digester,
    environment: Option<Environment>,
    clock: Arc<dyn Clock>,
    responses: Arc<ResponseConfig>,
    cache: Arc<Cache>,
    #[cfg_attr(not(feature = "password"), allow(dead_code, reason = "read by the enabled twin"))]
    passwords: password::Accepted,
    usage: Option<Usage>,
}

/// A decision, or the promise of one.
pub(crate) enum Decision {
    Made(Result<Principal, Rejection>),
    /// The store has to be asked.
    Pending(PendingLookup),
}

/// A question to the store, free of the request that it was asked for.
pub(crate) struct PendingLookup {
    authenticator: Authenticator,
    digest: Digest,
    source: usize,
    user: Option<Box<str>>,
    password: Option<Presented>,
    /// Who was admitted by a layer further out.
    before: Option<Box<Principal>>,
}

impl Authenticator {
    /// Starts to configure an authenticator over `backend`.
    pub fn builder(backend: impl Backend) -> AuthenticatorBuilder {
        AuthenticatorBuilder::new(backend)
    }

    /// Decides who sent a request with these headers. The headers stay as they are; the middleware also marks those that
    /// hold credentials as sensitive.
    ///
    /// # Errors
    ///
    /// When no one is admitted. The rejection says why, for the log, which is left to the caller here; what the client may
    /// know is [`Reason::detail`](crate::reject::Reason::detail).
    ///
    /// # Panics
    ///
    /// When polled outside a Tokio runtime and the store has to be asked.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Principal, Rejection> {
        let decision = self.decide(self.0.sources.find(headers.iter(), &mut None), None);
        match decision {
            Decision::Made(outcome) => outcome,
            Decision::Pending(inquiry) => inquiry.resolve().await,
        }
    }

    /// Begins to follow what other processes change in the store, and returns when the first poll was answered.
    ///
    /// Without it, that begins with the first request, and the first requests all ask the store. Call it before the server
    /// accepts connections, so that a store which cannot be followed is noticed then. With a store that no other process
    /// changes there is nothing to begin.
    ///
    /// # Errors
    ///
    /// What kept the poll from being answered, and what to look at. Following is tried again by the next request that asks the store.
    ///
    /// # Panics
    ///
    /// When polled outside a Tokio runtime.
    pub async fn start(&self) -> Result<(), BackendError> {
        self.0.cache.start().await
    }

    /// Returns how this authenticator is doing. Asks nobody, so a probe may call it as often as it likes.
    pub fn health(&self) -> Health {
        Health { usage_backlog: self.0.usage.as_ref().map(Usage::backlog), ..self.0.cache.health() }
    }

    /// Like [`Self::authenticate`], without waiting, and marks the headers that it looked at as sensitive. `before` is who was admitted
    /// by a layer further out: the same request is counted once.
    pub(crate) fn decide_and_mark(&self, headers: &mut HeaderMap, before: Option<&Principal>) -> Decision {
        self.decide(self.0.sources.find(headers.iter_mut(), &mut None), before)
    }

    pub(crate) fn sources(&self) -> &Sources {
        &self.0.sources
    }

    pub(crate) fn responses(&self) -> &Arc<ResponseConfig> {
        &self.0.responses
    }

    fn decide(
        &self,
        presented: Result<Option<Credential<'_>>, CredentialError>,
        before: Option<&Principal>,
    ) -> Decision {
        match presented {
            Ok(Some(credential)) => self.look_up(&credential, before),
            Ok(None) => Decision::Made(Err(self.reject(Reason::Missing))),
            Err(error) => Decision::Made(Err(self.unusable(&error))),
        }
    }

    fn look_up(&self, credential: &Credential<'_>, before: Option<&Principal>) -> Decision {
        let digest = self.0.digester.digest(credential.expose_secret());
        let (source, user) = (credential.source(), credential.user());
        let key = self.0.cache.peek(&digest);
        if let Some(fact @ (Fact::Known(_) | Fact::Revoked)) = key {
            self.0.responses.metrics.hit();
            return Decision::Made(self.judge(fact, source, user, before));
        }
        let password = self.password_in(credential);
        let known = match &password {
            Some(presented) => self.known_by(presented, key.as_ref()),
            None => key,
        };
        match known {
            Some(fact) => {
                self.0.responses.metrics.hit();
                Decision::Made(self.judge(fact, source, user, before))
            }
            None => Decision::Pending(PendingLookup {
                authenticator: self.clone(),
                digest,
                source,
                user: user.map(Into::into),
                password,
                before: before.cloned().map(Box::new),
            }),
        }
    }

    fn judge(
        &self,
        fact: Fact,
        source: usize,
        user: Option<&str>,
        before: Option<&Principal>,
    ) -> Result<Principal, Rejection> {
        let (entry, is_stale) = match fact {
            Fact::Known(entry) => (entry, false),
            Fact::Stale(entry) => (entry, true),
            Fact::Absent => return Err(self.refuse(Reason::Unknown, source)),
            Fact::Revoked => return Err(self.refuse(Reason::Revoked, source)),
        };
        if let Some(reason) = self.check_entry(&entry, self.scheme(source), user) {
            return Err(self.refuse(reason, source).key(entry.record().id.clone()));
        }
        if !before.is_some_and(|before| before.is_of(&*entry)) {
            self.count(&entry, is_stale);
        }
        // OK because the builder accepts no more than 255 sources.
        let principal = Principal::new(entry, source as u8);
        trace::admitted(&principal);
        Ok(principal)
    }

    /// Counts an admission.
    #[inline]
    fn count(&self, entry: &Arc<Entry>, is_stale: bool) {
        if let Some(usage) = &self.0.usage {
            usage.count(entry);
        }
        self.0.responses.metrics.admitted();
        if is_stale {
            self.0.responses.metrics.admitted_stale();
        }
    }

    /// Says what speaks against a record. Asked for each request: the cache holds facts, and time goes on.
    fn check_entry(&self, entry: &Entry, scheme: &Scheme, user: Option<&str>) -> Option<Reason> {
        let facts = entry.facts();
        if facts.is_revoked {
            Some(Reason::Revoked)
        } else if self.has_expired(facts.expires_at) {
            Some(Reason::Expired)
        } else if self.0.environment.is_some_and(|environment| environment != facts.environment) {
            Some(Reason::WrongEnvironment)
        } else if facts.restricts_sources && !entry.record().accepts(scheme) {
            Some(Reason::WrongSource)
        } else if !user.is_none_or(|user| is_email_of(user, &entry.record().owner)) {
            Some(Reason::WrongOwner)
        } else if facts.is_disabled {
            Some(Reason::Forbidden(Forbidden::OrganizationDisabled))
        } else {
            None
        }
    }

    /// Reads the exact clock only where the coarse one leaves a doubt, and no clock where the key has no end.
    fn has_expired(&self, end: Timestamp) -> bool {
        if end == Timestamp::NEVER {
            return false;
        }
        let clock = &*self.0.clock;
        let coarse = clock.coarse_wall();
        let in_doubt = || end <= coarse.saturating_add(clock.tick());
        end <= coarse || (in_doubt() && end <= clock.wall())
    }

    fn unusable(&self, error: &CredentialError) -> Rejection {
        let reason = match error.kind() {
            CredentialErrorKind::Ambiguous => Reason::Ambiguous,
            CredentialErrorKind::Malformed => Reason::Malformed,
        };
        match error.source_index() {
            Some(source) => self.refuse(reason, source),
            None => self.reject(reason),
        }
    }

    fn refuse(&self, reason: Reason, source: usize) -> Rejection {
        self.reject(reason).presented(self.scheme(source).clone())
    }

    fn reject(&self, reason: Reason) -> Rejection {
        Rejection::by(Arc::clone(&self.0.responses), reason)
    }

    fn scheme(&self, source: usize) -> &Scheme {
        self.0.sources.scheme_at(source)
    }
}

impl PendingLookup {
    /// Asks the store.
    pub(crate) async fn resolve(self) -> Result<Principal, Rejection> {
        let Self { authenticator, digest, source, user, password, before } = self;
        authenticator.0.responses.metrics.missed();
        let fact = match (authenticator.0.cache.read(digest).await, password) {
            (Ok(Fact::Absent), Some(presented)) => authenticator.look_up_account(presented).await,
            (fact, _) => fact,
        };
        match fact {
            Ok(fact) => {
                let outcome = authenticator.judge(fact, source, user.as_deref(), before.as_deref());
                if let Ok(principal) = &outcome
                    && principal.has_first_use_to_note()
                {
                    authenticator.0.cache.record_first_use(principal.key_id().clone());
                }
                outcome
            }
            Err(LookupError) => Err(authenticator.refuse(Reason::Unavailable, source)),
        }
    }
}

/// Compares the user of a Basic credential with the owner's e-mail: ASCII case aside, in a time that tells nothing of
/// where they differ.
fn is_email_of(user: &str, owner: &Owner) -> bool {
    let email = owner.email().unwrap_or_default();
    let pairs = user.bytes().zip(email.bytes());
    let differs =
        pairs.fold(0, |differs, (a, b)| differs | (a.to_ascii_lowercase() ^ b.to_ascii_lowercase()));
    user.len() == email.len() && differs.ct_eq(&0).into()
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator")
            .field("sources", &self.0.sources)
            .field("digester", &self.0.digester)
            .field("environment", &self.0.environment)
            .finish_non_exhaustive()
    }
}

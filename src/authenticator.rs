//! The authenticator: from the headers of a request to a principal or a rejection.

// Layer 8 of 10: decision.
// Above `cache`, `usage` and `principal`; below `rules` and `authenticate`. Bottom to top, a file importing only those before it:
// `checksums`, `cached_text`, `password`, `self`, `recheck`, `session`, `builder`.

mod builder;
mod cached_text;
mod checksums;
mod password;
mod recheck;
#[cfg(feature = "console")]
mod session;

pub use builder::AuthenticatorBuilder;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use subtle::ConstantTimeEq;

use crate::backend::BackendError;
use crate::cache::{Cache, Entry, Fact, Flags, LookupKey};
use crate::clock::{Clock, Timestamp};
use crate::credential::{Credential, CredentialError, CredentialErrorKind, Presented, Scheme, Sources};
use crate::digest::{Digest, Digesters, Digests};
use crate::environment::Environment;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::owner::Owner;
use crate::principal::Principal;
use crate::reject::{Forbidden, Reason, Rejection, ResponseConfig};
use crate::rights::ScopePolicy;
use crate::trace;
use crate::usage::Usage;
use cached_text::{CachedText, TextLookup};
use checksums::Checksums;
use password::{PasswordAuth, PresentedPassword};

/// Authenticates requests: extracts the credential, looks it up through the cache, and checks its record.
///
/// A clone is one `Arc` and shares the cache. Tower services use it through [`AuthenticateLayer`](crate::AuthenticateLayer); without Tower,
/// as in the upgrade of a websocket, call [`authenticate`](Self::authenticate), or [`verify`](Self::verify) without headers.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use http::HeaderMap;
/// use tower_api_key::backend::{KeyChange, KeyStore};
/// use tower_api_key::key::{KeyFormat, KeyId};
/// use tower_api_key::reject::Reason;
/// use tower_api_key::{Authenticator, Environment, MemoryStore, Owner, Record, Timestamp, digest::Digester};
///
/// let key = KeyFormat::new("demo")?.mint(Environment::Live)?;
/// let id = KeyId::generate(Timestamp::from_unix_millis(0))?;
/// let store = MemoryStore::new();
/// let record = Record::new(id.clone(), &key, &Digester::sha256(), Owner::organization("acme"));
/// store.change(KeyChange::insert(record)).await?;
/// let authenticator = Authenticator::new(store);
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
    checksums: Checksums,
    digesters: Digesters,
    environment: Option<Environment>,
    policy: ScopePolicy,
    clock: Arc<dyn Clock>,
    responses: Arc<ResponseConfig>,
    cache: Arc<Cache>,
    metrics: Metrics,
    passwords: PasswordAuth,
    usage: Option<Usage>,
}

/// The decision about a request, or the lookup that it depends on.
pub(crate) enum Decision {
    Made(Result<Principal, Rejection>),
    Pending(Box<PendingLookup>),
}

impl Decision {
    async fn resolve(self) -> Result<Principal, Rejection> {
        match self {
            Self::Made(outcome) => outcome,
            Self::Pending(lookup) => lookup.resolve().await,
        }
    }
}

/// A lookup in the store for a request, which it does not borrow from.
pub(crate) struct PendingLookup {
    authenticator: Authenticator,
    lookup_key: LookupKey,
    source: usize,
    user: Option<Box<str>>,
    password: Option<PresentedPassword>,
    /// The caller that an outer layer admitted.
    before: Option<Principal>,
}

impl Authenticator {
    /// Authenticates a request with these headers. The headers stay as they are; the middleware also marks those with
    /// credentials as sensitive.
    ///
    /// # Errors
    ///
    /// When no caller is admitted. [`Rejection::into_response_to`] makes the response of it, and writes the reason into the log.
    ///
    /// # Panics
    ///
    /// When polled outside a Tokio runtime and a lookup in the store is necessary.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Principal, Rejection> {
        // Ends the borrow of the buffer, which holds a decoded secret, before the lookup.
        let decision = match self.decide(self.0.sources.find(headers.iter(), &mut None), None) {
            Decision::Made(Err(rejection)) if self.doubts(&rejection) => self.decide_claimed(headers, None),
            decision => decision,
        };
        decision.resolve().await
    }

    /// Authenticates the holder of the key with this text, which came by another way than headers: in a message of a websocket, or in a
    /// protocol of its own.
    ///
    /// The key is checked as if its text had been presented alone by the first source of the authenticator that is not Basic: the formats and
    /// prefixes of that source apply, a key that is restricted to other sources is rejected, and [`Principal::scheme`] names it. If all sources
    /// are Basic, the text counts as presented with an empty user, which [`Source::empty_user`](crate::Source::empty_user) has to accept; keys of
    /// users are rejected then. The text of a password is never accepted.
    ///
    /// # Errors
    ///
    /// When no caller is admitted. A text that the source could not hold, such as an empty one, is [`Malformed`](Reason::Malformed).
    ///
    /// # Panics
    ///
    /// When polled outside a Tokio runtime and a lookup in the store is necessary.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use tower_api_key::backend::{KeyChange, KeyStore};
    /// use tower_api_key::digest::Digester;
    /// use tower_api_key::{Authenticator, Environment, KeyFormat, KeyId, MemoryStore, Owner, Reason, Record};
    ///
    /// let (store, key) = (MemoryStore::new(), KeyFormat::new("demo")?.mint(Environment::Live)?);
    /// let record = Record::new(KeyId::new("first")?, &key, &Digester::sha256(), Owner::organization("acme"));
    /// store.change(KeyChange::insert(record)).await?;
    /// let authenticator = Authenticator::builder(store).build()?;
    ///
    /// assert_eq!(authenticator.verify(key.reveal().as_str()).await?.key_id().as_str(), "first");
    /// assert_eq!(authenticator.verify("unknown").await.unwrap_err().reason(), &Reason::Unknown);
    /// assert_eq!(authenticator.verify("").await.unwrap_err().reason(), &Reason::Malformed);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn verify(&self, text: &str) -> Result<Principal, Rejection> {
        self.decide(self.0.sources.present(text).map(Some), None).resolve().await
    }

    /// Starts the poller for changes by other processes, and waits until the store has answered the first poll.
    ///
    /// Without it, the first request starts the poller, and the first requests all look up their keys in the store. Call it before the server
    /// accepts connections, to notice a store that cannot be polled. It does nothing with a store that no other process changes.
    ///
    /// # Errors
    ///
    /// When the store did not answer the poll. The next request that needs a lookup starts the poller again.
    ///
    /// # Panics
    ///
    /// When polled outside a Tokio runtime.
    pub async fn start(&self) -> Result<(), BackendError> {
        self.0.cache.start().await
    }

    /// Returns the health of this authenticator. Reads memory only, so a probe may call it at any rate.
    pub fn health(&self) -> Health {
        Health { usage_backlog: self.0.usage.as_ref().map(Usage::backlog), ..self.0.cache.health() }
    }

    /// Decides without waiting, and marks the headers with credentials as sensitive. `before` is the caller that an outer layer
    /// admitted: the same request is counted once.
    ///
    /// What a source leaves to others is read as a credential. So a [doubtful](Self::doubts) rejection is to be decided again, by
    /// [`decide_claimed`](Self::decide_claimed), and an admission pays nothing for the distinction.
    #[inline(always)]
    pub(crate) fn decide_and_mark(&self, headers: &mut HeaderMap, before: Option<&Principal>) -> Decision {
        self.decide(self.0.sources.find(headers.iter_mut(), &mut None), before)
    }

    /// Returns whether a rejection may be of a text that a source leaves to others.
    pub(crate) fn doubts(&self, rejection: &Rejection) -> bool {
        self.0.sources.have_prefixes() && matches!(rejection.reason(), Reason::Ambiguous | Reason::Malformed)
    }

    /// Decides by the credentials that the sources claim, without waiting.
    pub(crate) fn decide_claimed(&self, headers: &HeaderMap, before: Option<&Principal>) -> Decision {
        self.decide(self.0.sources.find_claimed(headers, &mut None), before)
    }

    pub(crate) fn sources(&self) -> &Sources {
        &self.0.sources
    }

    pub(crate) fn policy(&self) -> &ScopePolicy {
        &self.0.policy
    }

    /// Returns what a manager shares: the digesters, the clock, and how long an entry may admit a key that another process has revoked.
    pub(crate) fn shared(&self) -> (Digesters, Arc<dyn Clock>, Duration) {
        (self.0.digesters.clone(), Arc::clone(&self.0.clock), self.0.cache.longest_use())
    }

    pub(crate) fn responses(&self) -> &Arc<ResponseConfig> {
        &self.0.responses
    }

    fn decide(
        &self,
        presented: Result<Option<Presented<'_>>, CredentialError>,
        before: Option<&Principal>,
    ) -> Decision {
        match presented {
            Ok(Some(presented)) => self.decide_from_cache(presented, before),
            Ok(None) => Decision::Made(Err(self.reject(Reason::Missing))),
            Err(error) => Decision::Made(Err(self.reject_credential(&error))),
        }
    }

    fn decide_from_cache(&self, presented: Presented<'_>, before: Option<&Principal>) -> Decision {
        match self.text_lookup().look_up(presented) {
            Ok(CachedText::Known(entry)) => {
                self.0.metrics.hit();
                Decision::Made(self.admit_entry(entry, false, presented.source(), presented.user(), before))
            }
            Ok(CachedText::Checked(credential, digest, key)) => {
                self.decide_checked(&credential, digest, key, before)
            }
            Err(error) => Decision::Made(Err(self.reject_credential(&error))),
        }
    }

    fn text_lookup(&self) -> TextLookup<'_> {
        let Inner { sources, checksums, digesters, cache, .. } = &*self.0;
        TextLookup { sources, checksums, digester: &digesters.current, cache }
    }

    /// Decides by a credential that its source accepts. `key` is what the cache has under the current digest.
    #[inline(never)]
    fn decide_checked(
        &self,
        credential: &Credential<'_>,
        digest: Digest,
        key: Option<Fact>,
        before: Option<&Principal>,
    ) -> Decision {
        let Inner { digesters, cache, passwords, .. } = &*self.0;
        let (source, user) = (credential.source(), credential.user());
        if let Some(fact @ (Fact::Known(_) | Fact::Revoked)) = key {
            return self.hit(fact, source, user, before);
        }
        let mut digests = Digests::new(digest, []);
        let former = digesters.former_digests(credential.expose_secret());
        let key = match cache.get_any(former.inspect(|former| digests.push_former(*former))) {
            Some(fact @ (Fact::Known(_) | Fact::Revoked)) => return self.hit(fact, source, user, before),
            fact => key.and(fact),
        };
        let password = passwords.presented(credential, self.scheme(source), self.0.environment);
        let cached = match &password {
            Some(password) => passwords.peek(cache, password, key.as_ref()),
            None => key,
        };
        match cached {
            Some(fact) => self.hit(fact, source, user, before),
            None => Decision::Pending(Box::new(PendingLookup {
                authenticator: self.clone(),
                lookup_key: digests.into(),
                source,
                user: user.map(Into::into),
                password,
                before: before.cloned(),
            })),
        }
    }

    fn hit(&self, fact: Fact, source: usize, user: Option<&str>, before: Option<&Principal>) -> Decision {
        self.0.metrics.hit();
        Decision::Made(self.admit(fact, source, user, before))
    }

    fn admit(
        &self,
        fact: Fact,
        source: usize,
        user: Option<&str>,
        before: Option<&Principal>,
    ) -> Result<Principal, Rejection> {
        let (entry, is_stale) = match fact {
            Fact::Known(entry) => (entry, false),
            Fact::Stale(entry) => (entry, true),
            Fact::Absent => return Err(self.reject_presented(Reason::Unknown, source)),
            Fact::Revoked => return Err(self.reject_presented(Reason::Revoked, source)),
        };
        self.admit_entry(entry, is_stale, source, user, before)
    }

    // Part of each admission, and called twice.
    #[inline(always)]
    fn admit_entry(
        &self,
        entry: Arc<Entry>,
        is_stale: bool,
        source: usize,
        user: Option<&str>,
        before: Option<&Principal>,
    ) -> Result<Principal, Rejection> {
        if let Some(reason) = self.check_entry(&entry, source, user) {
            return Err(self.reject_presented(reason, source).key(entry.record().id.clone()));
        }
        if !before.is_some_and(|before| before.is_of(&entry)) {
            self.count(&entry, is_stale);
        }
        trace::admitted(&entry.record().id, self.scheme(source));
        // OK because the builder accepts no more than 255 sources.
        Ok(Principal::new(entry, source as u8))
    }

    /// Returns whether admissions are counted. Only then does it matter whether an outer layer has admitted the caller.
    pub(crate) fn counts(&self) -> bool {
        self.0.usage.is_some() || Metrics::IS_ENABLED
    }

    /// Counts an admission.
    #[inline]
    fn count(&self, entry: &Arc<Entry>, is_stale: bool) {
        if let Some(usage) = &self.0.usage {
            usage.count(entry);
        }
        self.0.metrics.admitted();
        if is_stale {
            self.0.metrics.admitted_stale();
        }
    }

    /// Returns why a caller with this entry is not admitted. Checked for each request: the cache holds facts, and time passes.
    #[inline(always)]
    fn check_entry(&self, entry: &Entry, source: usize, user: Option<&str>) -> Option<Reason> {
        let flags = entry.flags();
        // The usual key pays for one test of all flags.
        if !flags.allow_all() {
            return self.check_flags(flags, entry, source, user);
        }
        if self.has_expired(entry.expires_at()) {
            return Some(Reason::Expired);
        }
        self.check_use(entry, user)
    }

    #[cold]
    fn check_flags(&self, flags: Flags, entry: &Entry, source: usize, user: Option<&str>) -> Option<Reason> {
        if flags.is_session() {
            // A session is no key, whatever header presents its text.
            Some(Reason::Unknown)
        } else if flags.is_revoked() {
            Some(Reason::Revoked)
        } else if self.has_expired(entry.expires_at()) {
            Some(Reason::Expired)
        } else if flags.is_disabled() {
            Some(Reason::Disabled)
        } else if self.is_of_other_environment(entry) {
            Some(Reason::WrongEnvironment)
        } else if flags.restrict_sources() && !entry.record().accepts(self.scheme(source)) {
            Some(Reason::WrongSource)
        } else if let Some(reason) = self.check_use(entry, user) {
            Some(reason)
        } else if flags.is_owner_disabled() {
            Some(Reason::Forbidden(Forbidden::OrganizationDisabled))
        } else {
            None
        }
    }

    /// Returns why a key is not admitted here, or with this user.
    #[inline(always)]
    fn check_use(&self, entry: &Entry, user: Option<&str>) -> Option<Reason> {
        if self.is_of_other_environment(entry) {
            Some(Reason::WrongEnvironment)
        } else if !user.is_none_or(|user| is_email_of(user, &entry.record().owner)) {
            Some(Reason::WrongOwner)
        } else {
            None
        }
    }

    fn is_of_other_environment(&self, entry: &Entry) -> bool {
        self.0.environment.is_some_and(|environment| environment != entry.environment())
    }

    /// Returns whether a key has expired. Reads the exact clock only if the coarse one leaves a doubt, and no clock if the key does not
    /// expire.
    fn has_expired(&self, end: Timestamp) -> bool {
        if end == Timestamp::NEVER {
            return false;
        }
        let clock = &*self.0.clock;
        let coarse = clock.coarse_wall();
        let in_doubt = || end <= coarse.saturating_add(clock.tick());
        end <= coarse || (in_doubt() && end <= clock.wall())
    }

    fn reject_credential(&self, error: &CredentialError) -> Rejection {
        let reason = match error.kind() {
            CredentialErrorKind::Ambiguous => Reason::Ambiguous,
            // It may be well-formed, if this node lacks the format of the keys.
            CredentialErrorKind::Malformed if self.0.cache.contradicts_store() => Reason::Unavailable,
            CredentialErrorKind::Malformed => Reason::Malformed,
        };
        match error.source_index() {
            Some(source) => self.reject_presented(reason, source),
            None => self.reject(reason),
        }
    }

    fn reject_presented(&self, reason: Reason, source: usize) -> Rejection {
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
    /// Looks the credential up in the store, and decides.
    pub(crate) async fn resolve(mut self: Box<Self>) -> Result<Principal, Rejection> {
        let password = self.password.take();
        let Self { authenticator, lookup_key, source, user, before, .. } = &*self;
        let Inner { cache, passwords, metrics, digesters, .. } = &*authenticator.0;
        metrics.missed();
        let fact = match (cache.read(lookup_key).await, password) {
            (Ok(Fact::Absent), Some(password)) => passwords.look_up(cache, password).await,
            (fact, _) => fact,
        };
        let Ok(fact) = fact else { return Err(authenticator.reject_presented(Reason::Unavailable, *source)) };
        let principal = authenticator.admit(fact, *source, user.as_deref(), before.as_ref())?;
        if principal.record().has_pending_first_use() {
            cache.record_first_use(principal.key_id().clone());
        }
        let [current, former @ ..] = lookup_key.digests() else { return Ok(principal) };
        if former.contains(&principal.record().digest) {
            cache.add_digest(principal.key_id().clone(), *current, digesters.current.fingerprint());
        }
        Ok(principal)
    }
}

/// Compares the user of a Basic credential with the owner's e-mail, ignoring ASCII case. The time does not depend on where they differ, but on
/// whether they do.
#[inline(never)]
fn is_email_of(user: &str, owner: &Owner) -> bool {
    let email = owner.email().unwrap_or_default();
    if is_same(user.as_bytes(), email.as_bytes()) {
        return true;
    }
    let pairs = user.bytes().zip(email.bytes());
    let differs =
        pairs.fold(0, |differs, (a, b)| differs | (a.to_ascii_lowercase() ^ b.to_ascii_lowercase()));
    user.len() == email.len() && differs.ct_eq(&0).into()
}

/// Compares two texts, by words. The time depends on their lengths alone.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    let ((a_words, a_rest), (b_words, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let words = a_words.iter().zip(b_words).map(|(a, b)| u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b));
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| u64::from(a ^ b));
    a.len() == b.len() && words.chain(rest).fold(0, |differs, bits| differs | bits).ct_eq(&0).into()
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator")
            .field("sources", &self.0.sources)
            .field("digesters", &self.0.digesters)
            .field("environment", &self.0.environment)
            .finish_non_exhaustive()
    }
}

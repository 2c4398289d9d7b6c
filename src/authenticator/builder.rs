//! The builder of an authenticator.

// Layer 8 of 10: decision.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::checksums::Checksums;
use super::password::PasswordAuth;
use super::{Authenticator, Inner};
use crate::audit::{Audit, Hook};
use crate::backend::{Backend, ErasedBackend};
use crate::cache::{Cache, Issuer, Limits};
use crate::clock::{Clock, SystemClock};
use crate::credential::{Scheme, Source, Sources};
use crate::digest::{Digester, Digesters, FormerDigester, MAX_FORMER, NodeSettings};
use crate::environment::Environment;
use crate::error::{ConfigError, ConfigErrorKind};
use crate::metrics::{METRICS_NAME, Metrics};
use crate::reject::{Reason, Respond, ResponseConfigBuilder};
use crate::rights::ScopePolicy;
use crate::scope::{Scope, Scopes};
use crate::usage::Usage;

/// Configures an [`Authenticator`]. Mistakes are reported by [`build`](Self::build), before the first request.
///
/// ```
/// use tower_api_key::credential::Source;
/// use tower_api_key::error::ConfigErrorKind;
/// use tower_api_key::{Authenticator, Environment, MemoryStore};
///
/// let builder = Authenticator::builder(MemoryStore::new())
///     .sources([Source::bearer(), Source::basic(), Source::header("Device-Key")?])
///     .environment(Environment::Live)
///     .realm("example");
/// assert!(builder.build().is_ok());
///
/// let builder = Authenticator::builder(MemoryStore::new()).realm("line\nbreak");
/// assert_eq!(builder.build().unwrap_err().kind(), ConfigErrorKind::Realm);
/// # Ok::<(), tower_api_key::ConfigError>(())
/// ```
#[must_use = "call `build` to get an authenticator"]
pub struct AuthenticatorBuilder {
    backend: Box<dyn ErasedBackend>,
    sources: Option<Vec<Source>>,
    digesters: Digesters,
    environment: Option<Environment>,
    admin_scope: Option<Box<str>>,
    user_scopes: Scopes,
    responses: ResponseConfigBuilder,
    limits: Limits,
    clock: Arc<dyn Clock>,
    passwords: PasswordAuth,
    usage: Option<Usage>,
    metrics_name: Box<str>,
}

impl Authenticator {
    /// Creates an authenticator over `backend` with the default configuration. [`builder`](Self::builder) configures another one.
    pub fn new(backend: impl Backend) -> Self {
        // OK because the builder checks values that are set, and sets none itself, which a test shows.
        Self::builder(backend).build().expect("the default configuration is valid")
    }

    /// Starts to configure an authenticator over `backend`.
    pub fn builder(backend: impl Backend) -> AuthenticatorBuilder {
        AuthenticatorBuilder {
            backend: Box::new(backend),
            sources: None,
            digesters: Digesters::default(),
            environment: None,
            admin_scope: None,
            user_scopes: Scopes::default(),
            responses: ResponseConfigBuilder::default(),
            limits: Limits::default(),
            clock: Arc::new(SystemClock::new()),
            passwords: PasswordAuth::default(),
            usage: None,
            metrics_name: METRICS_NAME.into(),
        }
    }
}

impl<B: Backend> From<B> for Authenticator {
    /// Creates an authenticator with the default configuration, like [`Authenticator::new`].
    fn from(backend: B) -> Self {
        Self::new(backend)
    }
}

impl AuthenticatorBuilder {
    /// Sets the sources of credentials. Default: `Authorization: Bearer` and `X-API-Key`.
    pub fn sources(mut self, sources: impl IntoIterator<Item = Source>) -> Self {
        self.sources = Some(sources.into_iter().collect());
        self
    }

    /// Sets the digester of keys. Default: SHA-256.
    pub fn digester(mut self, digester: Digester) -> Self {
        self.digesters.current = digester;
        self
    }

    /// Adds a digester under which keys were stored before the current one, up to three. Default: none.
    ///
    /// A key that is found under it is admitted, and gets a digest of the current digester in the store, beside the former one. A miss and an
    /// unknown key cost a digest of each; a cached key, only if it does not have a digest of the current digester yet.
    /// [Operations](crate::_guide::operations#a-new-pepper) has the steps of a new pepper.
    pub fn former_digester(mut self, digester: impl Into<FormerDigester>) -> Self {
        self.digesters.former.push(digester.into());
        self
    }

    /// Admits keys of this environment only. Default: keys of every environment.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = Some(environment);
        self
    }

    /// Sets a scope that implies all others. Default: only `*` does.
    pub fn admin_scope(mut self, scope: impl Into<Box<str>>) -> Self {
        self.admin_scope = Some(scope.into());
        self
    }

    /// Sets the realm of the challenges. Default: `api`.
    pub fn realm(mut self, realm: impl Into<Box<str>>) -> Self {
        self.responses.realm = realm.into();
        self
    }

    /// Adds a parameter to the challenges of every source (`WWW-Authenticate`), as a quoted string. May be called again for further
    /// parameters. Default: none.
    ///
    /// An MCP server, and any other resource with OAuth metadata, names its document by `resource_metadata` (RFC 9728 §5.1):
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use http::{HeaderMap, Response};
    /// use tower_api_key::error::ConfigErrorKind;
    /// use tower_api_key::{Authenticator, MemoryStore};
    ///
    /// let document = "https://api.example.com/.well-known/oauth-protected-resource";
    /// let builder = Authenticator::builder(MemoryStore::new()).challenge_parameter("resource_metadata", document);
    /// let rejection = builder.build()?.authenticate(&HeaderMap::new()).await.unwrap_err();
    /// let response: Response<Vec<u8>> = rejection.into();
    /// assert_eq!(
    ///     response.headers()["www-authenticate"],
    ///     r#"Bearer realm="api", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource""#
    /// );
    ///
    /// let builder = Authenticator::builder(MemoryStore::new()).challenge_parameter("scope", "notes.read");
    /// assert_eq!(builder.build().unwrap_err().kind(), ConfigErrorKind::ChallengeParameter);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// [`build`](Self::build) fails if the name is no token, is set twice, or is one that the challenges set themselves, such as `realm`,
    /// `scope` or `error`, and if the value has anything but visible ASCII and spaces.
    pub fn challenge_parameter(mut self, name: impl Into<Box<str>>, value: impl Into<Box<str>>) -> Self {
        self.responses.challenge_parameters.push((name.into(), value.into()));
        self
    }

    /// Sets the bodies of rejections. Default: [`Detail`](crate::reject::Detail).
    pub fn respond(mut self, respond: impl Respond) -> Self {
        self.responses.respond = Some(Arc::new(respond));
        self
    }

    /// Sets the seconds after which a client may try again if the store does not answer. Default: 1. Zero: no `Retry-After`.
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.responses.retry_after = delay;
        self
    }

    /// Sets a hook that receives each rejection that answers a request without a valid key or a scope. It receives no admissions. Default:
    /// none.
    ///
    /// It does not receive what [`Authenticator::authenticate`] returns, as the caller of that answers the request.
    pub fn audit(mut self, audit: impl Audit) -> Self {
        self.responses.audit = Some(Hook::new(audit));
        self
    }

    /// Sets the time to live of cached records, up to a day. Default: 60 s. Zero: every request starts a lookup, or joins one that is
    /// running.
    ///
    /// The time of each key is shorter by up to a tenth, by its digest, so that keys which were read together are not read together again.
    /// With the default, a record is used for 54 to 60 s.
    ///
    /// Revocations that the store announces do not wait for it. Nor does expiry, which is checked for each request: a key that
    /// expires while its record is cached is rejected without a lookup.
    pub fn positive_ttl(mut self, ttl: Duration) -> Self {
        self.limits.positive_ttl = ttl;
        self
    }

    /// Sets the time to live of cached unknown keys and wrong passwords, up to 60 s. Default: 5 s. Zero: none are cached.
    pub fn negative_ttl(mut self, ttl: Duration) -> Self {
        self.limits.negative_ttl = ttl;
        self
    }

    /// Sets the capacity of the cache, in records. Default: 100,000. Zero: none.
    pub fn positive_capacity(mut self, records: u64) -> Self {
        self.limits.positive_capacity = records;
        self
    }

    /// Sets the capacity of the cache for keys that do not exist and passwords that are wrong. Default: 10,000. Zero: none.
    pub fn negative_capacity(mut self, digests: u64) -> Self {
        self.limits.negative_capacity = digests;
        self
    }

    /// Sets the time that a request waits for the store, up to 60 s. It is then answered with 503. Default: 500 ms.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.limits.deadline = deadline;
        self
    }

    /// Sets the number of lookups that may run at a time, up to 10,000. Default: 64. It is limited to half of the lookups that the store
    /// runs at a time ([`Backend::max_concurrent_lookups`](crate::backend::Backend::max_concurrent_lookups)).
    ///
    /// Sixteen times as many may run or wait; further requests are answered with 503. Keys that were valid a short while ago have the same
    /// number of separate permits, so a flood of unknown keys cannot starve them. A request that has waited for half of the deadline is
    /// answered with 503 as well: the rest is for the store.
    pub fn max_concurrent_lookups(mut self, lookups: usize) -> Self {
        self.limits.max_concurrent_lookups = lookups;
        self
    }

    /// Sets how long cached records may be used after the start of the last successful poll, up to an hour. Default: 5 s. It must exceed
    /// the poll interval by at least 10 ms. A poll that takes longer than the lease is given up.
    ///
    /// A revocation by another process takes effect within the lease, even if its notification is lost. If polls fail for longer, every
    /// request needs a lookup. Of no effect with a store that no other process changes.
    /// [Operations](crate::_guide::operations#settings) says how to choose it.
    pub fn lease(mut self, length: Duration) -> Self {
        self.limits.lease = length;
        self
    }

    /// Sets the interval of polls for changes by other processes. Default: 1 s. The poller also polls before a lookup of a key that this
    /// process has changed since the last poll, so that it does not mistake the change for one of another process afterwards.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.limits.poll_interval = interval;
        self
    }

    /// Sets the additional time for which cached records may be used while lookups fail, up to a day. Default: zero, which is off.
    ///
    /// A request that would be answered with 503 is then admitted by an entry that was valid when the outage began and was not
    /// invalidated since. During an outage, a revocation by another process takes effect within the sum of the [lease](Self::lease) and
    /// this grace; expiry is checked as always. [Operations](crate::_guide::operations#settings) says when to use it.
    pub fn stale_grace(mut self, grace: Duration) -> Self {
        self.limits.stale_grace = grace;
        self
    }

    /// Sets the number of consecutive unanswered lookups that open the circuit, and the pause, up to 60 s. Default: 5 lookups, 1 s. A
    /// pause of zero: it never opens.
    ///
    /// While the circuit is open, requests that need a lookup are answered at once, with 503 or within the
    /// [stale grace](Self::stale_grace). Then one lookup tries the store. The pause is shortened at random by up to half, so that the
    /// nodes of a fleet do not try at the same moment.
    pub fn circuit_breaker(mut self, failures: u32, pause: Duration) -> Self {
        self.limits.breaker_failures = failures;
        self.limits.breaker_pause = pause;
        self
    }

    /// Accepts passwords of users in Basic credentials, beside keys. The text of a key is never verified as a password.
    #[cfg(feature = "password")]
    pub fn passwords(mut self, passwords: crate::password::Passwords) -> Self {
        self.passwords.verifier = Some(passwords);
        self
    }

    /// Sets the scopes that every user has without any organization: for its own affairs, such as to cycle its key or to change its
    /// password. Default: none.
    ///
    /// A key of a user has none of them unless it was granted them, and beside them it has no scope that no role grants, see
    /// [`Principal::require`](crate::Principal::require). In a service without organizations, `*` leaves it to the key alone. A password has
    /// all of them, and those of the roles.
    ///
    /// In an organization, only the role there counts, see [`Principal::authorize`](crate::Principal::authorize).
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use tower_api_key::backend::{KeyChange, KeyStore};
    /// use tower_api_key::digest::Digester;
    /// use tower_api_key::{Authenticator, Environment, KeyFormat, KeyId, MemoryStore, Owner, Record, Scope, Scopes};
    ///
    /// let (store, key) = (MemoryStore::new(), KeyFormat::new("demo")?.mint(Environment::Live)?);
    /// let mut record = Record::new(KeyId::new("first")?, &key, &Digester::sha256(), Owner::user("ann@example.com", []));
    /// record.scopes = Scopes::parse("notes.read")?;
    /// store.change(KeyChange::insert(record)).await?;
    /// let text = key.reveal();
    ///
    /// for (of_users, is_met) in [("", false), ("account.*", false), ("*", true)] {
    ///     let of_users = Scopes::parse(of_users)?;
    ///     let authenticator = Authenticator::builder(store.clone()).user_scopes(of_users).build()?;
    ///     let ann = authenticator.verify(text.as_str()).await?;
    ///     assert_eq!(ann.require(&Scope::from_static("notes.read")).is_ok(), is_met);
    ///     assert!(ann.require(&Scope::from_static("notes.write")).is_err(), "the key lacks it");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn user_scopes(mut self, scopes: Scopes) -> Self {
        self.user_scopes = scopes;
        self
    }

    /// Counts each request that is admitted, and whether it was rejected afterwards, by key and day. Default: nothing is counted.
    ///
    /// Counting costs a request one addition, and never delays or fails it. Several authenticators may share a meter, which takes its
    /// [clock](Self::with_clock) from the first.
    pub fn usage(mut self, usage: Usage) -> Self {
        self.usage = Some(usage);
        self
    }

    /// Sets the label `authenticator` of the [metrics](crate::metrics), to distinguish several. Default: `default`.
    #[cfg(feature = "metrics")]
    pub fn metrics_name(mut self, name: impl Into<Box<str>>) -> Self {
        self.metrics_name = name.into();
        self
    }

    /// Replaces the clock of the machine, for tests.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Checks the configuration and creates the authenticator, which receives the backend's invalidations from then on.
    ///
    /// # Errors
    ///
    /// When the configuration is invalid; see [`ConfigErrorKind`].
    pub fn build(self) -> Result<Authenticator, ConfigError> {
        let sources = self.sources.map_or_else(|| Ok(Sources::default()), Sources::new)?;
        let schemes: Box<[_]> = sources.iter().map(|source| source.scheme().clone()).collect();
        if schemes.len() > usize::from(u8::MAX) {
            let message = format!("an authenticator must have at most 255 sources, got {}", schemes.len());
            return Err(ConfigError::new(ConfigErrorKind::Sources, message));
        }
        if self.passwords.is_enabled()
            && sources.iter().any(|source| *source.scheme() == Scheme::Basic && source.has_prefix())
        {
            let message =
                "sources are invalid: Basic has a prefix, which passwords of users lack: remove one of both";
            return Err(ConfigError::new(ConfigErrorKind::Sources, message));
        }
        self.limits.check()?;
        if self.digesters.former.len() > MAX_FORMER {
            let message =
                format!("former digesters must be at most {MAX_FORMER}, got {}", self.digesters.former.len());
            return Err(ConfigError::new(ConfigErrorKind::Limit, message));
        }
        if self.digesters.has_repetition() {
            let message =
                "former digesters are invalid: each must differ from the current one and from each other";
            return Err(ConfigError::new(ConfigErrorKind::Pepper, message));
        }
        let settings =
            NodeSettings { digesters: self.digesters.fingerprints(), formats: sources.fingerprints() };
        let admin = self.admin_scope.map(Scope::new).transpose()?;
        let policy = ScopePolicy { admin, of_users: self.user_scopes };
        let passwords = self.passwords.granting(&policy.of_users);
        let metrics = Metrics::new(&self.metrics_name, &Reason::LABELS);
        let responses = Arc::new(self.responses.build(&sources, &self.clock, metrics.clone())?);
        if let Some(usage) = &self.usage {
            usage.set_clock(&self.clock);
        }
        Ok(Authenticator(Arc::new_cyclic(|inner: &Weak<Inner>| {
            let issuer = Issuer {
                schemes,
                policy: policy.clone(),
                responses: Arc::clone(&responses),
                clock: Arc::clone(&self.clock),
                authenticator: Some(inner.clone() as _),
            };
            let (clock, issuer) = (Arc::clone(&self.clock), Arc::new(issuer));
            Inner {
                sources,
                checksums: Checksums::new(),
                digesters: self.digesters,
                environment: self.environment,
                policy: policy.clone(),
                clock: self.clock,
                responses,
                cache: Cache::new(self.backend, clock, issuer, self.limits, settings, metrics.clone()),
                metrics,
                passwords,
                usage: self.usage,
            }
        })))
    }
}

impl fmt::Debug for AuthenticatorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticatorBuilder")
            .field("sources", &self.sources)
            .field("digesters", &self.digesters)
            .field("environment", &self.environment)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

//! The configuration of an authenticator.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::password::Accepted;
use super::{Authenticator, Inner};
use crate::audit::{Audit, Hook};
use crate::backend::{Backend, ErasedBackend};
use crate::cache::{Cache, Limits};
use crate::clock::{Clock, SystemClock};
use crate::credential::{Source, Sources};
use crate::digest::Digester;
use crate::environment::Environment;
use crate::error::{ConfigError, ConfigErrorKind};
use crate::metrics::{METRICS_NAME, Metrics};
use crate::principal::Issuer;
use crate::reject::{Reason, Respond, ResponseConfigBuilder};
use crate::scope::Scope;
use crate::usage::Usage;

/// Configures an [`Authenticator`]. Mistakes are reported by [`build`](Self::build), before the first request.
///
/// ```
/// use tower_api_key::credential::Source;
/// use tower_api_key::{Authenticator, ConfigErrorKind, Environment, MemoryStore};
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
    digester: Digester,
    environment: Option<Environment>,
    admin_scope: Option<Box<str>>,
    responses: ResponseConfigBuilder,
    limits: Limits,
    clock: Arc<dyn Clock>,
    passwords: Accepted,
    usage: Option<Usage>,
    metrics_name: Box<str>,
}

impl AuthenticatorBuilder {
    pub(super) fn new(backend: impl Backend) -> Self {
        Self {
            backend: Box::new(backend),
            sources: None,
            digester: Digester::default(),
            environment: None,
            admin_scope: None,
            responses: ResponseConfigBuilder::default(),
            limits: Limits::default(),
            clock: Arc::new(SystemClock::new()),
            passwords: Accepted::default(),
            usage: None,
            metrics_name: METRICS_NAME.into(),
        }
    }

    /// Sets where credentials are looked for. Default: `Authorization: Bearer` and `X-API-Key`.
    pub fn sources(mut self, sources: impl IntoIterator<Item = Source>) -> Self {
        self.sources = Some(sources.into_iter().collect());
        self
    }

    /// Sets how keys become digests. Default: SHA-256.
    pub fn digester(mut self, digester: Digester) -> Self {
        self.digester = digester;
        self
    }

    /// Admits keys of this environment only. Default: keys of any.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = Some(environment);
        self
    }

    /// Declares a scope that implies all others. Default: none does, except `*`.
    pub fn admin_scope(mut self, scope: impl Into<Box<str>>) -> Self {
        self.admin_scope = Some(scope.into());
        self
    }

    /// Sets the realm of the challenges. Default: `api`.
    pub fn realm(mut self, realm: impl Into<Box<str>>) -> Self {
        self.responses.realm = realm.into();
        self
    }

    /// Sets how the bodies of refusals are written. Default: [`Detail`](crate::reject::Detail).
    pub fn respond(mut self, respond: impl Respond) -> Self {
        self.responses.respond = Box::new(respond);
        self
    }

    /// Sets after how many seconds a client may try again when the store gives no answer. Default: 1. Zero: no advice.
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.responses.retry_after = delay;
        self
    }

    /// Tells of each refusal that is answered, be it for lack of a good key or of a scope, and nothing of admissions. Default:
    /// nobody is told.
    ///
    /// What [`Authenticator::authenticate`] returns to its caller is answered by that caller, and not told.
    pub fn audit(mut self, audit: impl Audit) -> Self {
        self.responses.audit = Some(Hook::new(audit));
        self
    }

    /// Sets for how long a record may be used without reading it again, up to a day. Default: 60 s. Zero: every request
    /// reads, or joins a read that is under way.
    ///
    /// Each key has a time of its own: this one less up to a tenth, by its digest, so that keys which were read together are not read
    /// together again. With the default, a record is used for 54 to 60 s.
    ///
    /// Revocations do not wait for it where the store announces them. Nor does expiry, which is judged for each request: a key that
    /// expires while its record may be used is refused without asking the store.
    pub fn positive_ttl(mut self, ttl: Duration) -> Self {
        self.limits.positive_ttl = ttl;
        self
    }

    /// Sets for how long it is remembered that a key does not exist, or that a password is wrong, up to 60 s. Default: 5 s. Zero: not at
    /// all.
    pub fn negative_ttl(mut self, ttl: Duration) -> Self {
        self.limits.negative_ttl = ttl;
        self
    }

    /// Sets how many records are remembered. Default: 100,000. Zero: none.
    pub fn positive_capacity(mut self, records: u64) -> Self {
        self.limits.positive_capacity = records;
        self
    }

    /// Sets how many keys that do not exist and passwords that are wrong are remembered. Default: 10,000. Zero: none.
    pub fn negative_capacity(mut self, digests: u64) -> Self {
        self.limits.negative_capacity = digests;
        self
    }

    /// Sets how long a request waits for the store before it is refused with 503, up to 60 s. Default: 500 ms.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.limits.deadline = deadline;
        self
    }

    /// Sets how many lookups may run at a time, up to 10,000. Default: 64. There are no more than half of those that the store carries
    /// out at a time ([`Backend::max_concurrent_lookups`](crate::Backend::max_concurrent_lookups)).
    ///
    /// Sixteen times as many may run or wait; past that the answer is 503, before they pile up. Keys that were good a short
    /// while ago have as many places of their own, so that a flood of unknown keys does not keep them waiting. Whoever has waited for half of
    /// the deadline is answered 503 as well: the rest is for the store.
    pub fn max_concurrent_lookups(mut self, fills: usize) -> Self {
        self.limits.max_concurrent_lookups = fills;
        self
    }

    /// Sets for how long cached records may be used after the start of the last successful poll for changes, up to an hour.
    /// Default: 5 s. It has to be longer than the poll interval, by 10 ms at least. A poll that takes longer than
    /// the lease is given up.
    ///
    /// This is the bound on a revocation by another process: it takes effect within the lease, whatever is lost on the way.
    /// When polls fail for longer, every request asks the store. Of no effect with a store that no other process changes.
    /// What it trades is one of the settings of [`operations`](crate::_guide::operations#settings).
    pub fn lease(mut self, length: Duration) -> Self {
        self.limits.lease = length;
        self
    }

    /// Sets how often the store is asked for changes that other processes made. Default: every second. It is also asked before a lookup
    /// of a key that this process has changed since the last poll, so that the change is not taken for another's afterwards.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.limits.poll_interval = interval;
        self
    }

    /// Sets for how much longer records may be used while the store gives no answer, up to a day. Default: zero, which is off.
    ///
    /// A request that would be refused with 503 is then admitted by a record that was read before the outage, counted when the
    /// outage began, and of which no change is known. During an outage a revocation by another process takes effect within the
    /// [lease](Self::lease) and this grace together; expiry is judged as ever. [Operations](crate::_guide::operations#settings) says
    /// when to use it.
    pub fn stale_grace(mut self, grace: Duration) -> Self {
        self.limits.stale_grace = grace;
        self
    }

    /// Sets after how many lookups in a row without an answer the store is left alone, and for how long, up to 60 s. Default:
    /// after 5, for 1 s. A pause of zero: never.
    ///
    /// While it is left alone, requests that need it are answered at once, with 503 or within the
    /// [stale grace](Self::stale_grace). Then one lookup tries whether it answers again. The pause is shortened at random by
    /// up to half, so that the nodes of a fleet do not try at the same moment.
    pub fn circuit_breaker(mut self, failures: u32, pause: Duration) -> Self {
        self.limits.breaker_failures = failures;
        self.limits.breaker_pause = pause;
        self
    }

    /// Accepts passwords of people where a Basic credential names one, beside keys. What is the text of a key is never taken
    /// for a password.
    #[cfg(feature = "password")]
    pub fn passwords(mut self, passwords: crate::password::Passwords) -> Self {
        self.passwords.verifier = Some(passwords);
        self
    }

    /// Sets what a person who presents a password may do beside what the roles grant, as the scopes of a key do: what is the
    /// person's own and no organization's, such as to change the password. Default: nothing.
    ///
    /// In an organization, a person may do what the role there grants as well, and nothing more; see
    /// [`Principal::authorize`](crate::Principal::authorize).
    #[cfg(feature = "password")]
    pub fn password_scopes(mut self, scopes: crate::scope::Scopes) -> Self {
        self.passwords.scopes = scopes;
        self
    }

    /// Counts each request that is admitted, by key and day. Default: nothing is counted.
    ///
    /// To count costs a request one addition, and never lets it wait or fail. A meter may be shared by several authenticators.
    pub fn usage(mut self, usage: Usage) -> Self {
        self.usage = Some(usage);
        self
    }

    /// Sets the label `authenticator` of the [metrics](crate::metrics), where there are several. Default: `default`.
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

    /// Checks the configuration and creates the authenticator, which from then on hears of the backend's changes.
    ///
    /// # Errors
    ///
    /// When something in the configuration cannot work; see [`ConfigErrorKind`].
    pub fn build(self) -> Result<Authenticator, ConfigError> {
        let sources = self.sources.map_or_else(|| Ok(Sources::default()), Sources::new)?;
        let schemes: Box<[_]> = sources.iter().map(|source| source.scheme().clone()).collect();
        if schemes.len() > usize::from(u8::MAX) {
            let message = format!("expected at most 255 sources, found {}", schemes.len());
            return Err(ConfigError::new(ConfigErrorKind::Sources, message));
        }
        self.limits.check()?;
        let admin = self.admin_scope.map(Scope::new).transpose()?;
        let metrics = Metrics::new(&self.metrics_name, &Reason::LABELS);
        let responses = Arc::new(self.responses.build(&sources, &self.clock, metrics.clone())?);
        Ok(Authenticator(Arc::new_cyclic(|inner: &Weak<Inner>| {
            let issuer = Issuer {
                schemes,
                admin,
                password_scopes: super::password::granted(&self.passwords),
                responses: Arc::clone(&responses) as _,
                clock: Arc::clone(&self.clock),
                authenticator: Some(inner.clone() as _),
            };
            let clock = Arc::clone(&self.clock);
            Inner {
                sources,
                digester: self.digester,
                environment: self.environment,
                clock: self.clock,
                responses,
                cache: Cache::new(self.backend, clock, Arc::new(issuer), self.limits, metrics),
                passwords: self.passwords,
                usage: self.usage,
            }
        })))
    }
}

impl fmt::Debug for AuthenticatorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticatorBuilder")
            .field("sources", &self.sources)
            .field("digester", &self.digester)
            .field("environment", &self.environment)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

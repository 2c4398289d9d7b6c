//! Rejections, and how an authenticator responds to them. `response` reports them; here, nothing is reported.

// Layer 5 of 10: outcomes.

use std::fmt;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::HeaderValue;

use super::challenge::Challenges;
use super::head::RequestHead;
use super::prepared::Prepared;
use crate::audit::Hook;
use crate::clock::Clock;
use crate::credential::{Scheme, Sources};
use crate::key::KeyId;
use crate::metrics::Metrics;
use crate::reason::{Outcome, Reason};

/// A request that is not admitted.
///
/// The response has it in its extensions, so that outer layers can log and count it.
#[derive(Clone)]
pub struct Rejection {
    pub(super) reason: Reason,
    pub(super) scheme: Option<Scheme>,
    pub(super) key: Option<RejectedKey>,
    pub(super) responses: Arc<ResponseConfig>,
}

/// The key that was presented.
#[derive(Clone)]
pub(super) enum RejectedKey {
    NotAdmitted(KeyId),
    /// The key of a caller that was admitted before.
    Admitted(Arc<dyn Caller>),
}

/// Trait for counting the rejection of a caller after its admission. The cache entry of its key implements it.
pub(crate) trait Caller: Send + Sync {
    fn key_id(&self) -> &KeyId;

    fn count_rejection(self: Arc<Self>, outcome: Outcome);
}

/// How one authenticator responds to rejections. Its principals carry it, so that layers and handlers that reject them later respond alike.
pub(crate) struct ResponseConfig {
    pub(super) challenges: Challenges,
    pub(super) retry_after: Option<HeaderValue>,
    /// The responses with these challenges and this header.
    pub(super) prepared: Prepared,
    /// The bodies of the application, in place of the prepared ones.
    pub(super) respond: Option<Arc<dyn Respond>>,
    pub(super) audit: Option<AuditSink>,
    pub(super) metrics: Metrics,
}

/// An audit hook, and the clock for its events.
#[derive(Clone)]
pub(crate) struct AuditSink {
    pub(crate) hook: Hook,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Rejection {
    /// Creates a rejection without a credential or an authenticator, answered in the default form. For a caller that was admitted, see
    /// [`Principal::reject`](crate::Principal::reject).
    pub fn new(reason: Reason) -> Self {
        Self::by(ResponseConfig::unconfigured(), reason)
    }

    pub(crate) fn by(responses: Arc<ResponseConfig>, reason: Reason) -> Self {
        Self { reason, scheme: None, key: None, responses }
    }

    pub(crate) fn presented(mut self, scheme: Scheme) -> Self {
        self.scheme = Some(scheme);
        self
    }

    pub(crate) fn key(mut self, id: KeyId) -> Self {
        self.key = Some(RejectedKey::NotAdmitted(id));
        self
    }

    /// Sets the caller, whose admission was counted.
    pub(crate) fn of_caller(mut self, caller: Arc<dyn Caller>) -> Self {
        self.key = Some(RejectedKey::Admitted(caller));
        self
    }

    /// Returns why the request is not admitted.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// Returns how the credential was presented, if the request has one.
    pub fn scheme(&self) -> Option<&Scheme> {
        self.scheme.as_ref()
    }

    /// Returns the id of the key that was presented, if it is known.
    pub fn key_id(&self) -> Option<&KeyId> {
        self.key.as_ref().map(|key| match key {
            RejectedKey::NotAdmitted(id) => id,
            RejectedKey::Admitted(caller) => caller.key_id(),
        })
    }

    /// Counts the rejection in the usage of an admitted caller.
    pub(super) fn count(&self) {
        if let Some(RejectedKey::Admitted(caller)) = &self.key {
            Arc::clone(caller).count_rejection(self.reason.outcome());
        }
    }
}

impl ResponseConfig {
    pub(super) fn new(challenges: Challenges, retry_after: Option<HeaderValue>, metrics: Metrics) -> Self {
        let prepared = Prepared::new(&challenges, retry_after.as_ref());
        Self { challenges, retry_after, prepared, respond: None, audit: None, metrics }
    }

    /// Records that a limit of a caller was decided without the counter store.
    pub(crate) fn counters_away(&self) {
        self.metrics.counters_away();
    }

    /// Returns the responses of an authenticator with the default configuration.
    pub(crate) fn unconfigured() -> Arc<Self> {
        static DEFAULT: LazyLock<Arc<ResponseConfig>> = LazyLock::new(|| {
            let challenges = Challenges::new(&Sources::default(), "api", &[]);
            // OK because the realm is fixed, and a test builds these challenges.
            let challenges = challenges.expect("the default realm is valid");
            let metrics = Metrics::new("none", &Reason::LABELS);
            Arc::new(ResponseConfig::new(challenges, Some(HeaderValue::from_static("1")), metrics))
        });
        Arc::clone(&DEFAULT)
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("reason", &self.reason)
            .field("scheme", &self.scheme)
            .field("key_id", &self.key_id())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.detail())
    }
}

impl std::error::Error for Rejection {}

/// Trait for writing the bodies of HTTP rejections.
///
/// Status, challenges and caching stay those of the table; gRPC responses have no body. A closure of the rejection implements it:
///
/// ```
/// use tower_api_key::reject::{Payload, Reason, Rejection};
/// use tower_api_key::{Authenticator, MemoryStore};
///
/// let authenticator = Authenticator::builder(MemoryStore::new())
///     .respond(|rejection: &Rejection| {
///         // To distinguish expired keys helps clients, and reveals to a thief that the key was real.
///         let code = match rejection.reason() {
///             Reason::Expired => "expired_key",
///             other => other.code(),
///         };
///         Payload::json(format!(r#"{{"error":"{code}"}}"#))
///     })
///     .build()?;
/// # Ok::<(), tower_api_key::ConfigError>(())
/// ```
///
/// A body that depends on the request is written by a type:
///
/// ```
/// use http::Request;
/// use tower_api_key::reject::{Payload, Reason, Rejection, RequestHead, Respond};
///
/// struct InTheirLanguage;
///
/// impl Respond for InTheirLanguage {
///     fn respond(&self, rejection: &Rejection, request: Option<RequestHead<'_>>) -> Payload {
///         let language = request.and_then(|request| request.header("accept-language")?.to_str().ok());
///         let text = match (language, rejection.reason().code()) {
///             (Some("de"), "missing_key") => "API-Schlüssel fehlt",
///             _ => rejection.reason().detail(),
///         };
///         Payload::json(format!(r#"{{"error":"{text}"}}"#))
///     }
/// }
///
/// let (missing, request) = (Rejection::new(Reason::Missing), Request::get("/").header("accept-language", "de").body(())?);
/// let german = InTheirLanguage.respond(&missing, Some((&request).into()));
/// assert_eq!(german, Payload::json(r#"{"error":"API-Schlüssel fehlt"}"#));
/// assert_eq!(InTheirLanguage.respond(&missing, None), Payload::json(r#"{"error":"Missing API key"}"#));
/// # Ok::<(), http::Error>(())
/// ```
pub trait Respond: Send + Sync + 'static {
    /// Returns the response body for this rejection of `request`.
    ///
    /// The request is `None` where a rejection became a response out of its reach: returned by an axum handler, or by
    /// `Response::from(rejection)`. [`Rejection::into_response_to`] keeps it. What a body repeats of the request is the client's text: escape
    /// it.
    fn respond(&self, rejection: &Rejection, request: Option<RequestHead<'_>>) -> Payload;
}

impl<F> Respond for F
where
    F: Fn(&Rejection) -> Payload + Send + Sync + 'static,
{
    fn respond(&self, rejection: &Rejection, _: Option<RequestHead<'_>>) -> Payload {
        self(rejection)
    }
}

/// The body of a rejection and its content type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    pub(crate) content_type: HeaderValue,
    pub(crate) bytes: Bytes,
}

impl Payload {
    /// Creates a payload.
    pub fn new(content_type: HeaderValue, bytes: impl Into<Bytes>) -> Self {
        Self { content_type, bytes: bytes.into() }
    }

    /// Creates a payload that is a JSON text.
    pub fn json(bytes: impl Into<Bytes>) -> Self {
        Self::new(HeaderValue::from_static("application/json"), bytes)
    }
}

/// Writes `{"detail":"…"}`, the default.
#[derive(Debug, Clone, Copy, Default)]
#[allow(clippy::exhaustive_structs, reason = "a unit struct that is used as a value")]
pub struct Detail;

impl Respond for Detail {
    fn respond(&self, rejection: &Rejection, _: Option<RequestHead<'_>>) -> Payload {
        Payload::json(rejection.reason.row().body)
    }
}

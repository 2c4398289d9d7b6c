//! The body of an HTTP refusal, and how to replace it.

use bytes::Bytes;
use http::HeaderValue;

use super::Rejection;

/// Trait for writing the bodies of HTTP refusals.
///
/// Status, challenges and caching stay those of the table; gRPC answers have no body. A closure will do:
///
/// ```
/// use tower_api_key::reject::{Payload, Reason, Rejection};
/// use tower_api_key::{Authenticator, MemoryStore};
///
/// let authenticator = Authenticator::builder(MemoryStore::new())
///     .respond(|rejection: &Rejection| {
///         // Telling expired keys apart helps clients, and tells a thief that the key was real. Choose on purpose.
///         let code = match rejection.reason() {
///             Reason::Expired => "API_KEY_EXPIRED",
///             other => other.detail(),
///         };
///         Payload::json(format!(r#"{{"error":"{code}"}}"#))
///     })
///     .build()?;
/// # Ok::<(), tower_api_key::ConfigError>(())
/// ```
pub trait Respond: Send + Sync + 'static {
    /// Returns the body that tells the client of this rejection.
    fn respond(&self, rejection: &Rejection) -> Payload;
}

impl<F> Respond for F
where
    F: Fn(&Rejection) -> Payload + Send + Sync + 'static,
{
    fn respond(&self, rejection: &Rejection) -> Payload {
        self(rejection)
    }
}

/// The body of a refusal and its content type.
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
    fn respond(&self, rejection: &Rejection) -> Payload {
        // None of the table's texts holds a character that JSON would escape.
        Payload::json([r#"{"detail":""#, rejection.reason.detail(), r#""}"#].concat())
    }
}

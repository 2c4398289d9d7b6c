//! The error of a request that was not sent.

// Layer 10 of 10: rim.

use std::error::Error;
use std::fmt;

/// The error of an [`AttachKey`](super::AttachKey): an [`AttachKeyError`], or that of the inner service.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The rule for the text of a key.
pub(super) const INVALID_KEY: &str = "key is invalid: must match the grammar and the formats of its source, without a line break, quotes or the scheme";

/// The reason why a key could not be attached. The request was not sent.
///
/// The message never holds a key or a URI.
#[derive(Debug)]
pub struct AttachKeyError {
    kind: AttachKeyErrorKind,
    source: Option<BoxError>,
}

/// The cause of an [`AttachKeyError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttachKeyErrorKind {
    /// The request names no scheme and authority, and the layer is not for a channel.
    NoOrigin,
    /// The request goes to another origin, by its URI or its `Host`.
    OtherOrigin,
    /// The method is `CONNECT`, which addresses a proxy, or `TRACE` or `TRACK`, whose answer echoes the key (RFC 9110 §9.3.8).
    Method,
    /// The request has the header of the key already.
    HeaderPresent,
    /// The file of the key cannot be read, or the function that returns the key has failed. The [source](Error::source) is the
    /// cause.
    KeyUnavailable,
    /// The text cannot be presented as a key by the source of the layer.
    InvalidKey,
}

impl AttachKeyError {
    pub(super) fn new(kind: AttachKeyErrorKind) -> Self {
        Self { kind, source: None }
    }

    pub(super) fn unavailable(source: impl Into<BoxError>) -> Self {
        Self { kind: AttachKeyErrorKind::KeyUnavailable, source: Some(source.into()) }
    }

    /// Returns the cause.
    pub fn kind(&self) -> AttachKeyErrorKind {
        self.kind
    }
}

impl fmt::Display for AttachKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot attach the API key: ")?;
        f.write_str(match self.kind {
            AttachKeyErrorKind::NoOrigin => {
                "the URI must have a scheme and a host, or the layer be built by `AttachKeyLayer::for_channel`"
            }
            AttachKeyErrorKind::OtherOrigin => "the URI and `Host` must name the origin of the layer",
            AttachKeyErrorKind::Method => "the method must not be CONNECT, TRACE or TRACK",
            AttachKeyErrorKind::HeaderPresent => "the request must not have its header already",
            AttachKeyErrorKind::KeyUnavailable => "the key cannot be read",
            AttachKeyErrorKind::InvalidKey => INVALID_KEY,
        })
    }
}

impl Error for AttachKeyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

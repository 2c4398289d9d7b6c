//! Extraction of the credential of a request from the configured sources.
//!
//! [`Sources`] reads the headers of a request once and has three results: no credential, one well-formed [`Credential`], or an
//! error ([`CredentialError`]). Of two credentials none is chosen, because the next proxy or handler may choose the other one.
//!
//! ```
//! use http::HeaderMap;
//! use tower_api_key::credential::{CredentialErrorKind, Source, Sources};
//!
//! let sources = Sources::new([Source::bearer(), Source::x_api_key()])?;
//! let mut headers = HeaderMap::new();
//! let length = |headers: &HeaderMap| sources.extract(headers, |credential| credential.expose_secret().len());
//! assert_eq!(length(&headers)?, None);
//!
//! headers.insert("authorization", "bearer  abc".parse()?);
//! assert_eq!(length(&headers)?, Some(3));
//!
//! headers.insert("x-api-key", "abc".parse()?);
//! assert_eq!(length(&headers).unwrap_err().kind(), CredentialErrorKind::Ambiguous);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// Layer 1 of 10: words.
// Above `key`; below `record`. Bottom to top, a file importing only those before it:
// `base64`, `grammar`, `basic`, `self`, `source`, `sources`, `present`.

mod base64;
mod basic;
mod grammar;
mod present;
mod source;
mod sources;

pub use grammar::MAX_CREDENTIAL_BYTES;
pub use source::Source;
pub use sources::Sources;

pub(crate) use basic::Buffer;

use std::fmt;

use http::HeaderName;

/// The scheme by which a credential is presented.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// `Authorization: Bearer KEY` (RFC 6750 §2.1).
    Bearer,
    /// `Authorization: Basic base64(email:KEY)` (RFC 7617).
    Basic,
    /// A header that holds the key and nothing else.
    Header(HeaderName),
}

impl Scheme {
    /// Parses the text that `Display` writes.
    #[cfg(any(feature = "sqlite", feature = "postgres", feature = "console"))]
    pub(crate) fn from_label(label: &str) -> Option<Self> {
        match label {
            // Header names are lower-case, so no header can be mistaken for one of these.
            "Bearer" => Some(Self::Bearer),
            "Basic" => Some(Self::Basic),
            name => HeaderName::from_lowercase(name.as_bytes()).ok().map(Self::Header),
        }
    }

    /// Returns whether a request can present `secret` by this scheme, with Basic beside `user`.
    pub(crate) fn carries(&self, user: &str, secret: &str) -> bool {
        match self {
            Self::Bearer => grammar::is_bearer_token(secret.as_bytes()),
            Self::Basic => basic::carries(user, secret),
            Self::Header(_) => grammar::is_header_key(secret.as_bytes()),
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bearer => f.write_str("Bearer"),
            Self::Basic => f.write_str("Basic"),
            Self::Header(name) => f.write_str(name.as_str()),
        }
    }
}

/// A credential as a request presents it. Whether its source accepts the secret has not been checked.
#[derive(Clone, Copy)]
pub(crate) struct Presented<'c> {
    source: usize,
    user: Option<&'c str>,
    secret: &'c [u8],
}

impl<'c> Presented<'c> {
    /// Returns the index of the source that found it.
    pub(crate) fn source(&self) -> usize {
        self.source
    }

    /// Returns the user of a Basic credential.
    pub(crate) fn user(&self) -> Option<&'c str> {
        self.user
    }

    /// Returns the secret, unless it is longer than a source accepts any.
    pub(crate) fn bounded_secret(&self) -> Option<&'c [u8]> {
        (self.secret.len() <= MAX_CREDENTIAL_BYTES).then_some(self.secret)
    }
}

/// A well-formed credential, borrowed from the request. Its `Debug` text does not show the secret.
pub struct Credential<'c>(Presented<'c>);

impl<'c> Credential<'c> {
    /// Returns the bytes of the key, a secret.
    pub fn expose_secret(&self) -> &'c [u8] {
        self.0.secret
    }

    /// Returns the user of a Basic credential, which may be empty.
    pub fn user(&self) -> Option<&'c str> {
        self.0.user
    }

    /// Returns the index of the source that found it.
    pub(crate) fn source(&self) -> usize {
        self.0.source
    }
}

impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("source", &self.0.source).finish_non_exhaustive()
    }
}

/// A request whose credentials cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialError {
    kind: CredentialErrorKind,
    source: Option<usize>,
}

/// The reason why the credentials of a request cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CredentialErrorKind {
    /// The request presents several credentials, even if they are equal.
    Ambiguous,
    /// The credential is empty, too long, or does not match its grammar.
    Malformed,
}

impl CredentialError {
    pub(crate) fn malformed(source: usize) -> Self {
        Self { kind: CredentialErrorKind::Malformed, source: Some(source) }
    }

    pub(crate) fn ambiguous() -> Self {
        Self { kind: CredentialErrorKind::Ambiguous, source: None }
    }

    /// Returns the reason.
    pub fn kind(&self) -> CredentialErrorKind {
        self.kind
    }

    /// Returns the index of the source of a malformed credential.
    pub(crate) fn source_index(&self) -> Option<usize> {
        self.source
    }
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            CredentialErrorKind::Ambiguous => "the request must present one credential, got several",
            CredentialErrorKind::Malformed => "credential is invalid: must match the grammar of its scheme",
        })
    }
}

impl std::error::Error for CredentialError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_holds_the_index_of_its_source() {
        let sources = Sources::new([Source::basic(), Source::bearer()]).unwrap();
        let error = |value: &'static str| {
            let mut headers = http::HeaderMap::new();
            for line in value.split('|') {
                headers.append("authorization", http::HeaderValue::from_static(line));
            }
            sources.extract(&headers, |_| ()).unwrap_err()
        };
        assert_eq!(error("Bearer ,").source_index(), Some(1));
        assert_eq!(error("Basic ,").source_index(), Some(0));
        assert_eq!(error("Bearer a|Bearer b").source_index(), None);
        assert_eq!(
            error("Bearer a|Bearer b").to_string(),
            "the request must present one credential, got several"
        );
        assert!(error("Bearer ,").to_string().contains("grammar"));
    }

    #[test]
    fn a_scheme_displays_as_clients_write_it() {
        assert_eq!(Scheme::Bearer.to_string(), "Bearer");
        assert_eq!(Scheme::Basic.to_string(), "Basic");
        assert_eq!(Source::x_api_key().scheme().to_string(), "x-api-key");
    }
}

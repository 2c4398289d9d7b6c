//! Refusals: why a request is not let through, and what its sender is told.
//!
//! One table makes every answer. Those of gRPC are given to the calls behind a layer that was told to
//! ([`AuthenticateLayer::grpc`](crate::AuthenticateLayer::grpc)), and those of HTTP to all other requests, whatever they claim:
//!
//! | [`Reason`] | HTTP | `WWW-Authenticate` | gRPC | text |
//! |---|---|---|---|---|
//! | `Missing` | 401 | every scheme, without an error | 16 | `Missing API key` |
//! | `Malformed`, `Unknown`, `Expired`, `Revoked`, `WrongEnvironment`, `WrongSource`, `WrongOwner` | 401 | the scheme presented, `invalid_token` | 16 | `Invalid API key` |
//! | `Ambiguous` | 400 | every scheme, `invalid_request` | 3 | `Multiple credentials` |
//! | `MissingScope` | 403 | the scheme presented, `insufficient_scope` and the scopes | 7 | `Insufficient scope` |
//! | `Forbidden` | 403 | the scheme presented, `insufficient_scope` | 7 | `Forbidden` |
//! | `Unavailable` | 503 and `Retry-After` | none | 14 | `Authentication temporarily unavailable` |
//! | `NotAuthenticated` | 500 | none | 13 | `Internal server error` |
//!
//! The exact reason is for the operator: it goes into the log and into the extensions of the response, never to the client,
//! who gets the same bytes for a key that never existed and for one that was revoked. The text stands in the default
//! body, `{"detail":"…"}`; [`Respond`] writes another.

mod body;
mod caller;
mod challenge;
mod config;
mod grpc;
mod http;
mod observe;
#[cfg(feature = "problem")]
mod problem;
mod protocol;
mod respond;

pub use body::RefusalBody;
#[cfg(feature = "problem")]
pub use problem::Problem;
pub use respond::{Detail, Payload, Respond};

pub(crate) use caller::{Anonymous, is_admitted_preflight, principal};
pub(crate) use config::{ResponseConfig, ResponseConfigBuilder};
pub(crate) use grpc::Call;
pub(crate) use observe::AuditSink;
pub(crate) use protocol::RequestProtocol;

use std::fmt;
use std::sync::Arc;

use ::http::{Response, StatusCode};

use crate::credential::Scheme;
use crate::key::KeyId;
use crate::principal::{Denial, Principal};
use crate::scope::Requirement;

/// A request that is not let through.
///
/// It travels in the extensions of the response, so that layers around this one can log and count it.
#[derive(Clone)]
pub struct Rejection {
    reason: Reason,
    scheme: Option<Scheme>,
    key_id: Option<KeyId>,
    responses: Arc<ResponseConfig>,
}

/// Why a request is not let through.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// No credential was presented.
    Missing,
    /// A credential was presented that is empty, too long, or not of its grammar or format.
    Malformed,
    /// The store does not know the key.
    Unknown,
    /// The key has expired.
    Expired,
    /// The key was revoked.
    Revoked,
    /// The key belongs to another environment.
    WrongEnvironment,
    /// The key may not be presented in this way.
    WrongSource,
    /// The key belongs to someone else than the user who was named beside it.
    WrongOwner,
    /// Two credentials or more were presented.
    Ambiguous,
    /// The key lacks a scope.
    MissingScope(Requirement),
    /// The caller is known, and may not go there.
    Forbidden(Forbidden),
    /// The store could not be asked.
    Unavailable,
    /// The request did not pass an [`AuthenticateLayer`](crate::AuthenticateLayer): a mistake in the service. An error in the log (feature
    /// `tracing`) names the layer to add; the client is told nothing of it.
    NotAuthenticated,
}

/// What a caller may not reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Forbidden {
    /// The organization.
    Organization,
    /// The project.
    Project,
    /// The organization, other than by single sign-on.
    SsoRequired,
    /// The organization, which is disabled.
    OrganizationDisabled,
    /// A path or method that no requirement is declared for.
    Undeclared,
}

/// What a sender is told for a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) status: StatusCode,
    /// The gRPC status code.
    pub(crate) code: u8,
    pub(crate) challenge: Challenge,
    pub(crate) detail: &'static str,
}

/// Which challenges go with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// None.
    No,
    /// Those of every scheme, without an error.
    Offer,
    /// Those of every scheme, with the error `invalid_request`.
    InvalidRequest,
    /// That of the scheme presented, with the error `invalid_token`.
    InvalidToken,
    /// That of the scheme presented, with the error `insufficient_scope`.
    InsufficientScope,
}

impl Reason {
    /// All labels that there are.
    pub(crate) const LABELS: [&str; 13] = [
        "missing",
        "malformed",
        "unknown",
        "expired",
        "revoked",
        "wrong_environment",
        "wrong_source",
        "wrong_owner",
        "ambiguous",
        "missing_scope",
        "forbidden",
        "unavailable",
        "not_authenticated",
    ];

    /// The one table of outcomes.
    pub(crate) fn row(&self) -> Row {
        use Challenge::{InsufficientScope, InvalidRequest, InvalidToken, No, Offer};
        let (status, code, challenge, detail) = match self {
            Self::Missing => (401, 16, Offer, "Missing API key"),
            Self::Malformed
            | Self::Unknown
            | Self::Expired
            | Self::Revoked
            | Self::WrongEnvironment
            | Self::WrongSource
            | Self::WrongOwner => (401, 16, InvalidToken, "Invalid API key"),
            Self::Ambiguous => (400, 3, InvalidRequest, "Multiple credentials"),
            Self::MissingScope(_) => (403, 7, InsufficientScope, "Insufficient scope"),
            Self::Forbidden(_) => (403, 7, InsufficientScope, "Forbidden"),
            Self::Unavailable => (503, 14, No, "Authentication temporarily unavailable"),
            Self::NotAuthenticated => (500, 13, No, "Internal server error"),
        };
        // OK because every number above is a status code, which a test goes through.
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Row { status, code, challenge, detail }
    }

    /// Returns the HTTP status of the answer. A gRPC call is answered 200 with a status of its own, where that is asked for.
    pub fn status(&self) -> StatusCode {
        self.row().status
    }

    /// Returns the gRPC status code of the answer.
    pub fn grpc_code(&self) -> u8 {
        self.row().code
    }

    /// Returns the text that the default body shows.
    pub fn detail(&self) -> &'static str {
        self.row().detail
    }

    /// Returns a name for logs and metrics, in snake case.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::WrongEnvironment => "wrong_environment",
            Self::WrongSource => "wrong_source",
            Self::WrongOwner => "wrong_owner",
            Self::Ambiguous => "ambiguous",
            Self::MissingScope(_) => "missing_scope",
            Self::Forbidden(_) => "forbidden",
            Self::Unavailable => "unavailable",
            Self::NotAuthenticated => "not_authenticated",
        }
    }
}

impl From<Denial> for Reason {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::MissingScope(requirement) => Self::MissingScope(requirement),
            Denial::Organization => Self::Forbidden(Forbidden::Organization),
            Denial::Project => Self::Forbidden(Forbidden::Project),
            Denial::SsoRequired => Self::Forbidden(Forbidden::SsoRequired),
            Denial::OrganizationDisabled => Self::Forbidden(Forbidden::OrganizationDisabled),
        }
    }
}

impl Rejection {
    /// Creates a rejection that knows neither the credential nor the authenticator, and is answered in the default form.
    pub fn new(reason: Reason) -> Self {
        Self::by(ResponseConfig::default_ones(), reason)
    }

    /// Creates a rejection of a caller who is known, such as a [`Denial`] of what it wanted to do. It is answered as the
    /// authenticator that admitted the caller is configured to.
    pub fn of(principal: &Principal, reason: impl Into<Reason>) -> Self {
        Self::by(ResponseConfig::of(principal), reason.into())
            .presented(principal.scheme().clone())
            .key(principal.key_id().clone())
    }

    pub(crate) fn by(responses: Arc<ResponseConfig>, reason: Reason) -> Self {
        Self { reason, scheme: None, key_id: None, responses }
    }

    pub(crate) fn presented(mut self, scheme: Scheme) -> Self {
        self.scheme = Some(scheme);
        self
    }

    pub(crate) fn key(mut self, id: KeyId) -> Self {
        self.key_id = Some(id);
        self
    }

    /// Returns why the request is not let through.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// Returns how the credential was presented, if there was one.
    pub fn scheme(&self) -> Option<&Scheme> {
        self.scheme.as_ref()
    }

    /// Returns the id of the key that was presented, if it is known.
    pub fn key_id(&self) -> Option<&KeyId> {
        self.key_id.as_ref()
    }

    /// Refuses a request: tells the reason and writes the answer. The rejection goes along in the response's extensions.
    pub(crate) fn answer<B: RefusalBody>(self, to: RequestProtocol) -> Response<B> {
        self.tell();
        let answer = match to.call {
            Some(call) => grpc::answer(&self, call),
            None => http::answer(&self),
        };
        let mut response = answer.map(B::from_bytes);
        to.close(&mut response);
        response.extensions_mut().insert(self);
        response
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("reason", &self.reason)
            .field("scheme", &self.scheme)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.detail())
    }
}

impl std::error::Error for Rejection {}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons() -> Vec<Reason> {
        vec![
            Reason::Missing,
            Reason::Malformed,
            Reason::Unknown,
            Reason::Expired,
            Reason::Revoked,
            Reason::WrongEnvironment,
            Reason::WrongSource,
            Reason::WrongOwner,
            Reason::Ambiguous,
            Reason::MissingScope(Requirement::all_of(["a"]).unwrap()),
            Reason::Forbidden(Forbidden::Organization),
            Reason::Unavailable,
            Reason::NotAuthenticated,
        ]
    }

    #[test]
    fn the_table_reads_as_documented() {
        let table: Vec<_> = reasons()
            .iter()
            .map(|reason| (reason.label(), reason.status().as_u16(), reason.grpc_code(), reason.detail()))
            .collect();
        let invalid = "Invalid API key";
        let expected = [
            ("missing", 401, 16, "Missing API key"),
            ("malformed", 401, 16, invalid),
            ("unknown", 401, 16, invalid),
            ("expired", 401, 16, invalid),
            ("revoked", 401, 16, invalid),
            ("wrong_environment", 401, 16, invalid),
            ("wrong_source", 401, 16, invalid),
            ("wrong_owner", 401, 16, invalid),
            ("ambiguous", 400, 3, "Multiple credentials"),
            ("missing_scope", 403, 7, "Insufficient scope"),
            ("forbidden", 403, 7, "Forbidden"),
            ("unavailable", 503, 14, "Authentication temporarily unavailable"),
            ("not_authenticated", 500, 13, "Internal server error"),
        ];
        assert_eq!(table, expected);
    }
}

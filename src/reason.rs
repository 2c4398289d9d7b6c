//! Reasons: why a request is rejected, and what its client is told.
//!
//! Above `scope` only. Responses are above it, in `reject`.

// Layer 1 of 10: words.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::scope::Requirement;

/// Why a request is rejected.
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
    /// The key is disabled.
    Disabled,
    /// The key belongs to another environment.
    WrongEnvironment,
    /// The key may not be presented in this way.
    WrongSource,
    /// The key belongs to another owner than the user named beside it.
    WrongOwner,
    /// Two credentials or more were presented.
    Ambiguous,
    /// The key lacks a scope.
    MissingScope(Requirement),
    /// The caller is authenticated, and may not access the resource.
    Forbidden(Forbidden),
    /// The caller is authenticated, and has used up a limit. The key is good: the same request is admitted later.
    Limited(Limited),
    /// The store could not be read, or did not answer in time: that of keys, or the one that counts requests to
    /// [limits](crate::limit_requests::Outage).
    Unavailable,
    /// The request did not pass an [`AuthenticateLayer`](crate::AuthenticateLayer): a mistake in the service. An error in the log (feature
    /// `tracing`) names the layer to add; the client is not told.
    NotAuthenticated,
}

/// The resource that a caller may not access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Forbidden {
    /// The organization.
    Organization,
    /// The project.
    Project,
    /// The organization, which requires single sign-on.
    SsoRequired,
    /// The organization, which is disabled.
    OrganizationDisabled,
    /// A path or method that no requirement is declared for.
    Undeclared,
}

/// The limit that a caller has used up, and when it may try again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limited(
    // Boxed, so that reasons, which are in every decision, have no room for it.
    Box<(Arc<str>, Duration)>,
);

/// What the rejection of an admitted caller counts as in its usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Limited,
    /// Rejected otherwise.
    Forbidden,
}

/// What the client is told for a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) status: StatusCode,
    pub(crate) grpc: u8,
    pub(crate) challenge: Challenge,
    pub(crate) detail: &'static str,
    /// The default body, a JSON text.
    pub(crate) body: &'static str,
    pub(crate) code: &'static str,
}

/// A value for each row of the table of all responses.
pub(crate) struct Rows<T> {
    missing: T,
    invalid: T,
    ambiguous: T,
    missing_scope: T,
    forbidden: T,
    limited: T,
    unavailable: T,
    not_authenticated: T,
}

/// The challenges of a response.
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

macro_rules! row {
    ($status:ident, $grpc:literal, $challenge:ident, $detail:literal, $code:literal) => {
        Row {
            status: StatusCode::$status,
            grpc: $grpc,
            challenge: Challenge::$challenge,
            detail: $detail,
            // No text below has a character that JSON would escape.
            body: concat!(r#"{"detail":""#, $detail, r#""}"#),
            code: $code,
        }
    };
}

/// The table of all responses.
pub(crate) static TABLE: Rows<Row> = Rows {
    missing: row!(UNAUTHORIZED, 16, Offer, "Missing API key", "missing_key"),
    invalid: row!(UNAUTHORIZED, 16, InvalidToken, "Invalid API key", "invalid_key"),
    ambiguous: row!(BAD_REQUEST, 3, InvalidRequest, "Multiple credentials", "multiple_credentials"),
    missing_scope: row!(FORBIDDEN, 7, InsufficientScope, "Insufficient scope", "insufficient_scope"),
    forbidden: row!(FORBIDDEN, 7, InsufficientScope, "Forbidden", "forbidden"),
    limited: row!(TOO_MANY_REQUESTS, 8, No, "Rate limit exceeded", "rate_limited"),
    unavailable: row!(SERVICE_UNAVAILABLE, 14, No, "Service temporarily unavailable", "unavailable"),
    not_authenticated: row!(INTERNAL_SERVER_ERROR, 13, No, "Internal server error", "internal_error"),
};

impl<T> Rows<T> {
    /// Returns the value for a reason.
    pub(crate) fn of(&self, reason: &Reason) -> &T {
        match reason {
            Reason::Missing => &self.missing,
            Reason::Malformed
            | Reason::Unknown
            | Reason::Expired
            | Reason::Revoked
            | Reason::Disabled
            | Reason::WrongEnvironment
            | Reason::WrongSource
            | Reason::WrongOwner => &self.invalid,
            Reason::Ambiguous => &self.ambiguous,
            Reason::MissingScope(_) => &self.missing_scope,
            Reason::Forbidden(_) => &self.forbidden,
            Reason::Limited(_) => &self.limited,
            Reason::Unavailable => &self.unavailable,
            Reason::NotAuthenticated => &self.not_authenticated,
        }
    }

    /// Returns the results of `make`, row by row.
    pub(crate) fn map<U>(&self, make: impl Fn(&T) -> U) -> Rows<U> {
        Rows {
            missing: make(&self.missing),
            invalid: make(&self.invalid),
            ambiguous: make(&self.ambiguous),
            missing_scope: make(&self.missing_scope),
            forbidden: make(&self.forbidden),
            limited: make(&self.limited),
            unavailable: make(&self.unavailable),
            not_authenticated: make(&self.not_authenticated),
        }
    }
}

impl Reason {
    /// All labels.
    pub(crate) const LABELS: [&str; 15] = [
        "missing",
        "malformed",
        "unknown",
        "expired",
        "revoked",
        "disabled",
        "wrong_environment",
        "wrong_source",
        "wrong_owner",
        "ambiguous",
        "missing_scope",
        "forbidden",
        "limited",
        "unavailable",
        "not_authenticated",
    ];

    /// Returns the row of the reason in the table of all responses.
    pub(crate) fn row(&self) -> &'static Row {
        TABLE.of(self)
    }

    /// Returns what the rejection of an admitted caller counts as. One for an outage was not served either.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Limited(_) => Outcome::Limited,
            _ => Outcome::Forbidden,
        }
    }

    /// Returns the HTTP status of the response. A gRPC call is answered 200 with a gRPC status, where that is enabled.
    pub fn status(&self) -> StatusCode {
        self.row().status
    }

    /// Returns the gRPC status code of the response.
    pub fn grpc_code(&self) -> u8 {
        self.row().grpc
    }

    /// Returns the text of the default body.
    pub fn detail(&self) -> &'static str {
        self.row().detail
    }

    /// Returns a name for bodies that clients evaluate, in snake case, which stays the same in later versions.
    ///
    /// As safe for clients as the [text](Self::detail): keys that are unknown, expired, revoked, disabled, or of another environment, source or owner
    /// have the same code. An application that distinguishes them matches the reason.
    ///
    /// ```
    /// use tower_api_key::Reason;
    ///
    /// assert_eq!(Reason::Missing.code(), "missing_key");
    /// assert_eq!((Reason::Unknown.code(), Reason::Revoked.code()), ("invalid_key", "invalid_key"));
    /// ```
    pub fn code(&self) -> &'static str {
        self.row().code
    }

    /// Returns the name of this very reason, in snake case, for logs and metrics. It tells a client what the [code](Self::code) keeps from
    /// it: that a stolen key was real, for example.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Disabled => "disabled",
            Self::WrongEnvironment => "wrong_environment",
            Self::WrongSource => "wrong_source",
            Self::WrongOwner => "wrong_owner",
            Self::Ambiguous => "ambiguous",
            Self::MissingScope(_) => "missing_scope",
            Self::Forbidden(_) => "forbidden",
            Self::Limited(_) => "limited",
            Self::Unavailable => "unavailable",
            Self::NotAuthenticated => "not_authenticated",
        }
    }
}

impl Forbidden {
    /// Returns the name of the resource, in snake case, for logs.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Project => "project",
            Self::SsoRequired => "sso_required",
            Self::OrganizationDisabled => "organization_disabled",
            Self::Undeclared => "undeclared",
        }
    }
}

impl From<Forbidden> for Reason {
    fn from(forbidden: Forbidden) -> Self {
        Self::Forbidden(forbidden)
    }
}

impl Limited {
    /// Creates the reason of a limit with this name, for a service that counts by itself. A
    /// [`LimitLayer`](crate::limit_requests::LimitLayer) makes its own.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_api_key::reject::{Limited, Rejection};
    ///
    /// let rejection = Rejection::new(Limited::new("exports", Duration::from_millis(1_500)).into());
    /// assert_eq!(rejection.reason().code(), "rate_limited");
    /// # let response: http::Response<bytes::Bytes> = rejection.into_response_to(&http::Request::new(()));
    /// assert_eq!(response.headers()["retry-after"], "2");
    /// ```
    pub fn new(limit: impl Into<Arc<str>>, retry_after: Duration) -> Self {
        Self(Box::new((limit.into(), retry_after)))
    }

    /// Returns the name of the limit.
    pub fn limit(&self) -> &str {
        &self.0.0
    }

    /// Returns the time after which the request would be admitted if the caller made no other.
    pub fn retry_after(&self) -> Duration {
        self.0.1
    }

    /// Returns the same time in whole seconds for `Retry-After`: rounded up, so that the client is not too early, and at least 1, so that it
    /// waits at all.
    pub(crate) fn retry_after_seconds(&self) -> u64 {
        let seconds = self.0.1.as_secs().saturating_add(u64::from(self.0.1.subsec_nanos() > 0));
        seconds.max(1)
    }
}

impl From<Limited> for Reason {
    fn from(limited: Limited) -> Self {
        Self::Limited(limited)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One reason of each label, in their order.
    pub(crate) fn reasons() -> Vec<Reason> {
        vec![
            Reason::Missing,
            Reason::Malformed,
            Reason::Unknown,
            Reason::Expired,
            Reason::Revoked,
            Reason::Disabled,
            Reason::WrongEnvironment,
            Reason::WrongSource,
            Reason::WrongOwner,
            Reason::Ambiguous,
            Reason::MissingScope(Requirement::all_of(["a"]).unwrap()),
            Reason::Forbidden(Forbidden::Organization),
            Limited::new("burst", Duration::from_millis(8_001)).into(),
            Reason::Unavailable,
            Reason::NotAuthenticated,
        ]
    }

    #[test]
    fn the_table_reads_as_documented() {
        let table: Vec<_> = reasons()
            .iter()
            .map(|reason| {
                (reason.label(), reason.status().as_u16(), reason.grpc_code(), reason.detail(), reason.code())
            })
            .collect();
        let invalid = "Invalid API key";
        let expected = [
            ("missing", 401, 16, "Missing API key", "missing_key"),
            ("malformed", 401, 16, invalid, "invalid_key"),
            ("unknown", 401, 16, invalid, "invalid_key"),
            ("expired", 401, 16, invalid, "invalid_key"),
            ("revoked", 401, 16, invalid, "invalid_key"),
            ("disabled", 401, 16, invalid, "invalid_key"),
            ("wrong_environment", 401, 16, invalid, "invalid_key"),
            ("wrong_source", 401, 16, invalid, "invalid_key"),
            ("wrong_owner", 401, 16, invalid, "invalid_key"),
            ("ambiguous", 400, 3, "Multiple credentials", "multiple_credentials"),
            ("missing_scope", 403, 7, "Insufficient scope", "insufficient_scope"),
            ("forbidden", 403, 7, "Forbidden", "forbidden"),
            ("limited", 429, 8, "Rate limit exceeded", "rate_limited"),
            ("unavailable", 503, 14, "Service temporarily unavailable", "unavailable"),
            ("not_authenticated", 500, 13, "Internal server error", "internal_error"),
        ];
        assert_eq!(table, expected);
    }
}

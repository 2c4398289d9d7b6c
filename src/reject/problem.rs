//! `application/problem+json` (RFC 9457).

// Layer 5 of 10: outcomes.

use http::HeaderValue;

use super::head::RequestHead;
use super::rejection::{Payload, Rejection, Respond};

/// Writes problem details: the status and its phrase, and the text of the table.
///
/// ```
/// use tower_api_key::reject::{Problem, Reason, Rejection, Respond};
///
/// let payload = Problem.respond(&Rejection::new(Reason::Unavailable), None);
/// let expected = r#"{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"Service temporarily unavailable"}"#;
/// assert_eq!(payload, tower_api_key::reject::Payload::new("application/problem+json".parse()?, expected));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[allow(clippy::exhaustive_structs, reason = "a unit struct that is used as a value")]
pub struct Problem;

impl Respond for Problem {
    fn respond(&self, rejection: &Rejection, _: Option<RequestHead<'_>>) -> Payload {
        let row = rejection.reason.row();
        // RFC 9457 §4.2.1: with `about:blank` the title is the phrase of the status.
        let title = row.status.canonical_reason().unwrap_or_default();
        let (status, detail) = (row.status.as_u16(), row.detail);
        let json =
            format!(r#"{{"type":"about:blank","title":"{title}","status":{status},"detail":"{detail}"}}"#);
        Payload::new(HeaderValue::from_static("application/problem+json"), json)
    }
}

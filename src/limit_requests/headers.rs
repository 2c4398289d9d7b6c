//! The headers that say what is left of the limits.

// Layer 8 of 10: decision.

use std::fmt::Write;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::bucket::Terms;
use super::counters::Left;
use crate::clock::Timestamp;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The headers of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Headers {
    None,
    XRateLimit,
    /// Those of the draft as well.
    Draft11,
}

/// What the headers of a response say.
#[derive(Debug)]
pub(super) struct Allowance {
    limit: u64,
    remaining: u64,
    /// Seconds since the Unix epoch.
    reset: u64,
    draft: Option<Box<Draft>>,
}

/// The fields of draft-ietf-httpapi-ratelimit-headers-11. Names need no escape: they are of letters, digits, `-` and `_`.
#[derive(Debug, Default)]
struct Draft {
    policy: String,
    rate_limit: String,
}

impl Headers {
    /// Returns what they say of a limit at this time, and in the draft's fields of `all`.
    #[inline]
    pub(super) fn allowance<'c>(
        self,
        (terms, left): (&Terms, &Left),
        wall: Timestamp,
        all: impl Iterator<Item = (&'c str, Terms, Left)>,
    ) -> Option<Allowance> {
        let draft = match self {
            Self::None => return None,
            Self::XRateLimit => None,
            Self::Draft11 => {
                let mut draft = Draft::default();
                all.for_each(|(name, terms, left)| draft.add(name, &terms, &left));
                Some(Box::new(draft))
            }
        };
        // Rounded up, as a client that comes at that time must not be too early.
        let now = u64::try_from(wall.unix_millis()).unwrap_or(0);
        let millis = now % 1_000 + u64::from(left.whole_in.subsec_nanos().div_ceil(1_000_000));
        let reset = (now / 1_000 + millis.div_ceil(1_000)).saturating_add(left.whole_in.as_secs());
        Some(Allowance { limit: terms.requests(), remaining: left.remaining, reset, draft })
    }
}

impl Allowance {
    /// Sets the headers, in place of those of services inside: two that disagree would help no client.
    pub(super) fn set(self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, self.limit.into());
        headers.insert(REMAINING, self.remaining.into());
        headers.insert(RESET, self.reset.into());
        if let Some(draft) = self.draft {
            let Draft { policy, rate_limit } = *draft;
            for (name, text) in [(POLICY, policy), (RATE_LIMIT, rate_limit)] {
                // OK because it is of names and numbers.
                if let Ok(value) = HeaderValue::try_from(text) {
                    headers.insert(name, value);
                }
            }
        }
    }
}

impl Draft {
    /// Adds a limit.
    fn add(&mut self, name: &str, terms: &Terms, left: &Left) {
        let Self { policy, rate_limit } = self;
        if !policy.is_empty() {
            policy.push_str(", ");
            rate_limit.push_str(", ");
        }
        // OK because a `String` takes any text.
        let _ = write!(policy, r#""{name}";q={}"#, terms.requests());
        if let Some(window) = terms.kind().window() {
            let _ = write!(policy, ";w={}", window.as_secs());
        }
        let _ = write!(rate_limit, r#""{name}";r={}"#, left.remaining);
        if !left.more_in.is_zero() {
            let seconds = left.more_in.as_secs() + u64::from(left.more_in.subsec_nanos() > 0);
            let _ = write!(rate_limit, ";t={seconds}");
        }
    }
}

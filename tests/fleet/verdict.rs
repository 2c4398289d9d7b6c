//! What is to be said of the answers that were given during a fault.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::clients::Seen;
use crate::node::Answer;

/// When a revocation was asked for, and when it was acknowledged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Revoked {
    pub(crate) asked: Instant,
    pub(crate) acknowledged: Instant,
}

#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) requests: usize,
    /// Admissions that began later than the lease after the key was revoked.
    pub(crate) late: usize,
    /// Good keys that were taken for bad ones.
    pub(crate) wronged: usize,
    pub(crate) unavailable: usize,
    /// How long after its revocation a key was admitted at the most.
    pub(crate) longest: Duration,
    /// How long after the fault had ended a request was answered with 503.
    pub(crate) answering_after: Duration,
    /// How long after the fault had ended a node was without a lease, or did not hear of changes.
    pub(crate) well_after: Duration,
}

impl Verdict {
    pub(crate) fn of(
        seen: &[Seen],
        revoked: &HashMap<usize, Revoked>,
        lease: Duration,
        healed: Option<Instant>,
    ) -> Self {
        let mut verdict = Self { requests: seen.len(), ..Self::default() };
        for Seen { key, began, ended, answer } in seen {
            let revoked = revoked.get(key);
            match answer {
                Answer::Admitted => {
                    let since = revoked.map(|revoked| began.saturating_duration_since(revoked.acknowledged));
                    verdict.late += usize::from(since.is_some_and(|since| since > lease));
                    verdict.longest = verdict.longest.max(since.unwrap_or_default());
                }
                Answer::Refused => {
                    verdict.wronged += usize::from(revoked.is_none_or(|revoked| *ended < revoked.asked));
                }
                Answer::Unavailable => {
                    verdict.unavailable += 1;
                    let after = healed.map(|healed| ended.saturating_duration_since(healed));
                    verdict.answering_after = verdict.answering_after.max(after.unwrap_or_default());
                }
            }
        }
        verdict
    }
}

//! The judgement of the answers during a fault.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::clients::Observation;
use crate::node::Answer;

/// The times at which a revocation was requested and acknowledged.
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
    /// Valid keys that were rejected.
    pub(crate) rejected_valid: usize,
    pub(crate) unavailable: usize,
    /// The longest time after its revocation at which a key was admitted.
    pub(crate) longest: Duration,
    /// The time from the end of the fault to the last answer with 503.
    pub(crate) answering_after: Duration,
    /// The time from the end of the fault until all nodes had a lease and received notifications.
    pub(crate) healthy_after: Duration,
}

impl Verdict {
    pub(crate) fn of(
        seen: &[Observation],
        revoked: &HashMap<usize, Revoked>,
        lease: Duration,
        healed: Option<Instant>,
    ) -> Self {
        let mut verdict = Self { requests: seen.len(), ..Self::default() };
        for Observation { key, began, ended, answer } in seen {
            let revoked = revoked.get(key);
            match answer {
                Answer::Admitted => {
                    let since = revoked.map(|revoked| began.saturating_duration_since(revoked.acknowledged));
                    verdict.late += usize::from(since.is_some_and(|since| since > lease));
                    verdict.longest = verdict.longest.max(since.unwrap_or_default());
                }
                Answer::Rejected => {
                    verdict.rejected_valid +=
                        usize::from(revoked.is_none_or(|revoked| *ended < revoked.asked));
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

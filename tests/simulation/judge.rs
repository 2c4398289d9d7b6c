//! What an answer may be, given what happened.

use std::time::Duration;

use crate::faults::Faults;
use crate::keys::{Key, Version};
use crate::plan::Plan;
use crate::settings::Settings;
use crate::time::At;

/// What a node answered to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The number of the request, in the order in which they came.
    pub(crate) request: u64,
    pub(crate) node: usize,
    pub(crate) key: usize,
    pub(crate) began: At,
    pub(crate) ended: At,
    /// When the node was asked for this key for the first time.
    pub(crate) asked_first: At,
    /// The last version of the key that this very node had acknowledged when the request began.
    pub(crate) acknowledged: Option<Version>,
    /// Whether it was answered without a wait.
    pub(crate) is_cached: bool,
    pub(crate) outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With the scopes that bear this number.
    Admitted(u32),
    Unknown,
    Revoked,
    Expired,
    Unavailable,
}

impl Outcome {
    /// Returns what is due to a key that has not expired.
    pub(crate) fn of(version: Version) -> Self {
        match version {
            Version::InForce(scopes) => Self::Admitted(scopes),
            Version::Revoked => Self::Revoked,
        }
    }
}

/// A rule that an answer breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breach {
    /// The key was revoked for longer than a change may go unnoticed.
    AdmittedRevoked,
    /// With what the key had been for longer than a change may go unnoticed.
    AdmittedAsItWas,
    /// With what the key was not yet.
    AdmittedTooEarly,
    /// What this node had acknowledged does not count there.
    AgainstItsWord,
    /// The key was created, and nobody had asked for it before, or so long ago that it should be known.
    CalledUnknown,
    /// The key was not revoked.
    CalledRevoked,
    /// The wall clock of the node says otherwise.
    Expiry,
    /// Nothing was wrong.
    CalledUnavailable,
    /// It took longer than the deadline.
    Late,
    /// The faults have ended, and the node is still not right, or asks the store each time.
    NotRecovered,
}

/// Says which rule an answer breaks, if it does.
pub(crate) fn judge(plan: &Plan, answer: &Answer) -> Option<Breach> {
    let case = Case::new(plan, answer);
    let breach = match answer.outcome {
        Outcome::Admitted(scopes) => case.of_admission(Version::InForce(scopes)),
        Outcome::Unknown => case.of_unknown(),
        Outcome::Revoked => {
            case.key.revoked().is_none_or(|at| answer.ended < at).then_some(Breach::CalledRevoked)
        }
        Outcome::Expired => (!case.may_be_expired()).then_some(Breach::Expiry),
        Outcome::Unavailable => (!case.is_excused()).then_some(Breach::CalledUnavailable),
    };
    breach.or_else(|| case.is_late().then_some(Breach::Late))
}

/// Says whether an answer is not the one that is due when nothing was wrong and nothing has changed for long enough. The second
/// of two is due at once.
pub(crate) fn judge_in_the_end(plan: &Plan, answer: &Answer, is_second: bool) -> Option<Breach> {
    let case = Case::new(plan, answer);
    let due = match case.key.at(answer.began) {
        None => Outcome::Unknown,
        Some(Version::InForce(_)) if case.may_be_expired() => Outcome::Expired,
        Some(version) => Outcome::of(version),
    };
    let is_slow = is_second && !answer.is_cached && case.key.expires.is_none();
    (answer.outcome != due || is_slow).then_some(Breach::NotRecovered)
}

/// For how long a key had been revoked when it was admitted, if it had.
pub(crate) fn unnoticed(plan: &Plan, answer: &Answer) -> Option<Duration> {
    let case = Case::new(plan, answer);
    let is_admission = matches!(answer.outcome, Outcome::Admitted(_));
    case.key.revoked().filter(|_| is_admission).and_then(|revoked| case.decided.checked_sub(revoked))
}

struct Case<'a> {
    settings: &'a Settings,
    faults: &'a Faults,
    key: &'a Key,
    answer: &'a Answer,
    /// When the answer counts as given. A process that stands still cannot look at its clock, so what it had been asked before
    /// counts as answered before.
    decided: At,
}

impl<'a> Case<'a> {
    fn new(plan: &'a Plan, answer: &'a Answer) -> Self {
        let faults = &plan.faults[answer.node];
        let stood_still = faults.stood_still(answer.began, answer.ended);
        let decided = if stood_still { answer.began } else { answer.ended };
        Self { settings: &plan.settings, faults, key: &plan.history.keys[answer.key], answer, decided }
    }

    fn of_admission(&self, version: Version) -> Option<Breach> {
        let has_gone_unnoticed =
            |since: Option<At>| since.is_some_and(|since| self.decided >= since + self.settings.unnoticed());
        if has_gone_unnoticed(self.key.revoked()) {
            Some(Breach::AdmittedRevoked)
        } else if has_gone_unnoticed(self.key.superseded(version)) {
            Some(Breach::AdmittedAsItWas)
        } else if self.key.committed(version).is_none_or(|committed| self.answer.ended < committed) {
            Some(Breach::AdmittedTooEarly)
        } else if self.answer.acknowledged > Some(version) {
            Some(Breach::AgainstItsWord)
        } else if !self.may_be_in_force() {
            Some(Breach::Expiry)
        } else {
            None
        }
    }

    /// A key may be called unknown until it is created; and, where someone asked for it before that, a while longer.
    fn of_unknown(&self) -> Option<Breach> {
        let created = self.key.created()?;
        if self.answer.acknowledged.is_some() {
            return Some(Breach::AgainstItsWord);
        }
        let was_asked = self.answer.asked_first < created;
        let may_be = was_asked && self.decided < created + self.settings.unknown();
        (!may_be).then_some(Breach::CalledUnknown)
    }

    /// By the wall clock of the node, or by its coarse reading.
    fn may_be_expired(&self) -> bool {
        self.readings().any(|wall| self.key.expires.is_some_and(|expires| expires <= wall))
    }

    fn may_be_in_force(&self) -> bool {
        self.readings().any(|wall| self.key.expires.is_none_or(|expires| wall < expires))
    }

    fn readings(&self) -> impl Iterator<Item = i64> {
        let ended = self.answer.ended;
        [ended, self.settings.last_tick(ended)].into_iter().map(|at| self.faults.wall(at))
    }

    fn is_excused(&self) -> bool {
        let from = self.answer.began.saturating_sub(self.settings.aftermath());
        self.faults.excuse(from, self.answer.ended)
    }

    fn is_late(&self) -> bool {
        self.decided - self.answer.began > self.settings.deadline
    }
}

//! The answers that are allowed, given the history and the faults.

use std::time::Duration;

use crate::simulation::faults::Faults;
use crate::simulation::history::History;
use crate::simulation::keys::{Key, Version};
use crate::simulation::plan::Plan;
use crate::simulation::settings::Settings;
use crate::simulation::time::At;

/// A node's answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The number of the request, in the order of arrival.
    pub(crate) request: u64,
    pub(crate) node: usize,
    pub(crate) key: usize,
    pub(crate) began: At,
    pub(crate) ended: At,
    /// When this node received its first request with the key.
    pub(crate) asked_first: At,
    /// The last version of the key that this node had acknowledged when the request began.
    pub(crate) acknowledged: Option<Version>,
    /// The last version of the plan, likewise.
    pub(crate) acknowledged_plan: u64,
    /// Whether the answer came at once, without a wait.
    pub(crate) is_cached: bool,
    pub(crate) outcome: Outcome,
    /// The version of the plan, if the key was admitted.
    pub(crate) plan: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With the scope of this number.
    Admitted(u32),
    Unknown,
    Disabled,
    Revoked,
    Expired,
    Unavailable,
}

impl Outcome {
    /// Returns the outcome for a key that has not expired.
    pub(crate) fn of(version: Version) -> Self {
        match version {
            Version::Standing { is_disabled: true, .. } => Self::Disabled,
            Version::Standing { number, .. } => Self::Admitted(number),
            Version::Revoked => Self::Revoked,
        }
    }
}

/// A rule that an answer breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breach {
    /// The key had been revoked for longer than a change may go unnoticed.
    AdmittedRevoked,
    /// The version had been superseded for longer than a change may go unnoticed.
    AdmittedOutdated,
    /// The plan had been superseded for longer than a change may go unnoticed.
    OutdatedPlan,
    /// The version was not committed yet.
    AdmittedTooEarly,
    /// The answer contradicts a version that this node had acknowledged.
    AgainstAcknowledgement,
    /// The key existed, and the node could not have cached its absence.
    CalledUnknown,
    /// The key was not disabled, or had been enabled for longer than a change may go unnoticed.
    CalledDisabled,
    /// The key was not revoked.
    CalledRevoked,
    /// The outcome contradicts the wall clock of the node.
    Expiry,
    /// No fault explains the answer.
    CalledUnavailable,
    /// It took longer than the deadline.
    Late,
    /// The faults have ended, but the node is still wrong, or still does not cache.
    NotRecovered,
}

/// Returns the rule that an answer breaks.
pub(crate) fn judge(plan: &Plan, answer: &Answer) -> Option<Breach> {
    let case = Case::new(plan, answer);
    let breach = match answer.outcome {
        Outcome::Admitted(scopes) => case.of_admission(Version::in_force(scopes)),
        Outcome::Unknown => case.of_unknown(),
        Outcome::Disabled => case.of_disabled(),
        Outcome::Revoked => {
            case.key.revoked().is_none_or(|at| answer.ended < at).then_some(Breach::CalledRevoked)
        }
        Outcome::Expired => (!case.may_be_expired()).then_some(Breach::Expiry),
        Outcome::Unavailable => (!case.is_excused()).then_some(Breach::CalledUnavailable),
    };
    let of_plan = || answer.plan.and_then(|version| case.of_plan(version));
    breach.or_else(of_plan).or_else(|| case.is_late().then_some(Breach::Late))
}

/// Returns a breach unless an answer is correct once no fault and no change has happened for long enough. The second of two
/// answers must come from the cache.
pub(crate) fn judge_recovered(plan: &Plan, answer: &Answer, is_second: bool) -> Option<Breach> {
    let case = Case::new(plan, answer);
    let expected = match case.key.at(answer.began) {
        None => Outcome::Unknown,
        Some(Version::Standing { .. }) if case.may_be_expired() => Outcome::Expired,
        Some(version) => Outcome::of(version),
    };
    let is_slow = is_second && !answer.is_cached && case.key.expires.is_none();
    let is_outdated = answer.plan.is_some_and(|plan| plan != case.history.plan_at(answer.began));
    (answer.outcome != expected || is_outdated || is_slow).then_some(Breach::NotRecovered)
}

/// Returns for how long a key had been revoked when it was admitted.
pub(crate) fn unnoticed(plan: &Plan, answer: &Answer) -> Option<Duration> {
    let case = Case::new(plan, answer);
    let is_admission = matches!(answer.outcome, Outcome::Admitted(_));
    case.key.revoked().filter(|_| is_admission).and_then(|revoked| case.decided.checked_sub(revoked))
}

struct Case<'a> {
    settings: &'a Settings,
    faults: &'a Faults,
    history: &'a History,
    key: &'a Key,
    answer: &'a Answer,
    /// The time at which the answer was decided. A suspended process cannot read its clock, so requests that it had received before
    /// count as answered before.
    decided: At,
}

impl<'a> Case<'a> {
    fn new(plan: &'a Plan, answer: &'a Answer) -> Self {
        let faults = &plan.faults[answer.node];
        let was_suspended = faults.was_suspended(answer.began, answer.ended);
        let decided = if was_suspended { answer.began } else { answer.ended };
        let history = &plan.history;
        Self { settings: &plan.settings, faults, history, key: &history.keys[answer.key], answer, decided }
    }

    fn of_admission(&self, version: Version) -> Option<Breach> {
        if self.is_overdue(self.key.revoked()) {
            Some(Breach::AdmittedRevoked)
        } else if self.is_overdue(self.key.superseded(version)) {
            Some(Breach::AdmittedOutdated)
        } else if self.key.committed(version).is_none_or(|committed| self.answer.ended < committed) {
            Some(Breach::AdmittedTooEarly)
        } else if self.answer.acknowledged > Some(version) {
            Some(Breach::AgainstAcknowledgement)
        } else if !self.may_be_in_force() {
            Some(Breach::Expiry)
        } else {
            None
        }
    }

    fn of_plan(&self, version: u64) -> Option<Breach> {
        if self.is_overdue(self.history.plan_committed(version + 1)) {
            Some(Breach::OutdatedPlan)
        } else if self.history.plan_committed(version).is_none_or(|committed| self.answer.ended < committed) {
            Some(Breach::AdmittedTooEarly)
        } else if self.answer.acknowledged_plan > version {
            Some(Breach::AgainstAcknowledgement)
        } else {
            None
        }
    }

    /// A key may be called disabled from the commit of a disabling until the next change was noticed.
    fn of_disabled(&self) -> Option<Breach> {
        let may_count = |(committed, version): &(At, Version)| {
            version.is_disabled()
                && *committed <= self.answer.ended
                && !self.is_overdue(self.key.superseded(*version))
                && self.answer.acknowledged <= Some(*version)
        };
        if !self.key.versions.iter().any(may_count) {
            Some(Breach::CalledDisabled)
        } else if !self.may_be_in_force() {
            Some(Breach::Expiry)
        } else {
            None
        }
    }

    /// Returns whether a change happened for longer ago than it may go unnoticed.
    fn is_overdue(&self, since: Option<At>) -> bool {
        since.is_some_and(|since| self.decided >= since + self.settings.unnoticed())
    }

    /// A key may be called unknown until it is created, and somewhat longer on a node that cached its absence.
    fn of_unknown(&self) -> Option<Breach> {
        let created = self.key.created()?;
        if self.answer.acknowledged.is_some() {
            return Some(Breach::AgainstAcknowledgement);
        }
        let was_asked = self.answer.asked_first < created;
        let may_be = was_asked && self.decided < created + self.settings.unknown();
        (!may_be).then_some(Breach::CalledUnknown)
    }

    /// By the precise or the coarse reading of the node's wall clock.
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
        self.faults.excuses(from, self.answer.ended)
    }

    fn is_late(&self) -> bool {
        self.decided - self.answer.began > self.settings.deadline
    }
}

//! The rule that an owner keeps a key by which its keys can be managed.

// Layer 3 of 10: storage.

use std::sync::Arc;
use std::time::Duration;

use super::KeyFilter;
use super::caller::Caller;
use crate::clock::{Clock, Timestamp};
use crate::environment::Environment;
use crate::key::KeyId;
use crate::owner::Owner;
use crate::record::{KeyState, Record};
use crate::rights::{Rights, ScopePolicy};
use crate::scope::Requirement;

/// A manager that is left with less time than this counts as ended: an owner needs time to notice.
const NOTICE: Duration = Duration::from_secs(24 * 60 * 60);

/// Requires that changes leave an owner a manager: an active key that meets a requirement and was not replaced.
#[derive(Debug, Clone)]
pub(crate) struct ManagerRule {
    pub(crate) requirement: Requirement,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A key that must exist beside a manager that a change ends: see [`KeyChange::required_manager`](super::KeyChange::required_manager).
#[derive(Debug, Clone)]
pub struct RequiredManager {
    ended: KeyId,
    filter: KeyFilter,
    needed: Needed,
}

/// The properties of a manager that outlasts another one.
#[derive(Debug, Clone)]
struct Needed {
    requirement: Requirement,
    policy: ScopePolicy,
    until: Timestamp,
}

impl RequiredManager {
    /// Returns a filter that selects the key, among others.
    pub fn filter(&self) -> &KeyFilter {
        &self.filter
    }

    /// Returns whether a key, with its current owner, is such a key.
    pub fn matches(&self, record: &Record) -> bool {
        record.id != self.ended && self.filter.matches(record) && self.needed.is_met_by(record)
    }
}

impl ManagerRule {
    /// Returns the key that must exist so that a change may end a manager. `None` if the change ends none, or if the caller is another one.
    /// `accessible` are the keys of the caller, which need not be in the store itself.
    pub(super) fn required_after(
        &self,
        accessible: &KeyFilter,
        caller: &Caller,
        caller_is_in_store: bool,
        before: &Record,
        after: &Record,
    ) -> Option<RequiredManager> {
        let now = self.clock.wall();
        let until = before.expires_at.unwrap_or(Timestamp::NEVER).min(now.saturating_add(NOTICE));
        let (requirement, policy) = (self.requirement.clone(), caller.policy.clone());
        let needed = Needed { requirement, policy, until };
        let ends = before.state(now) == KeyState::Active
            && needed.is_met_by(before)
            && !(after.state(now) == KeyState::Active && needed.is_met_by(after));
        let own = caller.own_key.as_ref().filter(|own| own.digest != before.digest);
        let caller_remains = caller_is_in_store && own.is_some_and(|own| needed.is_met_by(own));
        if !ends || caller_remains {
            return None;
        }
        let filter = KeyFilter {
            outside_projects: matches!(before.owner, Owner::Organization(_)),
            // A caller that manages all environments does so by a live key.
            environment: accessible
                .environment
                .or(Some(before.environment).filter(|own| *own == Environment::Live)),
            ..KeyFilter::of_owner(&before.owner).state(KeyState::Active, now)
        };
        Some(RequiredManager { ended: before.id.clone(), filter, needed })
    }
}

impl Needed {
    /// Returns whether an active key can manage keys, and lasts.
    fn is_met_by(&self, record: &Record) -> bool {
        record.rotated_to.is_none()
            && record.expires_at.unwrap_or(Timestamp::NEVER) >= self.until
            && Rights::new(record, &self.policy).meets(&self.requirement)
    }
}

//! The plans of a store in memory, in `Owners`, under the lock of `MemoryStore`.

// Layer 3 of 10: storage.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::backend::BackendError;
use crate::limit::Plan;

#[derive(Debug, Default)]
pub(super) struct Plans(BTreeMap<Box<str>, Plan>);

impl Plans {
    /// Adds or replaces a plan.
    pub(super) fn put(&mut self, plan: &Plan) -> Result<(), BackendError> {
        plan.known_limits().map_err(BackendError::invalid)?;
        self.0.insert(plan.name().into(), plan.clone());
        Ok(())
    }

    /// Removes a plan, and returns whether it was there.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Plan> {
        self.0.get(name)
    }

    pub(super) fn page(&self, after: Option<&str>, limit: usize) -> Vec<Plan> {
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        self.0.range::<str, _>(behind).map(|(_, plan)| plan.clone()).take(limit).collect()
    }

    /// Returns a plan with its current limits, to which a record or an owner refers. `None` if it was deleted: only revoked keys still refer to it.
    pub(super) fn current(&self, plan: Option<&Plan>) -> Option<Plan> {
        plan.and_then(|plan| self.get(plan.name())).cloned()
    }

    /// Checks that a plan to which a change refers exists.
    pub(super) fn check(&self, plan: Option<&Plan>) -> Result<(), BackendError> {
        let is_known = plan.is_none_or(|plan| self.0.contains_key(plan.name()));
        if is_known { Ok(()) } else { Err(BackendError::unknown_plan()) }
    }
}

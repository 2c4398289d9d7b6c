//! Counts the requests of a cache entry by route, where a layer does.

// Layer 6 of 10: cache.

use std::collections::BTreeMap;

use crate::backend::OTHER_ROUTE;
use crate::cache::sync::{Mutex, lock};

/// Requests by route since they were last taken.
pub(super) struct Routes(Mutex<BTreeMap<Box<str>, u64>>);

impl Default for Routes {
    fn default() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }
}

impl Routes {
    /// Counts a request, and returns whether it is the first since they were taken. Beyond `max` routes, it counts for the other ones.
    pub(super) fn count(&self, route: &str, max: usize) -> bool {
        let mut routes = lock(&self.0);
        let is_first = routes.is_empty();
        match routes.get_mut(route) {
            Some(requests) => *requests += 1,
            None => {
                let route = if routes.len() < max { route } else { OTHER_ROUTE };
                *routes.entry(route.into()).or_default() += 1;
            }
        }
        is_first
    }

    pub(super) fn take(&self) -> BTreeMap<Box<str>, u64> {
        std::mem::take(&mut *lock(&self.0))
    }
}

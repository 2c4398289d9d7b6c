//! Lanes to the store: one for keys that were met before, one for strangers.

use super::sync::{Semaphore, SemaphorePermit};
use crate::backend::BackendError;

/// Which way a look-up takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// For keys whose record this process has, or had until a short while ago.
    Met,
    /// For all others.
    Strangers,
}

/// How many look-ups may run at a time, in each lane.
pub(super) struct Permits {
    met: Semaphore,
    strangers: Semaphore,
}

impl Permits {
    /// Each lane has so many places, or half of what the store carries out at a time: who waits there waits for whoever came before.
    pub(super) fn new(each: usize, at_once: usize) -> Self {
        let each = each.min((at_once / 2).max(1));
        Self { met: Semaphore::new(each), strangers: Semaphore::new(each) }
    }

    /// Waits for a place.
    pub(super) async fn acquire(&self, lane: Lane) -> Result<SemaphorePermit<'_>, BackendError> {
        let permits = match lane {
            Lane::Met => &self.met,
            Lane::Strangers => &self.strangers,
        };
        permits.acquire().await.map_err(BackendError::unavailable)
    }
}

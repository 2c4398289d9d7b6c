//! The clocks of one node: the runtime's time, and a wall clock that jumps.

use std::sync::Arc;
use std::time::Duration;

use tower_api_key::Timestamp;
use tower_api_key::clock::{Clock, Moment};

use crate::simulation::plan::Plan;
use crate::simulation::time::{At, Stopwatch};
use support::START;

#[derive(Debug)]
pub(crate) struct NodeClock {
    pub(crate) plan: Arc<Plan>,
    pub(crate) node: usize,
    pub(crate) stopwatch: Stopwatch,
}

impl NodeClock {
    fn wall_at(&self, at: At) -> Timestamp {
        Timestamp::from_unix_millis(START.unix_millis() + self.plan.faults[self.node].wall(at))
    }

    /// Each node's monotonic clock starts at another origin.
    fn moment_at(&self, at: At) -> Moment {
        Moment::from_nanos(self.node as u64 * 1_000_000).saturating_add(at)
    }

    fn coarse(&self) -> At {
        self.plan.settings.last_tick(self.stopwatch.now())
    }
}

impl Clock for NodeClock {
    fn wall(&self) -> Timestamp {
        self.wall_at(self.stopwatch.now())
    }

    fn monotonic(&self) -> Moment {
        self.moment_at(self.stopwatch.now())
    }

    fn coarse_wall(&self) -> Timestamp {
        self.wall_at(self.coarse())
    }

    fn coarse_monotonic(&self) -> Moment {
        self.moment_at(self.coarse())
    }

    fn tick(&self) -> Duration {
        self.plan.settings.tick
    }
}

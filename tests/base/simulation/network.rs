//! The network between one node and the store.

use std::time::Duration;

use fastrand::Rng;

use crate::simulation::faults::{Faults, NetworkFault};
use crate::simulation::time::{At, between, one_in};

/// The longest round trip without a fault.
pub(crate) const MAX_ROUND_TRIP: Duration = Duration::from_millis(8);

/// The kind of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    Poll,
    Lookup,
    Change,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Request,
    Response,
}

/// The course of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RoundTrip {
    /// When it arrived at the store, if it was not lost.
    pub(crate) arrived: Option<At>,
    pub(crate) end: End,
}

/// The result that its sender sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Answer(At),
    Error(At),
    Silence,
}

/// The network of one node. The course of a request is decided when it is sent: the store continues while the node is suspended,
/// and its answers wait for the node.
pub(crate) struct Link<'a> {
    pub(crate) faults: &'a Faults,
    pub(crate) deadline: Duration,
    pub(crate) rng: &'a mut Rng,
}

impl Link<'_> {
    /// Sends a request that takes the store `work`.
    pub(crate) fn ask(&mut self, sent: At, traffic: Traffic, work: Duration) -> RoundTrip {
        match self.leg(sent, traffic, Direction::Request) {
            End::Answer(arrived) => RoundTrip {
                arrived: Some(arrived),
                end: self.leg(arrived + work, traffic, Direction::Response),
            },
            end => RoundTrip { arrived: None, end },
        }
    }

    fn leg(&mut self, sent: At, traffic: Traffic, direction: Direction) -> End {
        let soon = sent + between(self.rng, Duration::ZERO, MAX_ROUND_TRIP / 2);
        let late = sent + between(self.rng, Duration::ZERO, self.deadline);
        match self.faults.network_fault(sent, traffic) {
            Some(NetworkFault::Refuse) => End::Error(soon),
            Some(NetworkFault::Cut) => End::Silence,
            Some(NetworkFault::Lose) if one_in(self.rng, 2) => End::Silence,
            Some(NetworkFault::Slow) => End::Answer(late),
            Some(NetworkFault::SlowBack) if direction == Direction::Response => End::Answer(late),
            None | Some(NetworkFault::Lose | NetworkFault::SlowBack) => End::Answer(soon),
        }
    }
}

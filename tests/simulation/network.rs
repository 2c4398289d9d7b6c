//! The way between one node and the store.

use std::time::Duration;

use fastrand::Rng;

use crate::faults::{Faults, Trouble};
use crate::time::{At, between, one_in};

/// How long a way takes at most, there and back, where nothing is wrong.
pub(crate) const CALM: Duration = Duration::from_millis(8);

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    Poll,
    Lookup,
    Change,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    There,
    Back,
}

/// What becomes of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trip {
    /// When it arrived at the store, if it did.
    pub(crate) arrived: Option<At>,
    pub(crate) end: End,
}

/// What becomes of it where it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Answer(At),
    Error(At),
    Silence,
}

/// The way of one node at a time of the run. What is sent is decided when it is sent: the store goes on while the node stands
/// still, and its answers wait for the node.
pub(crate) struct Link<'a> {
    pub(crate) faults: &'a Faults,
    pub(crate) deadline: Duration,
    pub(crate) rng: &'a mut Rng,
}

impl Link<'_> {
    /// Sends a question that the store works on for `work`.
    pub(crate) fn ask(&mut self, sent: At, traffic: Traffic, work: Duration) -> Trip {
        match self.leg(sent, traffic, Way::There) {
            End::Answer(arrived) => {
                Trip { arrived: Some(arrived), end: self.leg(arrived + work, traffic, Way::Back) }
            }
            end => Trip { arrived: None, end },
        }
    }

    fn leg(&mut self, sent: At, traffic: Traffic, way: Way) -> End {
        let soon = sent + between(self.rng, Duration::ZERO, CALM / 2);
        let late = sent + between(self.rng, Duration::ZERO, self.deadline);
        match self.faults.trouble(sent, traffic) {
            Some(Trouble::Refuse) => End::Error(soon),
            Some(Trouble::Cut) => End::Silence,
            Some(Trouble::Lose) if one_in(self.rng, 2) => End::Silence,
            Some(Trouble::Slow) => End::Answer(late),
            Some(Trouble::SlowBack) if way == Way::Back => End::Answer(late),
            None | Some(Trouble::Lose | Trouble::SlowBack) => End::Answer(soon),
        }
    }
}

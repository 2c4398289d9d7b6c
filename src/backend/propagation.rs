//! How far a change has got in a fleet.

use std::time::Duration;

/// How far an acknowledged change has got, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Propagation {
    /// Every process has acknowledged the change.
    EveryNode,
    /// The lease of every process has passed: one that has not read the change by then does not trust what it remembers.
    LeaseEnd {
        /// The nodes that did not acknowledge the change, by name, where the store keeps a list of them.
        missing: Vec<Box<str>>,
    },
    /// This process has applied the change. Others apply it within their lease.
    ThisProcess {
        /// As for [`LeaseEnd`](Self::LeaseEnd).
        missing: Vec<Box<str>>,
    },
}

impl Propagation {
    /// Returns the nodes that did not acknowledge the change, by name, where the store keeps a list of them.
    pub fn missing(&self) -> &[Box<str>] {
        match self {
            Self::EveryNode => &[],
            Self::LeaseEnd { missing } | Self::ThisProcess { missing } => missing,
        }
    }

    /// Waits for a lease, or for less, where no list says who has applied a change.
    #[allow(clippy::disallowed_methods, reason = "the leases of other processes run on clocks of their own")]
    pub(super) async fn after(lease: Duration, at_most: Duration) -> Self {
        tokio::time::sleep(lease.min(at_most)).await;
        Self::at_end(lease, at_most, Vec::new())
    }

    /// What is known when the shorter of both has passed.
    pub(super) fn at_end(lease: Duration, at_most: Duration, missing: Vec<Box<str>>) -> Self {
        if at_most < lease { Self::ThisProcess { missing } } else { Self::LeaseEnd { missing } }
    }
}

//! How far a change has propagated in a fleet.

// Layer 3 of 10: storage.

use std::time::Duration;

/// How far an acknowledged change has propagated.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Propagation {
    /// Every node has acknowledged the change.
    EveryNode,
    /// The lease of every node has passed: a node that has not read the change by then does not trust its cache.
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
    /// Returns the names of the nodes that did not acknowledge the change, where the store lists nodes.
    pub fn missing(&self) -> &[Box<str>] {
        match self {
            Self::EveryNode => &[],
            Self::LeaseEnd { missing } | Self::ThisProcess { missing } => missing,
        }
    }

    /// Waits for the lease, or for `at_most` if that is shorter. For stores that keep no list of nodes.
    #[allow(clippy::disallowed_methods, reason = "the leases of other processes run on clocks of their own")]
    pub(super) async fn after(lease: Duration, at_most: Duration) -> Self {
        tokio::time::sleep(lease.min(at_most)).await;
        Self::at_end(lease, at_most, Vec::new())
    }

    /// Returns the propagation when the shorter of both has passed.
    pub(super) fn at_end(lease: Duration, at_most: Duration, missing: Vec<Box<str>>) -> Self {
        if at_most < lease { Self::ThisProcess { missing } } else { Self::LeaseEnd { missing } }
    }
}

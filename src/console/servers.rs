//! What is known of the servers that refuse a key.

// Layer 10 of 10: rim.

use std::time::Duration;

use super::words::bound;
use crate::backend::{KeyStore, Propagation};
use crate::manage::{KeyManager, Wait};

/// How far the end of a key has reached.
pub(super) struct Servers {
    propagation: Propagation,
    /// The number of servers, where it is known and there are any.
    all: Option<u64>,
    /// Within which time the others refuse the key.
    lease: String,
}

impl Servers {
    /// Waits until the servers have applied a change, and returns which have; `None` if the store does not list them.
    pub(super) async fn wait<S: KeyStore>(manager: &KeyManager<S>, at_most: Duration) -> Option<Self> {
        let propagation = manager.wait_applied(Wait::new().at_most(at_most)).await;
        // The change was made: a list that cannot be read now is unknown.
        let all = manager.count_nodes().await;
        if matches!((&propagation, &all), (Propagation::ThisProcess { missing }, Ok(None)) if missing.is_empty())
        {
            return None;
        }
        let lease = bound(manager.longest_lease());
        Some(Self { propagation, all: all.ok().flatten().filter(|all| *all > 0), lease })
    }

    /// Returns the names of those that have not confirmed it.
    pub(super) fn missing(&self) -> &[Box<str>] {
        self.propagation.missing()
    }

    /// Returns where the key is refused, in words behind "is refused".
    pub(super) fn refused(&self) -> String {
        let lease = &self.lease;
        let missing = self.missing().len() as u64;
        let part = self.all.map(|all| {
            // One may have ended while the change was waited for.
            let all = all.max(missing);
            format!("on {} of {all} servers", all - missing)
        });
        match (&self.propagation, part) {
            (Propagation::EveryNode, Some(part)) => part,
            (Propagation::EveryNode | Propagation::LeaseEnd { .. }, None) => "on every server".to_owned(),
            (Propagation::LeaseEnd { .. }, Some(part)) => {
                format!(
                    "on every server: {part}, and by the others because they could not confirm it in time"
                )
            }
            (Propagation::ThisProcess { missing }, Some(part)) if !missing.is_empty() => {
                format!("{part}. The others will refuse it within {lease}")
            }
            (Propagation::ThisProcess { .. }, _) => {
                format!("here. Other servers will refuse it within {lease}; they could not be asked")
            }
        }
    }
}

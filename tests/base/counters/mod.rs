//! Counters of limits, and the layer that waits for them.

mod layer;
mod outage;
mod process;
#[cfg(feature = "valkey")]
mod valkey;

use std::fmt;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tower_api_key::clock::ManualClock;
use tower_api_key::limit_requests::{Count, Counters, CountersError, Outage, ProcessCounters, Taken, Taking};
use tower_api_key::{Authenticator, LimitLayer};

use crate::limits::{Records, Service, within};

/// Counters of a test: they count in the process, or behave as it sets.
#[derive(Clone)]
pub(crate) struct Away {
    counting: Arc<ProcessCounters>,
    behaviour: Arc<Mutex<Behaviour>>,
    asked: Arc<AtomicU64>,
}

#[derive(Debug, Clone)]
pub(crate) enum Behaviour {
    Count,
    Fail,
    Hang,
    /// They count when they are polled a second time.
    Wait,
    /// They fail then.
    WaitAndFail,
    /// They have no time for the request.
    Busy,
    /// They cannot read the counts of the key with this id.
    Corrupt(String),
    Say(Taken),
}

impl Away {
    pub(crate) fn new(clock: Arc<ManualClock>) -> Self {
        let (behaviour, asked) = (Arc::new(Mutex::new(Behaviour::Count)), Arc::default());
        Self { counting: Arc::new(ProcessCounters::with_clock(clock)), behaviour, asked }
    }

    pub(crate) fn set(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    /// Returns how often the counters were asked since the last call.
    fn asked(&self) -> u64 {
        self.asked.swap(0, Ordering::Relaxed)
    }
}

impl Counters for Away {
    fn take<'a>(&'a self, counts: &'a [Count], cost: u64) -> Taking<'a> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let behaviour = self.behaviour.lock().unwrap().clone();
        Box::pin(async move {
            match behaviour {
                Behaviour::Fail => Err(CountersError::unavailable("told to fail")),
                Behaviour::Busy => Err(CountersError::busy("told to be busy")),
                Behaviour::Hang => pending().await,
                Behaviour::Wait => {
                    tokio::task::yield_now().await;
                    self.counting.take(counts, cost).await
                }
                Behaviour::WaitAndFail => {
                    tokio::task::yield_now().await;
                    Err(CountersError::unavailable("told to fail"))
                }
                Behaviour::Corrupt(id) if counts.iter().any(|count| count.id().contains(&id)) => {
                    Err(CountersError::corrupt("told to fail"))
                }
                Behaviour::Count | Behaviour::Corrupt(_) => self.counting.take(counts, cost).await,
                Behaviour::Say(taken) => Ok(taken),
            }
        })
    }
}

impl fmt::Debug for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Away")
    }
}

/// Creates a service whose layer asks such counters.
fn service(records: &Records, outage: Outage) -> (Service, Arc<ManualClock>, Away) {
    let (authenticator, clock) = support::build(Authenticator::builder(records.backend()));
    let counters = Away::new(Arc::clone(&clock));
    let service = within(authenticator, LimitLayer::new().counters(counters.clone(), outage));
    (service, clock, counters)
}

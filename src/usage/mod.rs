//! Usage of each key by day, counted in the cache and written in batches.
//!
//! An admitted request adds one to a counter in the cache entry of its key, and waits for nothing; its rejection adds one to another. At intervals, and at midnight, the counts
//! are taken from the cache and written to a [`UsageStore`](crate::backend::UsageStore), with the time of each key's last use. While the
//! store cannot be reached, counts are kept, up to a bound.
//!
//! # What is counted
//!
//! | Number | Requests |
//! |---|---|
//! | `requests` | all that were admitted, whatever became of them |
//! | `limited` | of these, those past a [limit](crate::limit_requests) |
//! | `forbidden` | of these, those that were rejected otherwise: for a missing scope, by a rule, because the key ended meanwhile, or with 503 because the store of a limit was away |
//! | [`served`](crate::backend::UsageLine::served) | the rest, which is what most services bill |
//!
//! A rejection counts when it becomes a response, be it by a layer or by a handler that returns [`Principal::reject`](crate::Principal::reject)
//! or [`Principal::require`](crate::Principal::require). A handler that makes several rejections of one request into responses or gRPC
//! statuses counts each, as does a stream that sends one for each message: `forbidden` may then be more than `requests`. Other outcomes are
//! unknown: a request that a handler fails to answer, that has no route or whose client hangs up was served.
//!
//! A request that is rejected on another day than it was admitted counts on each as what it was there: the first day has one served too
//! many, the other one too few. A bill subtracts the sums of its whole period: then only its first and its last midnight can err.
//!
//! Behind a [layer](crate::count_routes), requests are counted by route as well.
//!
//! Requests without a good key belong to no key: they are in the [metrics](crate::metrics). A request that passes several layers of one
//! authenticator with one key is counted by the first.
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use tower_api_key::backend::{KeyChange, KeyStore, UsageBy, UsageQuery, UsageStore};
//! use tower_api_key::clock::{Clock, Day, SystemClock};
//! use tower_api_key::digest::Digester;
//! use tower_api_key::usage::Usage;
//! use tower_api_key::{Authenticator, KeyId, MemoryStore, Owner, Record};
//!
//! let store = MemoryStore::new();
//! let digest = Digester::sha256().digest(b"a-key-from-elsewhere");
//! let record = Record::imported(KeyId::new("key_1")?, digest, Owner::organization("acme"));
//! store.change(KeyChange::insert(record)).await?;
//!
//! let usage = Usage::builder(store.clone()).build()?;
//! let authenticator = Authenticator::builder(store.clone()).usage(usage.clone()).build()?;
//! let mut headers = http::HeaderMap::new();
//! headers.insert("x-api-key", "a-key-from-elsewhere".parse()?);
//! for _ in 0..3 {
//!     authenticator.authenticate(&headers).await?;
//! }
//!
//! usage.flush().await?; // before the process ends
//! let today = Day::from(SystemClock::new().wall());
//! let lines = store.usage(&UsageQuery::new(today.plus(-1), today).by(UsageBy::Key)).await?;
//! assert_eq!(lines.iter().map(|line| line.requests).sum::<u64>(), 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```

// Layer 7 of 10: usage.
// Above `cache`; below `principal` and `authenticator`. Bottom to top, a file importing only those before it:
// `erased_store`, `pending`, `meter`, `write`, `flusher`, `self`, `builder`.

mod builder;
mod erased_store;
mod flusher;
mod meter;
mod pending;
mod write;

pub use builder::UsageBuilder;

use std::fmt;
use std::sync::Arc;

use crate::backend::BackendError;
use crate::cache::Entry;
use crate::clock::Clock;
use crate::reject::Outcome;
use meter::Meter;

/// Counts the requests that are admitted with each key. A clone is one `Arc` and shares the counts.
///
/// Pass it to [`AuthenticatorBuilder::usage`](crate::AuthenticatorBuilder::usage), and [`flush`](Self::flush) it when the process ends, also
/// when it ends with requests still open, which were counted when they were admitted. Counts that are not yet written are lost with the last
/// clone: an error in the log (feature `tracing`) and `tower_api_key_usage_lost_total` (feature `metrics`) report their number. A process that
/// ends by [`exit`](std::process::exit), or by a crash, drops and reports nothing: it loses the counts of one interval, or those since the store
/// last accepted a batch.
///
/// A task writes the counts. The first use of a key spawns it, on the Tokio runtime of that request.
#[derive(Clone)]
pub struct Usage(Arc<Meter>);

impl Usage {
    /// Writes all counts of earlier requests, and returns when the store has them.
    ///
    /// Call it when the process ends, after its last request.
    ///
    /// # Errors
    ///
    /// When the store did not accept all counts, for example because it did not answer within 5 s. The rest is kept, and the next flush writes
    /// it.
    ///
    /// # Panics
    ///
    /// When polled outside a Tokio runtime.
    pub async fn flush(&self) -> Result<(), BackendError> {
        self.0.collect().await;
        let _guard = self.0.writing.lock().await;
        self.0.write().await
    }

    /// Returns the number of counts of a key, a day and an environment to be written, and of those by route. The current interval is not included. It grows while the
    /// store does not accept them.
    pub fn backlog(&self) -> usize {
        self.0.pending().len()
    }

    /// Returns the number of requests whose counts will never be written, because the backlog was full.
    pub fn lost(&self) -> u64 {
        self.0.pending().lost()
    }

    /// Sets the clock by which days are told, unless another authenticator has set it.
    pub(crate) fn set_clock(&self, clock: &Arc<dyn Clock>) {
        let _ = self.0.clock.set(Arc::clone(clock));
    }

    /// Counts an admission.
    #[inline]
    pub(crate) fn count(&self, entry: &Arc<Entry>) {
        if let Some(entries) = self.0.uses.count(entry, || self.0.now()) {
            self.0.entry_became_dirty(entries);
        }
    }

    /// Counts an admitted request by route.
    pub(crate) fn count_route(&self, entry: &Arc<Entry>, route: &str) {
        if let Some(entries) = self.0.uses.count_route(entry, route, self.0.routes, || self.0.now()) {
            self.0.entry_became_dirty(entries);
        }
    }

    /// Counts that an admitted request was rejected.
    pub(crate) fn count_rejection(&self, entry: &Arc<Entry>, outcome: Outcome) {
        if let Some(entries) = self.0.uses.count_rejection(entry, outcome, || self.0.now()) {
            self.0.entry_became_dirty(entries);
        }
    }
}

impl fmt::Debug for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Usage")
            .field("interval", &self.0.interval)
            .field("backlog", &self.backlog())
            .field("lost", &self.lost())
            .finish_non_exhaustive()
    }
}

//! Counts that are not written yet: uses of cache entries become batches for the store. Nothing is written here; losses are logged.

// Layer 7 of 10: usage.

use std::collections::BTreeMap;
use std::mem::take;
use std::sync::Arc;

use crate::backend::{OTHER_ROUTE, Slot, UsageBatch, UsageCount, merge};
use crate::cache::EntryUses;
use crate::trace;

/// Rows per batch, few enough to be written in time. A count whose routes are more has a batch of its own.
const BATCH_ROWS: usize = 500;

/// Counts that wait to be written, and the batch that is being written.
///
/// A batch that may have been written keeps its number and its counts until the store confirms it: with more counts, the store could not
/// recognise that it was added before.
pub(super) struct Pending {
    writer: Arc<str>,
    batches: u64,
    unconfirmed: Option<Arc<UsageBatch>>,
    counts: BTreeMap<Slot, UsageCount>,
    /// The rows of `unconfirmed` and `counts`.
    rows: usize,
    /// The rows from which on no count is added.
    capacity: usize,
    lost: u64,
    /// Whether a loss was logged since the last batch was written.
    has_logged_loss: bool,
}

impl Pending {
    pub(super) fn new(writer: Arc<str>, capacity: usize) -> Self {
        Self {
            writer,
            batches: 0,
            unconfirmed: None,
            counts: BTreeMap::new(),
            rows: 0,
            capacity,
            lost: 0,
            has_logged_loss: false,
        }
    }

    /// Adds the uses of an entry, within the capacity.
    pub(super) fn add(&mut self, used: &mut EntryUses) {
        let record = used.entry.record();
        let count = UsageCount::new(
            record.id.clone(),
            record.environment,
            record.owner.identity(),
            used.requests,
            used.since,
        );
        let mut count = count.rejected(used.limited, used.forbidden).routes(take(&mut used.routes));
        let slot = (count.key.clone(), count.day, count.environment);
        if self.rows >= self.capacity {
            let Some(waiting) = self.counts.get(&slot) else {
                self.lose(requests_of(&count), "the backlog is full until the store accepts waiting counts");
                return;
            };
            add_no_routes(waiting, &mut count);
        }
        self.rows -= self.counts.get(&slot).map_or(0, rows_of);
        merge(&mut self.counts, count);
        self.rows += self.counts.get(&slot).map_or(0, rows_of);
    }

    /// Returns the batch to write next: the failed batch, if any.
    pub(super) fn next(&mut self) -> Option<Arc<UsageBatch>> {
        if self.unconfirmed.is_none() && !self.counts.is_empty() {
            let (mut counts, mut rows) = (Vec::new(), 0);
            while let Some(count) = self.counts.first_entry() {
                rows += rows_of(count.get());
                if rows > BATCH_ROWS && !counts.is_empty() {
                    break;
                }
                counts.push(count.remove());
            }
            self.batches += 1;
            self.unconfirmed =
                Some(Arc::new(UsageBatch::new(Arc::clone(&self.writer), self.batches, counts)));
        }
        self.unconfirmed.clone()
    }

    /// Removes the batch that was written.
    pub(super) fn confirm_batch(&mut self) {
        self.take_batch();
        self.has_logged_loss = false;
    }

    /// Discards the batch, which the store will never accept.
    pub(super) fn discard_batch(&mut self) {
        if let Some(batch) = self.take_batch() {
            let requests = batch.counts().iter().map(requests_of).sum();
            self.lose(requests, "the store cannot keep them");
        }
    }

    /// Discards all waiting counts, including a batch that may have been written.
    pub(super) fn abandon(&mut self) {
        let unconfirmed = self.take_batch();
        let counts = take(&mut self.counts);
        self.rows = 0;
        let unconfirmed = unconfirmed.iter().flat_map(|batch| batch.counts());
        let requests = counts.values().chain(unconfirmed).map(requests_of).sum();
        if requests > 0 {
            // Logged in any case: this is another cause, and the last chance.
            self.has_logged_loss = false;
            self.lose(requests, "they were not written before the meter was dropped. Call `Usage::flush` when the process ends");
        }
    }

    /// Returns the number of waiting counts, those by route included.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    fn take_batch(&mut self) -> Option<Arc<UsageBatch>> {
        let batch = self.unconfirmed.take()?;
        self.rows -= batch.counts().iter().map(rows_of).sum::<usize>();
        Some(batch)
    }

    fn lose(&mut self, requests: u64, why: &'static str) {
        self.lost = self.lost.saturating_add(requests);
        if !std::mem::replace(&mut self.has_logged_loss, true) {
            trace::usage_lost(requests, why);
        }
    }
}

/// Returns the number of rows that a count becomes in a database.
fn rows_of(count: &UsageCount) -> usize {
    1 + count.routes.len()
}

/// Counts requests for routes that a waiting count does not have for [`OTHER_ROUTE`].
fn add_no_routes(waiting: &UsageCount, count: &mut UsageCount) {
    for (route, requests) in take(&mut count.routes) {
        let route = if waiting.routes.contains_key(&route) { route } else { OTHER_ROUTE.into() };
        let sum = count.routes.entry(route).or_default();
        *sum = sum.saturating_add(requests);
    }
}

/// Returns the number of requests of which a count says something: their admission, that they were rejected, or their route.
fn requests_of(count: &UsageCount) -> u64 {
    let by_route = count.routes.values().fold(0, |sum: u64, requests| sum.saturating_add(*requests));
    count.requests.max(count.limited.saturating_add(count.forbidden)).max(by_route)
}

//! What was counted and is not written yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::backend::{Slot, UsageBatch, UsageCount, merge};
use crate::cache::EntryUses;
use crate::trace;

/// Counts of one batch: a statement that adds so many is no burden for a database.
const ROWS: usize = 500;

/// Counts that wait to be written, and the batch that is being written.
///
/// A batch that may have been written stays as it was, under its number, until the store says that it has it: more counts
/// must not get into it, or the store could not tell that it was added before.
pub(super) struct Pending {
    writer: Arc<str>,
    batches: u64,
    unsent: Option<Arc<UsageBatch>>,
    counts: BTreeMap<Slot, UsageCount>,
    room: usize,
    lost: u64,
    /// Whether it was told that counts are lost, since there was room for all of them.
    has_told: bool,
}

impl Pending {
    pub(super) fn new(writer: Arc<str>, room: usize) -> Self {
        Self { writer, batches: 0, unsent: None, counts: BTreeMap::new(), room, lost: 0, has_told: false }
    }

    /// Adds what was counted in an entry, if there is room for it.
    pub(super) fn add(&mut self, used: &EntryUses) {
        let record = used.entry.record();
        let count = UsageCount::new(
            record.id.clone(),
            record.environment,
            record.owner.identity(),
            used.requests,
            used.since,
        );
        let slot = (count.key.clone(), count.day, count.environment);
        if self.len() < self.room || self.counts.contains_key(&slot) {
            merge(&mut self.counts, count);
        } else {
            self.lose(count.requests, "there is no room for more until the store takes those that wait");
        }
    }

    /// Returns the batch to write next: the one that failed, if there is one.
    pub(super) fn next(&mut self) -> Option<Arc<UsageBatch>> {
        if self.unsent.is_none() && !self.counts.is_empty() {
            let mut counts = Vec::new();
            while counts.len() < ROWS
                && let Some((_, count)) = self.counts.pop_first()
            {
                counts.push(count);
            }
            self.batches += 1;
            self.unsent = Some(Arc::new(UsageBatch::new(Arc::clone(&self.writer), self.batches, counts)));
        }
        self.unsent.clone()
    }

    /// Forgets the batch that was written.
    pub(super) fn written(&mut self) {
        self.unsent = None;
        self.has_told = false;
    }

    /// Gives up the batch that no store will ever take.
    pub(super) fn refused(&mut self) {
        if let Some(batch) = self.unsent.take() {
            let requests = batch.counts().iter().map(|count| count.requests).sum();
            self.lose(requests, "the store cannot keep them");
        }
    }

    /// Gives up all that waits. A batch that may have been written is among it.
    pub(super) fn abandon(&mut self) {
        let counts = std::mem::take(&mut self.counts);
        let unsent = self.unsent.take();
        let unsent = unsent.iter().flat_map(|batch| batch.counts());
        let requests = counts.values().chain(unsent).map(|count| count.requests).sum();
        if requests > 0 {
            // Whatever was told before: this is another cause, and the last word.
            self.has_told = false;
            self.lose(requests, "they were not written before the meter was dropped. Call `Usage::flush` when the process ends");
        }
    }

    /// Returns how many counts wait.
    pub(super) fn len(&self) -> usize {
        self.counts.len() + self.unsent.as_ref().map_or(0, |batch| batch.counts().len())
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    fn lose(&mut self, requests: u64, why: &'static str) {
        self.lost = self.lost.saturating_add(requests);
        if !std::mem::replace(&mut self.has_told, true) {
            trace::lost(requests, why);
        }
    }
}

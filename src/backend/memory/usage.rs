//! The usage of a store in memory, in `Keys`, under the lock of `MemoryStore`.

// Layer 3 of 10: storage.

use std::collections::{BTreeMap, HashMap};

use crate::backend::{KeyFilter, UsageBatch, UsageBy, UsageCount, UsageLine, UsageQuery};
use crate::clock::Day;
use crate::environment::Environment;
use crate::key::KeyId;
use crate::owner::Owner;

/// The requests, and of these the limited and the forbidden ones.
type Numbers = [u64; 3];

#[derive(Debug, Default)]
pub(super) struct Usage {
    /// In the order of the lines of a query.
    counts: BTreeMap<(Day, KeyId, Environment), (Owner, Numbers)>,
    /// The last batch of each writer.
    batches: HashMap<Box<str>, u64>,
}

impl Usage {
    /// Records a batch, and returns whether it is new.
    pub(super) fn record_batch(&mut self, batch: &UsageBatch) -> bool {
        let last = self.batches.insert(batch.writer().into(), batch.number());
        match last.filter(|last| *last >= batch.number()) {
            Some(last) => {
                self.batches.insert(batch.writer().into(), last);
                false
            }
            None => true,
        }
    }

    pub(super) fn add(&mut self, count: &UsageCount) {
        let slot = (count.day, count.key.clone(), count.environment);
        let new = || (count.owner.clone(), Numbers::default());
        add(&mut self.counts.entry(slot).or_insert_with(new).1, count.numbers());
    }

    /// Deletes the usage of the keys of an owner.
    pub(super) fn delete(&mut self, filter: &KeyFilter) {
        self.counts.retain(|(_, _, environment), (owner, _)| !filter.matches_owner(owner, *environment));
    }

    /// Deletes the usage before a day, and returns the number of its counts.
    pub(super) fn purge_before(&mut self, day: Day) -> u64 {
        let before = self.counts.len();
        self.counts.retain(|(own, ..), _| *own >= day);
        (before - self.counts.len()) as u64
    }

    pub(super) fn lines(&self, query: &UsageQuery) -> Vec<UsageLine> {
        let filter = query.filter();
        let mut lines = BTreeMap::<_, Numbers>::new();
        for ((day, key, environment), (owner, numbers)) in &self.counts {
            let is_selected = (query.from..=query.to).contains(day)
                && query.key.as_ref().is_none_or(|wanted| wanted == key)
                && filter.matches_owner(owner, *environment);
            if is_selected {
                let key = match query.by {
                    UsageBy::Key => Some(key.clone()),
                    UsageBy::Total => None,
                };
                add(lines.entry((*day, key, *environment)).or_default(), *numbers);
            }
        }
        if let Some(after) = &query.after {
            lines.retain(|place, _| *place > (after.day, after.key.clone(), after.environment));
        }
        let line = |((day, key, environment), [requests, limited, forbidden]): (_, Numbers)| {
            UsageLine::new(key, day, environment, requests).rejected(limited, forbidden)
        };
        lines.into_iter().map(line).take(query.limit).collect()
    }
}

fn add(sum: &mut Numbers, numbers: Numbers) {
    for (sum, number) in sum.iter_mut().zip(numbers) {
        *sum += number;
    }
}

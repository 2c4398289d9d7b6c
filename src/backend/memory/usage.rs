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

#[derive(Debug)]
struct Counted {
    owner: Owner,
    numbers: Numbers,
    routes: BTreeMap<Box<str>, u64>,
}

#[derive(Debug, Default)]
pub(super) struct Usage {
    /// In the order of the lines of a query.
    counts: BTreeMap<(Day, KeyId, Environment), Counted>,
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
        let new = || Counted { owner: count.owner.clone(), numbers: [0; 3], routes: BTreeMap::new() };
        let counted = self.counts.entry(slot).or_insert_with(new);
        add(&mut counted.numbers, count.numbers());
        for (route, requests) in &count.routes {
            *counted.routes.entry(route.clone()).or_default() += requests;
        }
    }

    /// Deletes the usage of the keys of an owner.
    pub(super) fn delete(&mut self, filter: &KeyFilter) {
        self.counts
            .retain(|(_, _, environment), counted| !filter.matches_owner(&counted.owner, *environment));
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
        for ((day, key, environment), Counted { owner, numbers, routes }) in &self.counts {
            let is_selected = (query.from..=query.to).contains(day)
                && query.key.as_ref().is_none_or(|wanted| wanted == key)
                && filter.matches_owner(owner, *environment);
            if !is_selected {
                continue;
            }
            let mut line = |key, route, numbers| {
                add(lines.entry((*day, key, route, *environment)).or_default(), numbers);
            };
            match query.by {
                UsageBy::Key => line(Some(key.clone()), None, *numbers),
                UsageBy::Total => line(None, None, *numbers),
                UsageBy::Route => routes
                    .iter()
                    .for_each(|(route, requests)| line(None, Some(route.clone()), [*requests, 0, 0])),
            }
        }
        if let Some(after) = &query.after {
            let after = (after.day, after.key.clone(), after.route.clone(), after.environment);
            lines.retain(|place, _| *place > after);
        }
        let line = |((day, key, route, environment), [requests, limited, forbidden]): (_, Numbers)| {
            let line = UsageLine::new(key, day, environment, requests).rejected(limited, forbidden);
            UsageLine { route, ..line }
        };
        lines.into_iter().map(line).take(query.limit).collect()
    }
}

fn add(sum: &mut Numbers, numbers: Numbers) {
    for (sum, number) in sum.iter_mut().zip(numbers) {
        *sum += number;
    }
}

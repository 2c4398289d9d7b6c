//! The order of eviction: SIEVE.
//!
//! Entries stand in the order of their insertion. A hand moves from the oldest entry to the newest, and starts again at the oldest. It passes
//! over each entry that was used since its last visit, removes the mark of that use, and evicts the first entry without one. So a use
//! moves nothing.
//!
//! Differs from the published algorithm in one case: where the hand passes over many entries in a row, the newest entry is evicted if it was
//! not used. A flood of keys that are used once thus evicts no key in use, however short the way of the hand.

// Layer 6 of 10: cache.

use std::ops::Range;

use super::Entry;
use crate::cache::sync::Arc;

/// Most entries that the hand passes over in one eviction, which happens under the lock of `Positive`.
const MAX_PASSED: usize = 16;

/// The node between the newest entry and the oldest one. It has no entry.
const ENDS: u32 = 0;

/// A ring of entries, of limited length.
pub(super) struct Sieve {
    capacity: u32,
    /// The nodes of the ring, and those of `free`.
    nodes: Vec<Node>,
    /// Nodes without an entry.
    free: Vec<u32>,
    /// The node that the hand visits next.
    hand: u32,
}

struct Node {
    entry: Option<Arc<Entry>>,
    newer: u32,
    older: u32,
}

impl Sieve {
    pub(super) fn new(capacity: u64) -> Self {
        let ends = Node { entry: None, newer: ENDS, older: ENDS };
        Self {
            capacity: u32::try_from(capacity).unwrap_or(u32::MAX),
            nodes: vec![ends],
            free: Vec::new(),
            hand: ENDS,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len() - 1 - self.free.len()
    }

    /// Adds an entry. Returns the entry that is evicted for it.
    pub(super) fn push(&mut self, entry: &Arc<Entry>) -> Option<Arc<Entry>> {
        let evicted = if self.len() < self.capacity as usize { None } else { self.evict() };
        let newest = self.node(ENDS).older;
        let node = Node { entry: Some(Arc::clone(entry)), newer: ENDS, older: newest };
        let place = self.put(node);
        entry.place.set(place);
        self.node(newest).newer = place;
        self.node(ENDS).older = place;
        evicted
    }

    /// Removes an entry of this ring.
    pub(super) fn remove(&mut self, entry: &Entry) {
        self.unlink(entry.place.get());
    }

    /// Returns the places of all entries.
    pub(super) fn places(&self) -> Range<u32> {
        ENDS + 1..self.nodes.len() as u32
    }

    /// Removes the entry at a place if it meets a condition.
    pub(super) fn remove_if(&mut self, place: u32, condition: impl Fn(&Entry) -> bool) -> Option<Arc<Entry>> {
        let meets = self.node(place).entry.as_deref().is_some_and(condition);
        if meets { self.unlink(place) } else { None }
    }

    #[cfg(all(test, shuttle))]
    pub(super) fn holds(&mut self, entry: &Arc<Entry>) -> bool {
        let place = entry.place.get();
        self.node(place).entry.as_ref().is_some_and(|held| Arc::ptr_eq(held, entry))
    }

    fn evict(&mut self) -> Option<Arc<Entry>> {
        for _ in 0..MAX_PASSED {
            let hand = self.visited();
            let node = self.node(hand);
            match &node.entry {
                Some(entry) if entry.uses.unmark() => self.hand = node.newer,
                _ => return self.unlink(hand),
            }
        }
        let newest = self.node(ENDS).older;
        let hand = self.visited();
        self.remove_if(newest, |entry| !entry.uses.is_marked()).or_else(|| self.unlink(hand))
    }

    /// Returns the node at the hand, which is that of an entry unless the ring is empty.
    fn visited(&mut self) -> u32 {
        if self.hand == ENDS {
            self.hand = self.node(ENDS).newer;
        }
        self.hand
    }

    fn put(&mut self, node: Node) -> u32 {
        if let Some(place) = self.free.pop() {
            *self.node(place) = node;
            return place;
        }
        if self.nodes.len() == self.nodes.capacity() {
            // As a vector grows by itself, but to no more than is ever used.
            let most = self.capacity as usize + 1 - self.nodes.len();
            self.nodes.reserve_exact(most.min(self.nodes.len()));
        }
        self.nodes.push(node);
        self.nodes.len() as u32 - 1
    }

    fn unlink(&mut self, place: u32) -> Option<Arc<Entry>> {
        let Node { entry, newer, older } = self.node(place);
        let entry = entry.take()?;
        let (newer, older) = (*newer, *older);
        self.node(older).newer = newer;
        self.node(newer).older = older;
        if self.hand == place {
            self.hand = newer;
        }
        self.free.push(place);
        Some(entry)
    }

    fn node(&mut self, place: u32) -> &mut Node {
        &mut self.nodes[place as usize]
    }
}

#[cfg(all(test, not(any(shuttle, weak_memory))))]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::clock::Moment;
    use crate::digest::Digest;

    /// The same policy over a plain list of numbers and marks.
    #[derive(Default)]
    struct Reference {
        entries: Vec<(u32, bool)>,
        hand: usize,
    }

    impl Reference {
        fn push(&mut self, number: u32, capacity: usize) -> Option<u32> {
            let evicted = (self.entries.len() == capacity).then(|| self.evict());
            self.entries.push((number, false));
            evicted
        }

        fn evict(&mut self) -> u32 {
            let mut evicted = None;
            for _ in 0..MAX_PASSED {
                if !std::mem::take(&mut self.entries[self.hand].1) {
                    evicted = Some(self.hand);
                    break;
                }
                self.hand = (self.hand + 1) % self.entries.len();
            }
            let newest = self.entries.len() - 1;
            let passed = if self.entries[newest].1 { self.hand } else { newest };
            let (evicted, _) = self.entries[evicted.unwrap_or(passed)];
            self.remove(evicted);
            evicted
        }

        fn remove(&mut self, number: u32) {
            let index = self.entries.iter().position(|(other, _)| *other == number).expect("an entry");
            self.entries.remove(index);
            self.hand -= usize::from(index < self.hand);
            if self.hand == self.entries.len() {
                self.hand = 0;
            }
        }
    }

    fn entry() -> Arc<Entry> {
        Entry::of_digest(Digest::from_bytes([7; 32]), Moment::NEVER)
    }

    #[test]
    fn entries_are_evicted_as_by_a_plain_list() {
        for (seed, capacity) in [1, 2, 3, 20, 40, 100].into_iter().enumerate() {
            let mut random = fastrand::Rng::with_seed(seed as u64);
            let (mut sieve, mut reference) = (Sieve::new(capacity as u64), Reference::default());
            let mut held: HashMap<u32, Arc<Entry>> = HashMap::new();
            for number in 0..20_000 {
                let chosen = |random: &mut fastrand::Rng, reference: &Reference| {
                    let entries = &reference.entries;
                    (!entries.is_empty()).then(|| random.usize(..entries.len()))
                };
                for _ in 0..random.usize(..4) {
                    if let Some(index) = chosen(&mut random, &reference) {
                        reference.entries[index].1 = true;
                        held[&reference.entries[index].0].uses.mark();
                    }
                }
                if random.u8(..4) == 0
                    && let Some(index) = chosen(&mut random, &reference)
                {
                    let removed = reference.entries[index].0;
                    reference.remove(removed);
                    sieve.remove(&held.remove(&removed).expect("an entry"));
                }
                let entry = entry();
                let evicted = sieve.push(&entry);
                let expected = reference.push(number, capacity).and_then(|evicted| held.remove(&evicted));
                held.insert(number, entry);
                assert_eq!(
                    evicted.map(|entry| Arc::as_ptr(&entry)),
                    expected.map(|entry| Arc::as_ptr(&entry))
                );
                assert_eq!(sieve.len(), reference.entries.len());
            }
            assert!(sieve.nodes.capacity() <= capacity + 1, "no more memory than the capacity needs");
        }
    }

    /// Returns a full ring of marked entries.
    fn marked_entries() -> (Sieve, Vec<Arc<Entry>>) {
        let mut sieve = Sieve::new(100);
        let entries: Vec<_> = (0..100).map(|_| entry()).collect();
        for entry in &entries {
            assert!(sieve.push(entry).is_none());
            entry.uses.mark();
        }
        (sieve, entries)
    }

    #[test]
    fn an_entry_is_evicted_even_if_all_are_marked() {
        let (mut sieve, entries) = marked_entries();
        let evicted = sieve.push(&entry()).expect("an entry");
        assert!(Arc::ptr_eq(&evicted, &entries[MAX_PASSED]));
        assert!(!entries[MAX_PASSED - 1].uses.is_marked() && entries[MAX_PASSED + 1].uses.is_marked());
    }

    #[test]
    fn the_newest_entry_is_evicted_before_a_marked_one() {
        let (mut sieve, entries) = marked_entries();
        sieve.remove(&entries[1]);
        let mut newest = entry();
        assert!(sieve.push(&newest).is_none());
        for _ in 0..5 {
            let next = entry();
            assert!(Arc::ptr_eq(&sieve.push(&next).expect("an entry"), &newest));
            newest = next;
        }
    }
}

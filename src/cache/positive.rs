//! What is remembered of keys that exist.
//!
//! A cached admission reads a concurrent map, which takes no lock and writes nothing but one counter. The bounded cache
//! beside it holds the same entries and decides which of them have to go. To be asked about every read would cost it more
//! than all the rest of an admission, so it hears of every so many.

use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;

use super::Entry;
use super::sync::{Arc, Bounded, Compute, Map, Ordering};
use crate::digest::Digest;

/// Of how many reads of an entry the eviction policy hears one.
const HEARD: u64 = 64;

/// Records by digest.
pub(super) struct Positive {
    entries: Arc<Entries>,
    policy: Bounded<Digest, Arc<Entry>>,
}

type Entries = Map<Digest, Arc<Entry>, BuildHasherDefault<AsItIs>>;

impl Positive {
    pub(super) fn new(capacity: u64, ttl: Duration) -> Self {
        let entries = Arc::new(Entries::default());
        let kept = Arc::clone(&entries);
        let policy = super::bounded(capacity, ttl)
            .eviction_listener(move |digest: Arc<Digest>, entry, _| remove_own(&kept, &digest, &entry))
            .build();
        Self { entries, policy }
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<Arc<Entry>> {
        let entries = self.entries.pin();
        let entry = entries.get(digest)?;
        if entry.reads.fetch_add(1, Ordering::Relaxed).is_multiple_of(HEARD) {
            self.policy.get(digest);
        }
        Some(Arc::clone(entry))
    }

    pub(super) fn insert(&self, digest: Digest, entry: &Arc<Entry>) {
        self.entries.pin().insert(digest, Arc::clone(entry));
        self.policy.insert(digest, Arc::clone(entry));
    }

    pub(super) fn remove(&self, digest: &Digest) {
        self.entries.pin().remove(digest);
        self.policy.invalidate(digest);
    }
}

/// Removes an entry that has to go. A newer one of the same key may have taken its place, and stays.
fn remove_own(entries: &Entries, digest: &Digest, own: &Arc<Entry>) {
    entries.pin().compute(*digest, |found| match found {
        Some((_, entry)) if Arc::ptr_eq(entry, own) => Compute::Remove,
        _ => Compute::<Arc<Entry>, ()>::Abort(()),
    });
}

/// A digest is a hash already, and none that a stranger chose: the store knows every digest in here.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

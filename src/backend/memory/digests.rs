//! The digests of keys in memory beside those of their records, and the fingerprints of the settings with which the keys were made. Both
//! are in `Keys`, under the lock of `MemoryStore`.

// Layer 3 of 10: storage.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::digest::{Digest, Fingerprint};
use crate::key::KeyId;

#[derive(Debug, Default)]
pub(super) struct Digests {
    /// Further digests of keys.
    keys: HashMap<Digest, KeyId>,
    further: HashMap<KeyId, Vec<(Digest, Fingerprint)>>,
    /// The digesters of the digests in the records, where known.
    digesters: HashMap<KeyId, Fingerprint>,
    pub(super) fingerprints: BTreeSet<Fingerprint>,
}

impl Digests {
    /// Returns the key that has this further digest.
    pub(super) fn key(&self, digest: &Digest) -> Option<&KeyId> {
        self.keys.get(digest)
    }

    /// Returns the further digests of a key.
    pub(super) fn of(&self, id: &KeyId) -> impl Iterator<Item = Digest> {
        self.further.get(id).into_iter().flatten().map(|(digest, _)| *digest)
    }

    /// Records the settings with which a key was made.
    pub(super) fn made_with(&mut self, id: &KeyId, fingerprints: &[Fingerprint]) {
        self.fingerprints.extend(fingerprints.iter().cloned());
        if let Some(digester) = fingerprints.iter().find(|fingerprint| fingerprint.is_of_digester()) {
            self.digesters.insert(id.clone(), digester.clone());
        }
    }

    pub(super) fn add(&mut self, id: &KeyId, digest: Digest, digester: Fingerprint) {
        self.keys.insert(digest, id.clone());
        // Without any, the former digester of the key has none either, and must not be contradicted.
        if self.fingerprints.iter().any(Fingerprint::is_of_digester) {
            self.fingerprints.insert(digester.clone());
        }
        self.further.entry(id.clone()).or_default().push((digest, digester));
    }

    pub(super) fn remove(&mut self, id: &KeyId) {
        self.digesters.remove(id);
        self.take_further(id);
    }

    fn take_further(&mut self, id: &KeyId) -> Vec<(Digest, Fingerprint)> {
        let further = self.further.remove(id).unwrap_or_default();
        further.iter().for_each(|(digest, _)| drop(self.keys.remove(digest)));
        further
    }

    /// Returns the digesters of which a key has a digest, where known.
    fn digesters_of(&self, id: &KeyId) -> impl Iterator<Item = &Fingerprint> {
        let further = self.further.get(id).into_iter().flatten().map(|(_, digester)| digester);
        further.chain(self.digesters.get(id))
    }

    pub(super) fn has(&self, id: &KeyId, digester: &Fingerprint) -> bool {
        self.digesters_of(id).any(|own| own == digester)
    }

    /// Returns the digest that a key keeps if those of other digesters are dropped, or `None` if none would be dropped or left.
    pub(super) fn retired(&self, id: &KeyId, first: Digest, digester: &Fingerprint) -> Option<Digest> {
        let further = self.further.get(id)?;
        let first = (self.digesters.get(id) == Some(digester)).then_some(first);
        first.or_else(|| further.iter().find(|(_, own)| own == digester).map(|(digest, _)| *digest))
    }

    /// Drops the further digests of a key, whose record has one of this digester from now on.
    pub(super) fn retire(&mut self, id: &KeyId, digester: &Fingerprint) {
        self.take_further(id);
        self.digesters.insert(id.clone(), digester.clone());
    }

    /// Drops the fingerprints of digesters of which none of these keys has a digest.
    pub(super) fn forget_digesters<'k>(&mut self, kept: &Fingerprint, keys: impl Iterator<Item = &'k KeyId>) {
        let needed: HashSet<_> = keys.flat_map(|id| self.digesters_of(id)).cloned().collect();
        self.fingerprints.retain(|own| !own.is_of_digester() || own == kept || needed.contains(own));
    }
}

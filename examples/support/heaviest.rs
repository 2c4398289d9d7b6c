//! Which owner's things give way when all together hold too many bytes.

use std::collections::HashMap;
use std::hash::Hash;

/// Returns the owner whose things hold the most bytes.
pub(crate) fn heaviest<'k, O: Eq + Hash>(things: impl Iterator<Item = (&'k O, usize)>) -> Option<&'k O> {
    let mut held = HashMap::new();
    for (owner, bytes) in things {
        *held.entry(owner).or_insert(0) += bytes;
    }
    held.into_iter().max_by_key(|(_, bytes)| *bytes).map(|(owner, _)| owner)
}

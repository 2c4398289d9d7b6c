//! Finds the largest owner, whose items are dropped when the total exceeds a limit.

use std::collections::HashMap;
use std::hash::Hash;

/// Returns the owner whose items have the most bytes.
pub(crate) fn heaviest<'k, O: Eq + Hash>(items: impl Iterator<Item = (&'k O, usize)>) -> Option<&'k O> {
    let mut held = HashMap::new();
    for (owner, bytes) in items {
        *held.entry(owner).or_insert(0) += bytes;
    }
    held.into_iter().max_by_key(|(_, bytes)| *bytes).map(|(owner, _)| owner)
}

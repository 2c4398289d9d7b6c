//! Keeps the latest items of each owner, so that no owner displaces items of another.

use std::collections::VecDeque;

/// Adds an item. If its owner has `most` items already, the oldest of these is dropped.
pub(crate) fn keep_last<T>(kept: &mut VecDeque<T>, new: T, most: usize, is_same: impl Fn(&T, &T) -> bool) {
    let own = |item: &T| is_same(item, &new);
    if kept.iter().filter(|item| own(item)).count() >= most
        && let Some(oldest) = kept.iter().position(own)
    {
        kept.remove(oldest);
    }
    kept.push_back(new);
}

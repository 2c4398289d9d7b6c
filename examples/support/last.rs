//! The last things of each owner, so that nobody pushes out what is another's.

use std::collections::VecDeque;

/// Adds a thing. Past so many that are of the same owner, the oldest of these gives way.
pub(crate) fn keep_last<T>(kept: &mut VecDeque<T>, new: T, most: usize, is_same: impl Fn(&T, &T) -> bool) {
    let own = |thing: &T| is_same(thing, &new);
    if kept.iter().filter(|thing| own(thing)).count() >= most
        && let Some(oldest) = kept.iter().position(own)
    {
        kept.remove(oldest);
    }
    kept.push_back(new);
}

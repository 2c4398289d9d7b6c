//! The keys that one batch of a mass revocation selects.

// Layer 3 of 10: storage.

use super::{Actor, KeyFilter, Subject};
use crate::clock::Timestamp;
use crate::key::KeyId;
use crate::record::Record;

/// A batch of keys: the first ones of a filter, by id, that are not revoked. The next batch starts after the
/// [last key](super::ChangeOutcome::last) of this one, so no batch reads what earlier ones have revoked.
///
/// ```
/// use tower_api_key::backend::{KeyBatch, KeyFilter};
/// use tower_api_key::Timestamp;
///
/// let acme = KeyFilter::of_organization("acme");
/// let batch = KeyBatch::first(500, acme).created_until(Timestamp::from_unix_millis(1)).after("key_1");
/// assert_eq!((batch.most, batch.after.as_deref()), (500, Some("key_1")));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyBatch {
    /// The keys to select from.
    pub filter: KeyFilter,
    /// The highest number of keys.
    pub most: usize,
    /// The id after which the batch starts.
    pub after: Option<Box<str>>,
    /// The latest creation time. A key without a creation time is older.
    pub created_until: Option<Timestamp>,
    /// Keys that stay as they are: those of the actor, which [`KeyChange::by`](super::KeyChange::by) sets.
    pub except: Vec<KeyId>,
}

impl KeyBatch {
    /// Creates the batch of the first `most` keys of a filter.
    pub fn first(most: usize, filter: KeyFilter) -> Self {
        Self { filter, most, after: None, created_until: None, except: Vec::new() }
    }

    /// Starts the batch after an id.
    #[must_use]
    pub fn after(self, id: impl Into<Box<str>>) -> Self {
        Self { after: Some(id.into()), ..self }
    }

    /// Leaves out keys that were created after a time.
    #[must_use]
    pub fn created_until(self, time: Timestamp) -> Self {
        Self { created_until: Some(time), ..self }
    }

    /// Leaves out the keys of an actor, so that it does not end itself.
    pub(super) fn leave_out(&mut self, actor: &Actor) {
        let own = actor.subjects().filter_map(|subject| match subject {
            Subject::Key(id) => Some(id.clone()),
            Subject::User(_) => None,
        });
        self.except = own.collect();
    }

    /// Returns whether the batch may hold a key. A store also limits the number of keys.
    pub fn matches(&self, record: &Record) -> bool {
        record.revoked.is_none()
            && self.filter.matches(record)
            && self.after.as_deref().is_none_or(|after| record.id.as_str() > after)
            && self.created_until.is_none_or(|end| record.created_at.is_none_or(|at| at <= end))
            && !self.except.contains(&record.id)
    }
}

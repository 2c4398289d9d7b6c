//! Where a page of the audit log ends, by what its reader is shown of the last entry: the number of the entry would tell how many changes
//! others make. The log is only read, by functions that are passed in.

// Layer 9 of 10: management.

use std::future::Future;
use std::time::Duration;

use super::{ManageError, ManageErrorKind};
use crate::backend::{AuditEntry, AuditQuery, LoggedAction};
use crate::clock::Timestamp;
use crate::key::KeyId;

/// The last entry of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuditCursor {
    at: Timestamp,
    action: LoggedAction,
    key: KeyId,
    /// The number of entries about the same action on the same key at the same time that come before it.
    before: usize,
}

impl AuditCursor {
    /// Returns the cursor of an entry, given a function that reads the log as the page does, with the newest entry first.
    pub(crate) async fn of<R>(
        entry: &AuditEntry,
        read: impl FnOnce(AuditQuery) -> R,
    ) -> Result<Option<Self>, ManageError>
    where
        R: Future<Output = Result<Vec<AuditEntry>, ManageError>>,
    {
        let (action, key) = (entry.event.action.label().parse(), entry.event.key.clone());
        // The log of a store has both.
        let (Ok(action), Some(key)) = (action, key) else { return Ok(None) };
        let cursor = Self { at: entry.event.at, action, key, before: 0 };
        let same = read(cursor.same()).await?;
        let before = same.iter().take_while(|other| other.seq != entry.seq).count();
        Ok(Some(Self { before, ..cursor }))
    }

    /// Returns the position of the entry in the log. Old entries are deleted first, so behind a deleted one there are none.
    pub(crate) async fn position<R>(
        &self,
        read: impl FnOnce(AuditQuery) -> R,
    ) -> Result<(Timestamp, u64), ManageError>
    where
        R: Future<Output = Result<Vec<AuditEntry>, ManageError>>,
    {
        let same = match read(self.same()).await {
            // A forged cursor may name the key of another owner.
            Err(error) if error.kind() == ManageErrorKind::NotFound => Vec::new(),
            same => same?,
        };
        let entry = same.get(self.before).or(same.last());
        Ok(entry.map_or((self.at, 0), AuditEntry::position))
    }

    /// Selects the entries about the same action on the same key at the same time.
    fn same(&self) -> AuditQuery {
        let end = self.at.saturating_add(Duration::from_millis(1));
        AuditQuery::all().of_key(self.key.clone()).action(self.action).from(self.at).to(end)
    }

    /// Returns it as a text. Spaces separate its parts, which contain none.
    pub(super) fn to_text(&self) -> String {
        let Self { at, action, key, before } = self;
        format!("{} {} {key} {before}", at.unix_millis(), action.label())
    }

    pub(super) fn from_text(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let mut part = || parts.next();
        let at = Timestamp::from_unix_millis(part()?.parse().ok()?);
        let (action, key) = (part()?.parse().ok()?, KeyId::new(part()?).ok()?);
        let before = part()?.parse().ok()?;
        part().is_none().then_some(Self { at, action, key, before })
    }
}

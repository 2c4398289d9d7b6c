//! Checks that an owner keeps a key that can manage its keys.

// Layer 3 of 10: storage.

use super::filter::restrict_keys;
use super::read::decode;
use crate::backend::sql::session::{Row, Session};
use crate::backend::sql::statement::Statement;
use crate::backend::{AuthorizedActor, BackendError, KeyChange};
use crate::record::Record;

/// Keys that are read at once, and how often. Locks are held meanwhile, so an owner with many keys must not keep others waiting.
const PAGE: usize = 250;
const MAX_PAGES: usize = 8;

/// Checks that an owner keeps a manager. The owner is locked until the transaction ends, so no other such change is in progress.
pub(super) async fn check_managers(
    session: &mut dyn Session,
    change: &KeyChange,
    authorized: Option<&AuthorizedActor>,
    before: &Record,
    after: &Record,
) -> Result<(), BackendError> {
    let Some(other) = change.required_manager(authorized, before, after) else { return Ok(()) };
    let mut start = String::new();
    for _ in 0..MAX_PAGES {
        let page = Statement::new(session.dialect().lookups.keys).push(" WHERE id > ").push_bind(&*start);
        let page = restrict_keys(page.push(" AND rotated_to IS NULL"), other.filter());
        let page = page.push(" ORDER BY id LIMIT ").push_bind(PAGE);
        // No caller is admitted by a key that cannot be decoded.
        let key = |row: &Row| Ok((row.get::<String>("id")?, decode(row).ok()));
        let keys = session.fetch(&page, key).await?;
        if keys.iter().any(|(_, key)| key.as_ref().is_some_and(|key| other.matches(key))) {
            return Ok(());
        }
        match keys.into_iter().next_back() {
            Some((last, _)) => start = last,
            None => break,
        }
    }
    Err(BackendError::last_manager())
}

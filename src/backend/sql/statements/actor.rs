//! Judging who makes a change, in the transaction of the change.

use super::dialect::DatabaseTransaction;
use super::owners::user;
use super::read::by_id;
use crate::backend::{Actor, BackendError, Found, Standing, Subject};

/// Judges an actor, which stays as it is until the transaction ends: its key is locked, and changes of owners are held off.
pub(super) async fn judge(
    transaction: &mut DatabaseTransaction<'_>,
    actor: &Actor,
) -> Result<Option<Standing>, BackendError> {
    let found = match actor.subject() {
        None => Found::Nothing,
        Some(Subject::Key(id)) => by_id(&mut **transaction, id).await?.map_or(Found::Nothing, Found::Key),
        Some(Subject::Person(email)) => user(transaction, email).await?.map_or(Found::Nothing, Found::Person),
    };
    actor.judge(found)
}

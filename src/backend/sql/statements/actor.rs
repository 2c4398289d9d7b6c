//! Judging who makes a change, in the transaction of the change.

use super::dialect::DatabaseTransaction;
use super::owners::user;
use super::read::by_id;
use crate::backend::{Actor, BackendError, ResolvedSubject, AuthorizedActor, Subject};

/// Judges an actor, which stays as it is until the transaction ends: its key is locked, and changes of owners are held off.
pub(super) async fn authorize(
    transaction: &mut DatabaseTransaction<'_>,
    actor: &Actor,
) -> Result<Option<AuthorizedActor>, BackendError> {
    let found = match actor.subject() {
        None => ResolvedSubject::Missing,
        Some(Subject::Key(id)) => by_id(&mut **transaction, id).await?.map_or(ResolvedSubject::Missing, ResolvedSubject::Key),
        Some(Subject::Person(email)) => user(transaction, email).await?.map_or(ResolvedSubject::Missing, ResolvedSubject::Person),
    };
    actor.authorize(found)
}

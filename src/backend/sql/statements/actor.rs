//! Authorizes the actor of a change, in the transaction of the change.

use super::dialect::DatabaseTransaction;
use super::owners::user;
use super::read::by_id;
use crate::backend::{Actor, AuthorizedActor, BackendError, ResolvedSubject, Subject};

/// Authorizes an actor. Its state is locked until the transaction ends: the key by its lock, and owners by theirs.
pub(super) async fn authorize(
    transaction: &mut DatabaseTransaction<'_>,
    actor: &Actor,
) -> Result<Option<AuthorizedActor>, BackendError> {
    let found = match actor.subject() {
        None => ResolvedSubject::Missing,
        Some(Subject::Key(id)) => {
            by_id(&mut **transaction, id).await?.map_or(ResolvedSubject::Missing, ResolvedSubject::Key)
        }
        Some(Subject::User(email)) => {
            user(transaction, email).await?.map_or(ResolvedSubject::Missing, ResolvedSubject::User)
        }
    };
    actor.authorize(found)
}

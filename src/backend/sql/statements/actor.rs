//! Authorizes the actor of a change, in the transaction of the change.

// Layer 3 of 10: storage.

use super::{owners, read};
use crate::backend::sql::session::Session;
use crate::backend::{Actor, AuthorizedActor, BackendError, ResolvedSubject, Subject};

/// Authorizes an actor. The caller has locked the actor's key and its owners until the transaction ends, unless it rejects the change in
/// any case.
pub(super) async fn authorize(
    session: &mut dyn Session,
    actor: &Actor,
) -> Result<Option<AuthorizedActor>, BackendError> {
    let found = match actor.subject() {
        None => ResolvedSubject::Missing,
        Some(Subject::Key(id)) => {
            read::fetch(session, id).await?.map_or(ResolvedSubject::Missing, ResolvedSubject::Key)
        }
        Some(Subject::User(email)) => {
            owners::user(session, email).await?.map_or(ResolvedSubject::Missing, ResolvedSubject::User)
        }
    };
    actor.authorize(found)
}

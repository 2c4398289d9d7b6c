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
    let mut found = Vec::new();
    for subject in actor.subjects() {
        let subject = match subject {
            Subject::Key(id) => read::fetch(session, id).await?.map(ResolvedSubject::Key),
            Subject::User(email) => owners::user(session, email).await?.map(ResolvedSubject::User),
        };
        found.push(subject.unwrap_or(ResolvedSubject::Missing));
    }
    actor.authorize(found)
}

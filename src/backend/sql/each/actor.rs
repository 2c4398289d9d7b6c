//! Judging who makes a change, in the transaction of the change.

use super::dialect::{DatabaseTransaction, SHARE_OWNER};
use super::owners::user;
use super::read::{by_id, by_id_to_share};
use super::write::refused;
use crate::backend::filter::OwnerIds;
use crate::backend::{Actor, BackendError, Change, Found, Standing, Subject};
use crate::key::KeyId;
use crate::owner::Owner;
use crate::record::Record;

/// Judges an actor before its change is made: a change that may not be made should take no locks, and what a new key takes from its
/// maker has to be known.
pub(super) async fn judge(
    transaction: &mut DatabaseTransaction<'_>,
    actor: &Actor,
) -> Result<Option<Standing>, BackendError> {
    let found = match actor.subject() {
        None => Found::Nothing,
        Some(Subject::Key(id)) => by_id(&mut **transaction, id).await?.map_or(Found::Nothing, Found::Key),
        Some(Subject::Person(email)) => find_person(transaction, email).await?,
    };
    actor.judge(found)
}

/// How the facts about the owner of an actor's key are kept from changing until the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnerFacts {
    /// The change holds off all changes of owners, and has done so since the actor was judged first.
    Held,
    /// Nothing keeps them yet.
    Free,
}

/// Judges an actor once more when its change was made, and keeps it as it is until the commit: no later change of the actor comes
/// before that. These are the last statements before the commit, so that a revocation of the actor waits for hardly more than that.
///
/// What the change itself does to its actor does not count. `before` is the key of the actor as it was, where it is locked already.
pub(super) async fn confirm(
    transaction: &mut DatabaseTransaction<'_>,
    actor: &Actor,
    first: Option<&Standing>,
    before: Option<Record>,
    own: &[Change],
    facts: OwnerFacts,
) -> Result<Option<Standing>, BackendError> {
    let (Some(subject), Some(first)) = (actor.subject(), first) else { return Ok(None) };
    if facts == OwnerFacts::Free {
        share_owner(transaction, &first.record().owner).await?;
    }
    let found = match subject {
        Subject::Person(_) if facts == OwnerFacts::Held => return Ok(Some(first.clone())),
        Subject::Person(email) => find_person(transaction, email).await?,
        Subject::Key(id) => {
            let key = match before {
                Some(before) => Some(before),
                None => by_id_to_share(transaction, id).await?,
            };
            key.map_or(Found::Nothing, |key| Found::Key(without_own_changes(key, first, own, facts)))
        }
    };
    actor.judge(found)
}

fn without_own_changes(key: Record, first: &Standing, own: &[Change], facts: OwnerFacts) -> Record {
    let mut before = key;
    if facts == OwnerFacts::Held {
        before.owner = first.record().owner.clone();
    }
    if own.contains(&Change::Revoked(before.digest)) {
        before.revoked = None;
    }
    before
}

/// Keeps what is known of an owner as it is until the transaction ends.
pub(super) async fn share_owner(
    transaction: &mut DatabaseTransaction<'_>,
    owner: &Owner,
) -> Result<(), BackendError> {
    let OwnerIds { organization, user, .. } = OwnerIds::of(owner);
    for statement in SHARE_OWNER {
        let shared = sqlx::query(*statement).bind(organization).bind(user).execute(&mut **transaction).await;
        shared.map_err(refused)?;
    }
    Ok(())
}

async fn find_person(transaction: &mut DatabaseTransaction<'_>, email: &str) -> Result<Found, BackendError> {
    Ok(user(&mut **transaction, email).await?.map_or(Found::Nothing, Found::Person))
}

/// Returns whether an actor is the key with this id.
pub(super) fn is_key(actor: &Actor, id: &KeyId) -> bool {
    actor.subject() == Some(Subject::Key(id))
}

//! Changes of keys and owners. Each change is one transaction, which also writes the change feed.

use std::time::Duration;

use sqlx::{Connection, QueryBuilder};

use super::actor::authorize;
use super::connections::Connections;
use super::dialect::{
    AFTER_CHANGES, BEGIN_CHANGE, BEGIN_MASS_CHANGE, Database, DatabaseConnection, DatabaseTransaction,
    LOCK_OWNERS_EXCLUSIVE, LOCK_OWNERS_SHARED, Namespace, is_lock_conflict,
};
use super::errors::database_error;
use super::keys::{apply, key_locks, record_first_use};
use super::locks::KeyLocks;
use super::pooled_connection::{ADMIN_QUERY_TIMEOUT, MASS_CHANGE_TIMEOUT, run, run_on, with_timeout};
use super::pools::Pools;
use super::written::Written;
use super::{ROWS_PER_STATEMENT, owner_changes};
use crate::backend::sql::encode_change;
use crate::backend::{
    BackendError, Invalidation, KeyAction, KeyChange, OwnerAction, OwnerChange, PendingInvalidation,
};
use crate::clock::Timestamp;
use crate::key::KeyId;

/// A change that is made in one transaction.
#[derive(Clone)]
#[allow(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub(super) enum Write {
    /// With the id after which the batch starts, if the change is made in batches.
    Keys(Box<KeyChange>, String),
    FirstUse(KeyId, Timestamp),
    Owner(Box<OwnerChange>),
}

impl Write {
    /// Returns the statements that lock owners: so that new keys and changes of their owner are not concurrent, changes of few
    /// and of many keys do not deadlock, and the owner of an actor stays as it is.
    fn locks(&self) -> &'static [&'static str] {
        match self {
            Self::FirstUse(..) => LOCK_OWNERS_SHARED,
            Self::Keys(change, _) => match change.action {
                _ if is_system_revocation(change) => &[],
                KeyAction::Insert(_)
                | KeyAction::Update(..)
                | KeyAction::Rotate(..)
                | KeyAction::Revoke(..) => LOCK_OWNERS_SHARED,
                _ => LOCK_OWNERS_EXCLUSIVE,
            },
            Self::Owner(..) => LOCK_OWNERS_EXCLUSIVE,
        }
    }

    /// Returns the connections for the change. A revocation by the application waits for no work of other callers.
    pub(super) fn connections<'c>(&self, connections: &'c Pools) -> &'c Connections {
        match self {
            Self::FirstUse(..) => &connections.background,
            Self::Keys(change, _) if is_system_revocation(change) => &connections.revocations,
            Self::Keys(..) => &connections.writes,
            Self::Owner(change) => match &change.action {
                OwnerAction::Rehash(..) => &connections.background,
                OwnerAction::DeleteOrganization(..)
                | OwnerAction::DeleteUser(..)
                | OwnerAction::DeleteMembership(..)
                | OwnerAction::DeleteProject(..) => &connections.closures,
                OwnerAction::PutOrganization(organization) if organization.disabled => &connections.closures,
                _ => &connections.writes,
            },
        }
    }

    fn is_mass_change(&self) -> bool {
        match self {
            Self::FirstUse(..) => false,
            Self::Keys(change, _) => {
                matches!(change.action, KeyAction::RevokeAll(..) | KeyAction::InsertExclusive(..))
            }
            Self::Owner(change) => !matches!(
                change.action,
                OwnerAction::PutUser(..)
                    | OwnerAction::SetPassword(..)
                    | OwnerAction::Rehash(..)
                    | OwnerAction::PutMembership(..)
                    | OwnerAction::PutProject(..)
            ),
        }
    }

    fn timeout(&self) -> Duration {
        if self.is_mass_change() { MASS_CHANGE_TIMEOUT } else { ADMIN_QUERY_TIMEOUT }
    }

    fn begin(&self) -> &'static str {
        if self.is_mass_change() { BEGIN_MASS_CHANGE } else { BEGIN_CHANGE }
    }
}

/// Returns whether the application itself revokes one key. That depends on nothing else, and waits for as little as possible.
fn is_system_revocation(change: &KeyChange) -> bool {
    matches!(change.action, KeyAction::Revoke(..)) && change.actor.subject().is_none()
}

/// Makes a change, and invalidates it.
pub(super) async fn write(
    connections: Connections,
    namespace: Namespace,
    write: Write,
    mut pending: PendingInvalidation,
) -> Result<Written, BackendError> {
    let pending = &mut pending;
    match try_write(&connections, &namespace, write.clone(), pending).await {
        // Nothing was changed. The other transaction has ended, so one retry decides.
        Err(error) if hit_lock_conflict(&error) => try_write(&connections, &namespace, write, pending).await,
        outcome => outcome,
    }
}

async fn try_write(
    connections: &Connections,
    namespace: &Namespace,
    write: Write,
    pending: &mut PendingInvalidation,
) -> Result<Written, BackendError> {
    let limit = write.timeout();
    let writing = run!(connections, |connection| write_on(connection, namespace, write.clone(), pending));
    with_timeout(limit, writing).await
}

fn hit_lock_conflict(error: &BackendError) -> bool {
    database_error(error).is_some_and(is_lock_conflict)
}

async fn write_on(
    connection: &mut DatabaseConnection,
    namespace: &Namespace,
    write: Write,
    pending: &mut PendingInvalidation,
) -> Result<Written, BackendError> {
    let begun = connection.begin_with(namespace.begin(write.begin())).await;
    let mut transaction = begun.map_err(BackendError::unavailable)?;
    for statement in write.locks() {
        sqlx::query(*statement).execute(&mut *transaction).await.map_err(BackendError::unavailable)?;
    }
    let written = match write {
        Write::Keys(change, after) => {
            let mut change = *change;
            key_locks(&mut transaction, &change).await?.acquire(&mut transaction).await?;
            let authorized = authorize(&mut transaction, &change.actor).await?;
            change.complete(authorized.as_ref());
            let written = apply(&mut transaction, &change, authorized.as_ref(), &after).await?;
            append_changes(&mut transaction, &written.changes[..written.new]).await?;
            change.actor.check_time(authorized.as_ref())?;
            written
        }
        Write::FirstUse(id, at) => {
            let written = record_first_use(&mut transaction, &id, at).await?;
            append_changes(&mut transaction, &written.changes[..written.new]).await?;
            written
        }
        Write::Owner(change) => {
            let OwnerChange { actor, action } = *change;
            KeyLocks::of(&actor).acquire(&mut transaction).await?;
            let authorized = authorize(&mut transaction, &actor).await?;
            let written = owner_changes::change(&mut transaction, action).await?;
            append_changes(&mut transaction, &written.changes[..written.new]).await?;
            actor.check_time(authorized.as_ref())?;
            written
        }
    };
    // From here on the commit may succeed even if it returns an error.
    pending.set_all(written.changes.iter().map(|change| unconfirmed(*change)));
    transaction.commit().await.map_err(BackendError::unavailable)?;
    pending.set_all(written.changes.iter().copied());
    Ok(written)
}

/// Returns the invalidation of a change that may not have been committed: a key that is not revoked must get no tombstone.
fn unconfirmed(change: Invalidation) -> Invalidation {
    match change {
        Invalidation::Revoked(digest) => Invalidation::Changed(digest),
        other => other,
    }
}

/// Writes the rows of the change feed.
async fn append_changes(
    transaction: &mut DatabaseTransaction<'_>,
    changes: &[Invalidation],
) -> Result<(), BackendError> {
    for changes in changes.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Database>::new("INSERT INTO tower_api_key_change (digest, kind) ");
        query.push_values(changes, |mut row, change| {
            let (digest, kind) = encode_change(change);
            row.push_bind(digest).push_bind(kind);
        });
        query.build().execute(&mut **transaction).await.map_err(BackendError::unavailable)?;
    }
    if !changes.is_empty() {
        for statement in AFTER_CHANGES {
            sqlx::query(*statement).execute(&mut **transaction).await.map_err(BackendError::unavailable)?;
        }
    }
    Ok(())
}

//! Changes of keys, owners and plans. Each change is one transaction, which also writes the change feed. This file takes a connection, begins the
//! transaction and ends it, and so does `usage` for its batches; the other files of the folder only run statements in it. Owners are locked
//! here, before anything else.

// Layer 3 of 10: storage.

use std::time::Duration;

use super::actor::authorize;
use super::digests::{NewDigest, of_all_digests};
use super::keys::{apply, key_locks, record_first_use};
use super::locks::KeyLocks;
use super::plans::{self, PlanChange};
use super::written::Written;
use super::{ROWS_PER_STATEMENT, digests, owner_changes};
use crate::backend::sql::change_codec::encode_change;
use crate::backend::sql::connections::Connections;
use crate::backend::sql::dialect::Dialect;
use crate::backend::sql::namespace::Namespace;
use crate::backend::sql::pooled_connection::{ADMIN_QUERY_TIMEOUT, MASS_CHANGE_TIMEOUT, run, with_timeout};
use crate::backend::sql::pools::Pools;
use crate::backend::sql::session::{Driver, Session, begin, is_caused_by};
use crate::backend::sql::statement::Statement;
use crate::backend::{
    BackendError, Invalidation, KeyAction, KeyChange, OwnerAction, OwnerChange, PendingInvalidation,
};
use crate::clock::Timestamp;
use crate::key::KeyId;

/// A change that is made in one transaction.
#[derive(Clone)]
#[allow(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub(crate) enum Write {
    /// With the id after which the batch starts, if the change is made in batches.
    Keys(Box<KeyChange>, String),
    FirstUse(KeyId, Timestamp),
    Digest(Box<NewDigest>),
    Owner(Box<OwnerChange>),
    Plan(PlanChange),
}

impl Write {
    /// Returns the statement that locks owners: so that new keys and changes of their owner are not concurrent, changes of few
    /// and of many keys do not deadlock, and the owner of an actor stays as it is.
    fn lock(&self, dialect: &Dialect) -> Option<&'static str> {
        match self {
            Self::FirstUse(..) | Self::Digest(..) => dialect.lock_owners_shared,
            Self::Keys(change, _) => match change.action {
                _ if is_system_revocation(change) => None,
                KeyAction::Insert(_)
                | KeyAction::EndSessions(..)
                | KeyAction::PurgeSessions(..)
                | KeyAction::Update(..)
                | KeyAction::Rotate(..)
                | KeyAction::Disable(..)
                | KeyAction::Enable(..)
                | KeyAction::Revoke(..) => dialect.lock_owners_shared,
                _ => dialect.lock_owners_exclusive,
            },
            // No key and no owner gets a plan while it is deleted.
            Self::Owner(..) | Self::Plan(PlanChange::Delete(_)) => dialect.lock_owners_exclusive,
            // It invalidates everything, so each key that is added meanwhile as well.
            Self::Plan(PlanChange::Put(_)) => None,
        }
    }

    /// Returns the connections for the change. A revocation by the application waits for no work of other callers.
    pub(crate) fn connections<'c, D: Driver>(&self, connections: &'c Pools<D>) -> &'c Connections<D> {
        match self {
            Self::FirstUse(..) | Self::Digest(..) => &connections.background,
            // Visitors sign out as often as they like.
            Self::Keys(change, _) if is_system_revocation(change) && !change.is_of_session() => {
                &connections.revocations
            }
            Self::Keys(..) | Self::Plan(..) => &connections.writes,
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
            Self::FirstUse(..) | Self::Digest(..) | Self::Plan(_) => false,
            Self::Keys(change, _) => {
                matches!(
                    change.action,
                    KeyAction::RevokeAll(..)
                        | KeyAction::RevokeBatch(..)
                        | KeyAction::InsertExclusive(..)
                        | KeyAction::RetireDigests(..)
                )
            }
            Self::Owner(change) => !matches!(
                change.action,
                OwnerAction::PutUser(..)
                    | OwnerAction::SetPassword(..)
                    | OwnerAction::Rehash(..)
                    | OwnerAction::SetUserPlan(..)
                    | OwnerAction::PutMembership(..)
                    | OwnerAction::PutProject(..)
            ),
        }
    }

    fn timeout(&self) -> Duration {
        if self.is_mass_change() { MASS_CHANGE_TIMEOUT } else { ADMIN_QUERY_TIMEOUT }
    }

    fn begin(&self, dialect: &Dialect) -> &'static str {
        if self.is_mass_change() { dialect.begin_mass_change } else { dialect.begin_change }
    }
}

/// Returns whether the application itself revokes one key, not for a caller that another login has authenticated. That depends on nothing
/// else, and waits for as little as possible.
fn is_system_revocation(change: &KeyChange) -> bool {
    matches!(change.action, KeyAction::Revoke(..)) && !change.actor.is_in_store() && !change.has_bounds()
}

/// Makes a change, and invalidates it.
pub(crate) async fn write<D: Driver>(
    connections: Connections<D>,
    namespace: Namespace,
    write: Write,
    mut pending: PendingInvalidation,
) -> Result<Written, BackendError> {
    let pending = &mut pending;
    match try_write(&connections, &namespace, write.clone(), pending).await {
        // Nothing was changed. The other transaction has ended, so one retry decides.
        Err(error) if is_caused_by(&error, D::DIALECT.lock_conflicts) => {
            try_write(&connections, &namespace, write, pending).await
        }
        outcome => outcome,
    }
}

async fn try_write<D: Driver>(
    connections: &Connections<D>,
    namespace: &Namespace,
    write: Write,
    pending: &mut PendingInvalidation,
) -> Result<Written, BackendError> {
    let limit = write.timeout();
    let writing = async {
        let mut connection = connections.acquire().await?;
        run!(connection, write_on::<D>(&mut connection, namespace, write.clone(), pending))
    };
    with_timeout(limit, writing).await
}

async fn write_on<D: Driver>(
    connection: &mut D::Connection,
    namespace: &Namespace,
    write: Write,
    pending: &mut PendingInvalidation,
) -> Result<Written, BackendError> {
    let mut transaction = begin::<D>(connection, namespace.begin(write.begin(D::DIALECT))).await?;
    let session: &mut dyn Session = &mut *transaction;
    if let Some(lock) = write.lock(D::DIALECT) {
        session.execute(&Statement::new(lock)).await?;
    }
    let written = match write {
        Write::Keys(change, after) => {
            let mut change = *change;
            key_locks(session, &change).await?.acquire(session).await?;
            let authorized = authorize(session, &change.actor).await?;
            change.inherit_from_creator(authorized.as_ref());
            let written = apply(session, &change, authorized.as_ref(), &after).await?;
            let written = append_changes(session, written).await?;
            change.actor.check_time(authorized.as_ref())?;
            written
        }
        Write::FirstUse(id, at) => {
            let written = record_first_use(session, &id, at).await?;
            append_changes(session, written).await?
        }
        Write::Digest(new) => {
            let written = digests::add(session, &new).await?;
            append_changes(session, written).await?
        }
        Write::Plan(change) => {
            let written = plans::change(session, change).await?;
            append_changes(session, written).await?
        }
        Write::Owner(change) => {
            let OwnerChange { actor, action } = *change;
            KeyLocks::of(&actor).acquire(session).await?;
            let authorized = authorize(session, &actor).await?;
            let written = owner_changes::change(session, action).await?;
            let written = append_changes(session, written).await?;
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

/// Writes the rows of the change feed: one for each digest of a changed key.
async fn append_changes(session: &mut dyn Session, written: Written) -> Result<Written, BackendError> {
    let Written { mut changes, new, .. } = written;
    let earlier = of_all_digests(session, changes.split_off(new)).await?;
    let new = Written::several(of_all_digests(session, changes).await?);
    let changes = &new.changes;
    for changes in changes.chunks(ROWS_PER_STATEMENT) {
        let append = Statement::new("INSERT INTO tower_api_key_change (digest, kind) ");
        session.execute(&append.push_rows(changes.iter().map(encode_change))).await?;
    }
    if !changes.is_empty() {
        for statement in session.dialect().after_changes {
            session.execute(&Statement::new(*statement)).await?;
        }
    }
    Ok(Written { changes: [new.changes, earlier].concat(), new: new.new, ..written })
}

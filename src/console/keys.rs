//! The keys that a visitor manages: those of its owner by a delegate, or all of them by the manager.

// Layer 10 of 10: rim.

use crate::backend::{
    Actor, AuditEntry, AuditLog, AuditQuery, KeyFilter, KeyStore, KeyUpdate, SearchPosition, Subject,
    UsageLine, UsageQuery, UsageStore,
};
use crate::key::KeyId;
use crate::manage::{CreatedKey, Delegate, KeyManager, ManageError, NewKey, RotateOptions};
use crate::record::Record;
use crate::scope::Scope;

use super::signed_in::Role;

#[allow(clippy::large_enum_variant, reason = "one per request")]
pub(super) enum Keys<'m, S> {
    OfOwner(Delegate<'m, S>),
    All(KeyManager<S>, Actor),
}

/// Calls a method that a delegate and a manager have.
macro_rules! by {
    ($keys:expr, $by:ident => $call:expr) => {
        match $keys {
            Self::OfOwner($by) => $call,
            Self::All($by, _) => $call,
        }
    };
}

impl<'m, S: KeyStore + Clone> Keys<'m, S> {
    pub(super) fn new(manager: &'m KeyManager<S>, role: &Role) -> Self {
        match role {
            Role::Customer(caller) => Self::OfOwner(manager.on_behalf_of_external(caller.clone())),
            Role::Operator(actor) => Self::All(manager.clone().acting_for(actor.clone()), actor.clone()),
        }
    }

    /// Returns the manager of an operator. A customer has none.
    pub(super) fn into_manager(self) -> Result<KeyManager<S>, ManageError> {
        match self {
            Self::OfOwner(_) => Err(ManageError::not_found()),
            Self::All(manager, _) => Ok(manager),
        }
    }

    pub(super) fn can_grant(&self, scope: &Scope) -> bool {
        match self {
            Self::OfOwner(delegate) => delegate.can_grant(scope),
            Self::All(..) => true,
        }
    }

    pub(super) async fn get(&self, id: &KeyId) -> Result<Record, ManageError> {
        by!(self, keys => keys.get(id).await)
    }

    pub(super) async fn list(
        &self,
        filter: KeyFilter,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<Record>, ManageError> {
        match self {
            Self::OfOwner(delegate) => delegate.list(filter, after, limit).await,
            Self::All(manager, _) => manager.list(&filter, after, limit).await,
        }
    }

    /// Returns keys in the order of their hints or names.
    pub(super) async fn search(
        &self,
        filter: KeyFilter,
        after: Option<&SearchPosition>,
        limit: usize,
    ) -> Result<Vec<Record>, ManageError> {
        match self {
            Self::OfOwner(delegate) => delegate.search(filter, after, limit).await,
            Self::All(manager, _) => manager.search(&filter, after, limit).await,
        }
    }

    pub(super) async fn create(&self, new: NewKey) -> Result<CreatedKey, ManageError> {
        by!(self, keys => keys.create(new).await)
    }

    pub(super) async fn update(&self, id: &KeyId, update: KeyUpdate) -> Result<Record, ManageError> {
        if update.scopes.is_some() || update.expires_at.is_some() {
            self.check_not_own(id)?;
        }
        by!(self, keys => keys.update(id, update).await)
    }

    pub(super) async fn rotate(
        &self,
        old: Record,
        options: RotateOptions,
    ) -> Result<CreatedKey, ManageError> {
        by!(self, keys => keys.rotate_as_read(old, options).await)
    }

    pub(super) async fn disable(&self, id: &KeyId, reason: &str) -> Result<Record, ManageError> {
        self.check_not_own(id)?;
        by!(self, keys => keys.disable(id, reason).await)
    }

    pub(super) async fn enable(&self, id: &KeyId) -> Result<Record, ManageError> {
        by!(self, keys => keys.enable(id).await)
    }

    pub(super) async fn revoke(&self, id: &KeyId, reason: &str) -> Result<(), ManageError> {
        self.check_not_own(id)?;
        by!(self, keys => keys.revoke(id, reason).await)
    }

    /// Checks that an operator does not end the key that it has signed in with: it may be the last one. A customer is checked by the rule
    /// of the last manager.
    fn check_not_own(&self, id: &KeyId) -> Result<(), ManageError> {
        match self {
            Self::All(_, actor) if actor.subjects().any(|own| own == Subject::Key(id)) => {
                let message = "you have signed in with it: to end it, sign in with another one";
                Err(ManageError::forbidden("own_key", message))
            }
            _ => Ok(()),
        }
    }
}

impl<S: KeyStore + UsageStore> Keys<'_, S> {
    pub(super) async fn usage(&self, query: UsageQuery) -> Result<Vec<UsageLine>, ManageError> {
        match self {
            Self::OfOwner(delegate) => delegate.query_usage(query).await,
            Self::All(manager, _) => manager.query_usage(&query).await,
        }
    }
}

impl<S: KeyStore + AuditLog> Keys<'_, S> {
    pub(super) async fn audit(&self, query: AuditQuery) -> Result<Vec<AuditEntry>, ManageError> {
        match self {
            Self::OfOwner(delegate) => delegate.query_audit(query).await,
            Self::All(manager, _) => manager.query_audit(&query).await,
        }
    }
}

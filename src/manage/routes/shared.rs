//! The manager and the settings that the routes share, and the check of a caller.

// Layer 9 of 10: management.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{self, Response};

use super::super::{Delegate, KeyManager};
use super::caller::Caller;
use super::error::RouteError;
use super::settings::ManageSettings;
use crate::backend::{Actor, KeyStore};
use crate::clock::Timestamp;
use crate::key::KeyId;
use crate::principal::Principal;
use crate::scope::Requirement;

/// The manager and the settings of the routes.
pub(super) struct Shared<S> {
    pub(super) manager: KeyManager<S>,
    pub(super) settings: ManageSettings,
}

/// The extractor of the shared state.
pub(super) type SharedState<S> = State<Arc<Shared<S>>>;

impl<S: Send + Sync> FromRequestParts<Arc<Shared<S>>> for Caller {
    type Rejection = Response;

    async fn from_request_parts(head: &mut Parts, shared: &Arc<Shared<S>>) -> Result<Self, Response> {
        Self::of(head, &shared.settings).await
    }
}

#[allow(clippy::result_large_err, reason = "it is the error of a handler")]
impl<S: KeyStore> Shared<S> {
    /// Returns a delegate for a caller that may read.
    pub(super) fn to_read(&self, caller: &Caller) -> response::Result<Delegate<'_, S>> {
        self.delegate(caller, &self.settings.read)
    }

    /// Returns a delegate for a caller that may write. As the body of a request may arrive long after its head, the store checks the caller
    /// again with the change. A caller that it cannot check is resolved or rechecked here.
    pub(super) async fn to_write(&self, caller: &mut Caller) -> response::Result<Delegate<'_, S>> {
        let needed = &self.settings.write;
        caller.renew(&self.settings).await?;
        Ok(self.delegate(caller, needed)?.requiring(needed.clone()))
    }

    /// Returns the caller's own key, and a delegate for what it may do to it whatever its scopes.
    pub(super) fn to_own(&self, caller: &Caller) -> Result<(Delegate<'_, S>, KeyId), RouteError> {
        match caller {
            Caller::Admitted(principal)
                if !self.settings.external_callers && matches!(principal.actor(), Actor::Key(_)) =>
            {
                Ok((self.on_behalf_of(principal), principal.key_id().clone()))
            }
            _ => Err(RouteError::new(StatusCode::NOT_FOUND, "The caller has no key of its own here")),
        }
    }

    fn delegate(&self, caller: &Caller, needed: &Requirement) -> response::Result<Delegate<'_, S>> {
        match caller {
            Caller::Admitted(principal) => {
                principal.require(needed)?;
                Ok(self.on_behalf_of(principal))
            }
            Caller::Resolved { caller, .. } => {
                let delegate = self.manager.on_behalf_of_external((**caller).clone());
                if delegate.meets(needed) {
                    return Ok(delegate);
                }
                Err(RouteError::new(StatusCode::FORBIDDEN, "Insufficient scope").into())
            }
        }
    }

    fn on_behalf_of(&self, principal: &Principal) -> Delegate<'_, S> {
        let delegate = if self.settings.external_callers {
            self.manager.on_behalf_of_external(principal)
        } else {
            self.manager.on_behalf_of(principal)
        };
        if self.settings.across_environments { delegate.across_environments() } else { delegate }
    }

    /// Has a delegate keep a manager of each owner, unless it is forced. Callers without a key in this store manage keys without any.
    pub(super) fn keeping_manager<'s>(&self, delegate: Delegate<'s, S>, force: bool) -> Delegate<'s, S> {
        if force || self.settings.external_callers || self.settings.resolver.is_some() {
            return delegate;
        }
        delegate.keeping_manager(self.settings.write.clone())
    }

    pub(super) fn now(&self) -> Timestamp {
        self.manager.now()
    }
}

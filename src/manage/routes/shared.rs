//! The state that the routes share, and the check of a caller.

use std::sync::Arc;

use axum::extract::State;

use super::super::{Delegate, KeyManager};
use super::settings::ManageSettings;
use crate::backend::KeyStore;
use crate::clock::Timestamp;
use crate::principal::Principal;
use crate::reject::Rejection;

/// The manager and the settings of the routes.
pub(super) struct Shared<S> {
    pub(super) manager: KeyManager<S>,
    pub(super) settings: ManageSettings,
}

/// The extractor of the shared state.
pub(super) type Manager<S> = State<Arc<Shared<S>>>;

impl<S: KeyStore> Shared<S> {
    /// Returns a delegate for a caller that may read.
    pub(super) fn to_read<'s>(&'s self, caller: &'s Principal) -> Result<Delegate<'s, S>, Rejection> {
        caller.require(&self.settings.read)?;
        if self.settings.external_callers {
            return Ok(self.manager.on_behalf_of_external(caller));
        }
        Ok(self.manager.on_behalf_of(caller))
    }

    /// Returns a delegate for a caller that may write. The store checks the caller again with the change, as the body of a request may arrive
    /// long after its head.
    pub(super) async fn to_write<'s>(
        &'s self,
        caller: &'s mut Principal,
    ) -> Result<Delegate<'s, S>, Rejection> {
        let needed = &self.settings.write;
        if self.settings.external_callers {
            *caller = caller.recheck().await?;
        }
        caller.require(needed)?;
        if self.settings.external_callers {
            return Ok(self.manager.on_behalf_of_external(caller));
        }
        Ok(self.manager.on_behalf_of(caller).requiring(needed.clone()))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.manager.clock.wall()
    }
}

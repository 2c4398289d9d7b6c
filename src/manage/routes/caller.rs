//! The caller of a request: that of its key, or the one that the application resolves.

// Layer 9 of 10: management.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::super::ExternalCaller;
use super::settings::ManageSettings;
use crate::principal::Principal;

pub(super) enum Caller {
    Admitted(Principal),
    Resolved { caller: Box<ExternalCaller>, head: Box<Parts> },
}

impl Caller {
    /// Returns the caller of the request with this head.
    pub(super) async fn of(head: &mut Parts, settings: &ManageSettings) -> Result<Self, Response> {
        match &settings.resolver {
            Some(resolver) => {
                let caller = Box::new(resolver.resolve(head).await?);
                Ok(Self::Resolved { caller, head: Box::new(head.clone()) })
            }
            None => {
                let admitted = Principal::from_request_parts(head, &()).await;
                admitted.map(Self::Admitted).map_err(IntoResponse::into_response)
            }
        }
    }

    /// Looks up again a caller that the store cannot check, by the same head of the request.
    pub(super) async fn renew(&mut self, settings: &ManageSettings) -> Result<(), Response> {
        match (self, &settings.resolver) {
            (Self::Resolved { caller, head }, Some(resolver)) => **caller = resolver.resolve(head).await?,
            (Self::Admitted(principal), _) if settings.external_callers => {
                *principal = principal.recheck().await.map_err(IntoResponse::into_response)?;
            }
            _ => {}
        }
        Ok(())
    }
}

//! Sessions of the console: who is signed in, where the application does not say so itself.

// Layer 10 of 10: rim.
// Above the pages of the console, which know their visitors by `signed_in`. Bottom to top, a file importing only those before it:
// `address`, `cookies`, `strip`, `state`, `handover`, `sessions`, `opening`, `resolve`, `sign_in`, `self`.

mod address;
mod cookies;
mod handover;
mod opening;
mod resolve;
mod sessions;
mod sign_in;
mod state;
mod strip;

pub use handover::{Handover, SignInUrl};
pub use sessions::Sessions;
pub use strip::{StripCookie, StripCookieLayer};

use std::sync::Arc;

use axum::http::request::Parts;
use axum::routing::get;
use axum::{Extension, Router};

use super::routes::router;
use super::shared::Shared;
use crate::backend::{AuditLog, KeyStore, UsageStore};
use crate::manage::Resolver;

impl<S: KeyStore + UsageStore + AuditLog + Clone> Sessions<S> {
    /// Returns the pages, to nest at the path of the console's address, outside the authenticating layer.
    pub fn routes(&self) -> Router {
        let sessions = Arc::new(self.clone());
        let signed_in = Arc::clone(&sessions);
        let resolver = Resolver::new(move |head: Parts| {
            let sessions = Arc::clone(&signed_in);
            async move { sessions.resolve(&head).await }
        });
        let (manager, permissions) = (self.manager.clone(), self.permissions.clone());
        let shared = Shared::new(manager, permissions, self.hint, self.look.clone(), &self.further, resolver);
        let shared = match self.is_development {
            true => shared.in_development(self.address.origin.authority()),
            false => shared,
        };
        let pages = Router::new()
            .route("/sign-in", get(sign_in::form::<S>).post(sign_in::sign_in::<S>))
            .route("/sign-out", get(sign_in::back).post(sign_in::sign_out::<S>))
            .layer(Extension(sessions));
        router(shared, pages.merge(self.further.pages.clone()))
    }
}

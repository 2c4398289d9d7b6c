//! The routes of the pages.

// Layer 10 of 10: rim.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tower_http::csrf::CsrfLayer;

use super::frame::{cross_origin, frame, home, method_not_allowed, not_found, script, style};
use super::shared::Shared;
use super::{audit, create, list, mass_revoke, one_key, revoke, rotate, usage};
use crate::backend::{AuditLog, KeyStore, UsageStore};

/// Most bytes of a form: those of 50 labels of 540 characters of four bytes, each escaped, and of the fields beside them.
const MAX_BODY: usize = 512 * 1024;

/// Returns the pages, with further ones.
pub(super) fn router<S: KeyStore + UsageStore + AuditLog + Clone>(
    shared: Shared<S>,
    further: Router<Arc<Shared<S>>>,
) -> Router {
    let shared = Arc::new(shared);
    Router::new()
        .route("/", get(home))
        .route("/keys", get(list::show::<S>))
        .route("/new", get(create::form::<S>).post(create::create::<S>))
        .route("/keys/{console_key}", get(one_key::show::<S>))
        .route("/keys/{console_key}/name", get(one_key::back::<S>).post(one_key::rename::<S>))
        .route("/keys/{console_key}/permissions", get(one_key::back::<S>).post(one_key::permit::<S>))
        .route("/keys/{console_key}/labels", get(one_key::back::<S>).post(one_key::label::<S>))
        .route("/keys/{console_key}/limits", get(one_key::back::<S>).post(one_key::limit::<S>))
        .route("/keys/{console_key}/disable", get(one_key::back::<S>).post(one_key::disable::<S>))
        .route("/keys/{console_key}/enable", get(one_key::back::<S>).post(one_key::enable::<S>))
        .route("/keys/{console_key}/rotate", get(rotate::form::<S>).post(rotate::rotate::<S>))
        .route("/keys/{console_key}/revoke", get(revoke::form::<S>).post(revoke::revoke::<S>))
        .route("/keys/{console_key}/usage", get(usage::of_key::<S>))
        .route("/keys/{console_key}/usage.csv", get(usage::csv_of_key::<S>))
        .route("/revoke-keys", get(mass_revoke::form::<S>).post(mass_revoke::revoke::<S>))
        .route("/usage", get(usage::of_all::<S>))
        .route("/usage.csv", get(usage::csv_of_all::<S>))
        .route("/audit", get(audit::show::<S>))
        .route("/style.css", get(style::<S>))
        .route("/script.js", get(script::<S>))
        .merge(further)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(CsrfLayer::new().with_rejection_response(cross_origin()))
        .layer(from_fn_with_state(Arc::clone(&shared), frame::<S>))
        .with_state(shared)
}

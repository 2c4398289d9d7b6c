//! Key management over HTTP, as an axum router.

// Layer 9 of 10: management.
// Above `delegate`; only the console imports it. Bottom to top, a file importing only those before it:
// `output`, `cursor`, `error`, `json`, `origin`, `query`, `resolver`, `settings`, `openapi`, `caller`, `shared`, `input`, `one_key`, `own`, `audit`, `usage`, `self`.

mod audit;
mod caller;
mod cursor;
mod error;
mod input;
mod json;
mod one_key;
mod openapi;
mod origin;
mod output;
mod own;
mod query;
mod resolver;
mod settings;
mod shared;
mod usage;

#[cfg(feature = "console")]
pub(crate) use cursor::{decode_entry, decode_position, encode_entry, encode_position};
pub use error::RouteError;
pub use openapi::OPENAPI;
#[cfg(feature = "console")]
pub(crate) use resolver::Resolver;
pub use settings::ManageSettings;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::middleware::{from_fn, map_response_with_state};
use axum::response::{self, Response};
use axum::routing::{get, post};
use serde_json::json;

use super::{KeyManager, Permission, PermissionGroup, Permissions};
use crate::backend::{KeyFilter, KeyStore, KeyUpdate, UsageStore};
use crate::record::Record;
use crate::scope::Scope;
use caller::Caller;
use error::{method_not_allowed, not_found, reshape};
use input::{Body, Fields, Id, key_id};
use origin::reject_cross_site;
use output::{created, json_response, key, reached};
use query::{Order, Page, Parameters, force, known, wait};
use shared::{Shared, SharedState};

/// Most bytes of a request body, enough for the largest key.
const MAX_BODY: usize = 64 * 1024;

/// Returns routes by which callers manage their own keys, to nest behind an [`AuthenticateLayer`](crate::AuthenticateLayer), or behind the login
/// of the application with [`ManageSettings::resolve_callers`]. They have a fallback for unknown paths, so do not merge them.
///
/// | Route | Response |
/// |---|---|
/// | `POST /keys` | 201, the key with its text, which is not shown again; `name`, `scopes`, `expires_at`, `labels`, and where the settings permit them `environment` and `sources` |
/// | `GET /keys?limit&cursor&state&name` | 200, a page of keys, and `next_cursor` if more follow; with `name`, those whose names start with it, in the order of names |
/// | `GET /keys/{id}` | 200, a key |
/// | `PATCH /keys/{id}?force` | 200, the key with a new `name`, `scopes`, `expires_at` or `labels` |
/// | `POST /keys/{id}/rotate?force` | 201, the successor with its text; `grace_seconds`, `grace_from_first_use`, `expires_at` |
/// | `POST /keys/{id}/disable?wait&until&wait_seconds&force` | 200, the key, rejected until it is enabled; `reason` |
/// | `POST /keys/{id}/enable` | 200, the key; 403 if the application disabled it |
/// | `DELETE /keys/{id}?reason&wait&until&wait_seconds&force` | 204, also for a revoked key; with `wait=fleet` after all nodes have applied it, see below |
/// | `GET /keys/{id}/usage?from&to&by` | 200, the requests with the key, by day, also `by=route` |
/// | `GET /usage?from&to&by&limit&cursor` | 200, the requests with all keys, by day, in total, `by=key` or `by=route`, and `next_cursor` if more than `limit` lines match |
/// | `GET /audit?key&actor&action&from&to&limit&cursor`, `GET /keys/{id}/audit` | 200, a page of the changes of keys, the newest first, and `next_cursor` if more follow; if [`ManageSettings::audit_log`] is set |
/// | `GET /permissions` | 200, the [permissions](KeyManager::with_permissions) that keys can be granted, in groups, and which of them the caller can grant |
/// | `GET` and `DELETE /keys/self`, `POST /keys/self/rotate` | as for the id of the calling key, whatever its scopes: with [`ManageSettings::self_routes`] |
///
/// With [`ManageSettings::at_root`], the list is at `/`, for a path of your own.
///
/// `DELETE /keys/{id}?wait=fleet` responds after each node has applied the revocation, or their lease or `wait_seconds` have passed, and
/// reports in `Revocation-Reached` which, and so does `POST /keys/{id}/disable?wait=fleet`: `every-node`, `lease-end` or `this-process`. With a store that keeps no list of nodes, such as
/// SQLite, it responds `this-process` at once; with `until=lease`, `lease-end` after the lease. `until` and `wait_seconds` imply `wait`.
///
/// A change that would leave the owner without a key that meets [`ManageSettings::write`] is rejected with 409, also where the caller ends its
/// own key, unless the query has `force=true`: see [`Delegate::keeping_manager`](super::Delegate::keeping_manager). Callers whose keys
/// [another backend](ManageSettings::external_callers) keeps need no key here, so they end any.
///
/// The audit log shows a caller the changes of its keys, of deleted ones too. The `actor` of a change is the key, or the caller that the
/// application authenticated, that managed the key by these routes; it is `null` if the application made the change.
///
/// Days are in UTC, such as `2030-01-31`, and both are included: at most 366, by default the last 30.
///
/// A key shows the `limits` in force for it, with those of its plan, and the name of that `plan`. Only the application sets these, by
/// [`KeyManager`]: a body with one of them gets 403.
///
/// Errors are JSON with a `detail`, and `errors` that name fields: 400 for an invalid body or query; 403 for scopes that the caller lacks,
/// for a caller that has lost its key or its scopes by the time of the change, and for a change that a browser sends from a page of another
/// site; 404 for keys that are not the caller's; 405; 408 for a body that takes more than 10 s; 409 for a key whose state does not permit
/// the change, or for the last manager; 413 for a body of more than 65,536 bytes; 422 for invalid values; 503. [`ManageSettings::respond`]
/// changes their shape. Caches may not store any response (RFC 9111 §5.2.2.5). [`ManageSettings::openapi`] describes the details.
///
/// With [`ManageSettings::resolve_callers`], a request without a caller gets the response of that function.
pub fn routes<S: KeyStore + UsageStore + Clone>(manager: KeyManager<S>, settings: ManageSettings) -> Router {
    let (shape, allows_cross_site) = (settings.shape.clone(), settings.cross_site);
    let audit = match settings.audit_log {
        Some(_) => Router::new()
            .route(&settings.path("/audit"), get(audit::of_all::<S>))
            .route(&settings.path("/keys/{id}/audit"), get(audit::of_key::<S>)),
        None => Router::new(),
    };
    let routes = Router::new()
        .route(&settings.path("/keys"), get(list::<S>).post(create::<S>))
        .route(&settings.path("/keys/{id}"), get(show::<S>).patch(update::<S>).delete(revoke::<S>))
        .route(&settings.path("/keys/{id}/rotate"), post(rotate::<S>))
        .route(&settings.path("/keys/{id}/disable"), post(disable::<S>))
        .route(&settings.path("/keys/{id}/enable"), post(enable::<S>))
        .route(&settings.path("/keys/{id}/usage"), get(usage::of_key::<S>))
        .route(&settings.path("/usage"), get(usage::of_all::<S>))
        .route(&settings.path("/permissions"), get(permissions::<S>));
    let routes = if settings.self_routes {
        routes
            .route(&settings.path("/keys/self"), get(own::show::<S>).delete(own::revoke::<S>))
            .route(&settings.path("/keys/self/rotate"), post(own::rotate::<S>))
    } else {
        routes
    };
    let routes = routes
        .merge(audit)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(Arc::new(Shared { manager, settings }));
    let routes = if allows_cross_site { routes } else { routes.layer(from_fn(reject_cross_site)) };
    match shape {
        Some(shape) => routes.layer(map_response_with_state(shape, reshape)),
        None => routes,
    }
}

async fn create<S: KeyStore>(
    State(shared): SharedState<S>,
    mut caller: Caller,
    body: Body,
) -> response::Result<Response> {
    let delegate = shared.to_write(&mut caller).await?;
    let mut fields = Fields::parse(body)?;
    fields.reject_those_of_service()?;
    let mut new = delegate.new_key();
    new.name = fields.text("name").unwrap_or_default();
    new.scopes = fields.scopes("scopes").unwrap_or_default();
    new.expires_at = fields.time("expires_at").flatten();
    new.labels = fields.texts("labels").unwrap_or_default();
    if shared.settings.across_environments {
        new.environment = fields.environment("environment").unwrap_or(new.environment);
    }
    if !shared.settings.sources.is_empty() {
        new.sources = fields.sources("sources", &shared.settings.sources).unwrap_or_default();
    }
    fields.finish()?;
    delegate.check_sources(&new.sources)?;
    let key = delegate.create(new).await?;
    Ok(created(key, shared.now()))
}

async fn list<S: KeyStore>(
    State(shared): SharedState<S>,
    caller: Caller,
    parameters: Parameters,
) -> response::Result<Response> {
    let delegate = shared.to_read(&caller)?;
    let page = Page::read(parameters)?;
    let filter = page.state.map_or(KeyFilter::all(), |state| KeyFilter::all().state(state, shared.now()));
    let (records, next) = match page.order {
        Order::ById(after) => {
            let mut records = delegate.list(filter, after.as_ref(), page.limit + 1).await?;
            let next = cursor::cut(&mut records, page.limit, |record| cursor::encode(&record.id));
            (records, next)
        }
        Order::ByName(start, after) => {
            let filter = filter.name_starts_with(start);
            let mut records = delegate.search(filter.clone(), after.as_ref(), page.limit + 1).await?;
            let position = |record: &Record| cursor::encode_position(&filter.position(record));
            let next = cursor::cut(&mut records, page.limit, position);
            (records, next)
        }
    };
    let keys: Vec<_> = records.iter().map(|record| key(record, shared.now())).collect();
    Ok(json_response(StatusCode::OK, &json!({ "keys": keys, "next_cursor": next })))
}

async fn show<S: KeyStore>(
    State(shared): SharedState<S>,
    caller: Caller,
    id: Id,
) -> response::Result<Response> {
    one_key::show(&shared, shared.to_read(&caller)?, key_id(id)).await
}

async fn update<S: KeyStore>(
    State(shared): SharedState<S>,
    mut caller: Caller,
    id: Id,
    parameters: Parameters,
    body: Body,
) -> response::Result<Response> {
    let delegate = shared.to_write(&mut caller).await?;
    let delegate = shared.keeping_manager(delegate, force(&known(parameters, &["force"])?)?);
    let mut fields = Fields::parse(body)?;
    fields.reject_those_of_service()?;
    let update = KeyUpdate {
        name: fields.text("name"),
        scopes: fields.scopes("scopes"),
        expires_at: fields.time("expires_at"),
        labels: fields.texts("labels"),
        ..KeyUpdate::default()
    };
    fields.finish()?;
    let record = delegate.update(&key_id(id)?, update).await?;
    Ok(json_response(StatusCode::OK, &key(&record, shared.now())))
}

async fn rotate<S: KeyStore>(
    State(shared): SharedState<S>,
    mut caller: Caller,
    id: Id,
    parameters: Parameters,
    body: Body,
) -> response::Result<Response> {
    let delegate = shared.to_write(&mut caller).await?;
    one_key::rotate(&shared, delegate, key_id(id), parameters, body).await
}

async fn disable<S: KeyStore>(
    State(shared): SharedState<S>,
    mut caller: Caller,
    id: Id,
    parameters: Parameters,
    body: Body,
) -> response::Result<Response> {
    let delegate = shared.to_write(&mut caller).await?;
    let parameters = known(parameters, &["wait", "until", "wait_seconds", "force"])?;
    let wait = wait(&parameters)?;
    let delegate = shared.keeping_manager(delegate, force(&parameters)?);
    let mut fields = Fields::parse(body)?;
    let reason = fields.text("reason").unwrap_or_default();
    fields.finish()?;
    let record = delegate.disable(&key_id(id)?, &reason).await?;
    let response = json_response(StatusCode::OK, &key(&record, shared.now()));
    Ok(match wait {
        Some(wait) => {
            reached(response, &shared.manager.wait_applied(wait).await, shared.settings.shows_nodes)
        }
        None => response,
    })
}

async fn enable<S: KeyStore>(
    State(shared): SharedState<S>,
    mut caller: Caller,
    id: Id,
    parameters: Parameters,
    body: Body,
) -> response::Result<Response> {
    let delegate = shared.to_write(&mut caller).await?;
    known(parameters, &[])?;
    Fields::parse(body)?.finish()?;
    let record = delegate.enable(&key_id(id)?).await?;
    Ok(json_response(StatusCode::OK, &key(&record, shared.now())))
}

async fn revoke<S: KeyStore>(
    State(shared): SharedState<S>,
    mut caller: Caller,
    id: Id,
    parameters: Parameters,
) -> response::Result<Response> {
    let delegate = shared.to_write(&mut caller).await?;
    one_key::revoke(&shared, delegate, key_id(id), parameters).await
}

async fn permissions<S: KeyStore>(
    State(shared): SharedState<S>,
    caller: Caller,
) -> response::Result<Response> {
    let delegate = shared.to_read(&caller)?;
    let permission = |Permission { scope, description }: &Permission| json!({ "scope": scope.as_str(), "description": description, "grantable": delegate.can_grant(scope) });
    let group = |group: &PermissionGroup| {
        let permissions: Vec<_> = group.permissions.iter().map(permission).collect();
        json!({ "name": group.name, "permissions": permissions })
    };
    let permissions = || shared.manager.permissions().into_iter();
    let scopes: Vec<_> = permissions().flat_map(Permissions::scopes).map(Scope::as_str).collect();
    let groups: Vec<_> = permissions().flat_map(Permissions::groups).map(group).collect();
    Ok(json_response(StatusCode::OK, &json!({ "permissions": scopes, "groups": groups })))
}

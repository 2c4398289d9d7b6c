//! Key management over HTTP, as an axum router.

mod cursor;
mod input;
mod output;
mod refusal;
mod usage;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;

use super::{Delegate, KeyManager, ManageError, NewKey, Replacement};
use crate::backend::{Grace, KeyFilter, KeyStore, KeyUpdate, UsageStore};
use crate::clock::Timestamp;
use crate::key::KeyId;
use crate::principal::Principal;
use crate::record::KeyState;
use crate::reject::{Reason, Rejection};
use crate::scope::{Requirement, Scope, Scopes};
use input::Fields;
use output::{answer, created, key};
use refusal::Refusal;

/// Bytes of a request body: more than the longest key takes.
const BODY: usize = 64 * 1024;
/// Keys on a page: by default, and at most.
const PAGE: (usize, usize) = (20, 100);

/// What callers need to manage their keys over HTTP, and what keys can be granted.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ManageScopes {
    /// To look at keys and at their usage.
    pub read: Requirement,
    /// To create, change, rotate and revoke keys.
    pub write: Requirement,
    /// The scopes that `GET /permissions` lists.
    pub permissions: Scopes,
}

impl ManageScopes {
    /// Asks for these, and lists no permissions.
    pub fn new(read: Requirement, write: Requirement) -> Self {
        Self { read, write, permissions: Scopes::default() }
    }

    /// Sets the scopes that `GET /permissions` lists.
    #[must_use]
    pub fn permissions(self, permissions: Scopes) -> Self {
        Self { permissions, ..self }
    }
}

/// Returns routes by which callers manage their own keys, to be nested behind an
/// [`AuthenticateLayer`](crate::AuthenticateLayer).
///
/// | Route | Answer |
/// |---|---|
/// | `POST /keys` | 201, the key with its text, which is never shown again |
/// | `GET /keys?limit&cursor&state` | 200, a page of keys, and `next_cursor` if there are more |
/// | `GET /keys/{id}` | 200, a key |
/// | `PATCH /keys/{id}` | 200, the key with a new `name`, `scopes`, `expires_at` or `metadata` |
/// | `POST /keys/{id}/rotate` | 201, the successor with its text; `grace_seconds`, `grace_from_first_use`, `expires_at` |
/// | `DELETE /keys/{id}?reason` | 204, though it was revoked before |
/// | `GET /keys/{id}/usage?from&to` | 200, how often the key was used, by day |
/// | `GET /usage?from&to&by` | 200, how often all keys were used, by day, in total or `by=key` |
/// | `GET /permissions` | 200, what keys can be granted |
///
/// Days are in UTC, written like `2030-01-31`, and both included: at most 366, by default the last 30.
///
/// Errors are JSON with a `detail`, and `errors` that name fields: 400 for a body or a query that cannot be read, 403 for scopes
/// that the caller lacks, 404 for keys that are not the caller's, 409 for a key that is not in a state for it, 413, 422 for values
/// that a key cannot have, 503. No answer may be stored by caches (RFC 9111 §5.2.2.5).
pub fn routes<S: KeyStore + UsageStore + Clone>(manager: KeyManager<S>, scopes: ManageScopes) -> Router {
    Router::new()
        .route("/keys", get(list::<S>).post(create::<S>))
        .route("/keys/{id}", get(show::<S>).patch(update::<S>).delete(revoke::<S>))
        .route("/keys/{id}/rotate", post(rotate::<S>))
        .route("/keys/{id}/usage", get(usage::of_key::<S>))
        .route("/usage", get(usage::of_all::<S>))
        .route("/permissions", get(permissions::<S>))
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(Arc::new(Shared { manager, scopes }))
}

/// What all requests share.
struct Shared<S> {
    manager: KeyManager<S>,
    scopes: ManageScopes,
}

type Manager<S> = State<Arc<Shared<S>>>;
type Parameters = Query<BTreeMap<String, String>>;

impl<S: KeyStore> Shared<S> {
    fn to_read<'s>(&'s self, caller: &'s Principal) -> Result<Delegate<'s, S>, Refusal> {
        self.delegate(caller, &self.scopes.read)
    }

    fn to_write<'s>(&'s self, caller: &'s Principal) -> Result<Delegate<'s, S>, Refusal> {
        self.delegate(caller, &self.scopes.write)
    }

    fn delegate<'s>(
        &'s self,
        caller: &'s Principal,
        needed: &Requirement,
    ) -> Result<Delegate<'s, S>, Refusal> {
        if caller.meets(needed) {
            return Ok(self.manager.on_behalf_of(caller));
        }
        Err(Refusal::Caller(Box::new(Rejection::of(caller, Reason::MissingScope(needed.clone())))))
    }

    fn now(&self) -> Timestamp {
        self.manager.clock.wall()
    }
}

async fn create<S: KeyStore>(
    State(shared): Manager<S>,
    caller: Principal,
    body: Bytes,
) -> Result<Response, Refusal> {
    let delegate = shared.to_write(&caller)?;
    let mut fields = read(&body)?;
    let mut new = NewKey::new(caller.owner().clone());
    new.name = fields.text("name").unwrap_or_default();
    new.scopes = fields.scopes("scopes").unwrap_or_default();
    new.expires_at = fields.time("expires_at").flatten();
    new.metadata = fields.texts("metadata").unwrap_or_default();
    fields.finish()?;
    let key = delegate.create(new).await?;
    Ok(answer(StatusCode::CREATED, &created(key, shared.now())))
}

async fn list<S: KeyStore>(
    State(shared): Manager<S>,
    caller: Principal,
    parameters: Result<Parameters, QueryRejection>,
) -> Result<Response, Refusal> {
    let delegate = shared.to_read(&caller)?;
    let page = Page::read(parameters)?;
    let filter = page.state.map_or(KeyFilter::all(), |state| KeyFilter::all().state(state, shared.now()));
    // One more than is shown tells whether there are more.
    let records = delegate.list(filter, page.after.as_ref(), page.limit + 1).await;
    let mut records = records?;
    let more = records.len() > page.limit;
    records.truncate(page.limit);
    let next = records.last().filter(|_| more).map(|record| cursor::encode(&record.id));
    let keys: Vec<_> = records.iter().map(|record| key(record, shared.now())).collect();
    Ok(answer(StatusCode::OK, &json!({ "keys": keys, "next_cursor": next })))
}

async fn show<S: KeyStore>(
    State(shared): Manager<S>,
    caller: Principal,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let record = shared.to_read(&caller)?.get(&key_id(&id)?).await?;
    Ok(answer(StatusCode::OK, &key(&record, shared.now())))
}

async fn update<S: KeyStore>(
    State(shared): Manager<S>,
    caller: Principal,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let delegate = shared.to_write(&caller)?;
    let mut fields = read(&body)?;
    let update = KeyUpdate {
        name: fields.text("name"),
        scopes: fields.scopes("scopes"),
        expires_at: fields.time("expires_at"),
        metadata: fields.texts("metadata"),
        by: None,
    };
    fields.finish()?;
    let record = delegate.update(&key_id(&id)?, update).await?;
    Ok(answer(StatusCode::OK, &key(&record, shared.now())))
}

async fn rotate<S: KeyStore>(
    State(shared): Manager<S>,
    caller: Principal,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let delegate = shared.to_write(&caller)?;
    let mut fields = read(&body)?;
    let from_first_use = fields.truth("grace_from_first_use").unwrap_or(false);
    let grace = match fields.seconds("grace_seconds") {
        Some(grace) if from_first_use => Grace::FromFirstUse(grace),
        Some(grace) if !grace.is_zero() => Grace::For(grace),
        Some(_) | None => Grace::None,
    };
    let mut replacement = Replacement::new(grace);
    replacement.expires_at = fields.time("expires_at").flatten();
    fields.finish()?;
    let key = delegate.rotate(&key_id(&id)?, replacement).await?;
    Ok(answer(StatusCode::CREATED, &created(key, shared.now())))
}

async fn revoke<S: KeyStore>(
    State(shared): Manager<S>,
    caller: Principal,
    Path(id): Path<String>,
    parameters: Result<Parameters, QueryRejection>,
) -> Result<Response, Refusal> {
    let delegate = shared.to_write(&caller)?;
    let mut parameters = known(parameters, &["reason"])?;
    let reason = parameters.remove("reason").unwrap_or_default();
    delegate.revoke(&key_id(&id)?, &reason).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn permissions<S: KeyStore>(State(shared): Manager<S>, caller: Principal) -> Result<Response, Refusal> {
    shared.to_read(&caller)?;
    let permissions: Vec<_> = shared.scopes.permissions.iter().map(Scope::as_str).collect();
    Ok(answer(StatusCode::OK, &json!({ "permissions": permissions })))
}

fn read(body: &[u8]) -> Result<Fields, Refusal> {
    let unreadable =
        || Refusal::Request("Expected a JSON object as the body, found something else".to_owned());
    Fields::parse(body).ok_or_else(unreadable)
}

/// Reads an id in a path. No key has one that is not an id.
fn key_id(text: &str) -> Result<KeyId, Refusal> {
    KeyId::new(text).map_err(|_| ManageError::not_found().into())
}

/// Which part of a list is wanted.
struct Page {
    after: Option<KeyId>,
    limit: usize,
    state: Option<KeyState>,
}

impl Page {
    fn read(parameters: Result<Parameters, QueryRejection>) -> Result<Self, Refusal> {
        let (usual, most) = PAGE;
        let parameters = known(parameters, &["cursor", "limit", "state"])?;
        let wrong = |expected: &str| Refusal::Request(expected.to_owned());
        let limit = |text: &String| text.parse().ok().filter(|limit| (1..=most).contains(limit));
        let (cursor, state) = (parameters.get("cursor"), parameters.get("state"));
        Ok(Self {
            after: optional(cursor, |text| cursor::decode(text))
                .ok_or_else(|| wrong("cursor: expected the next_cursor of a page, found something else"))?,
            limit: optional(parameters.get("limit"), limit)
                .ok_or_else(|| wrong("limit: expected a number from 1 to 100, found something else"))?
                .unwrap_or(usual),
            state: optional(state, |text| KeyState::from_label(text))
                .ok_or_else(|| wrong("state: expected active, expired or revoked, found something else"))?,
        })
    }
}

/// Reads a parameter that may be absent, and returns `None` if it is there and cannot be read.
fn optional<T>(text: Option<&String>, read: impl FnOnce(&String) -> Option<T>) -> Option<Option<T>> {
    match text {
        Some(text) => read(text).map(Some),
        None => Some(None),
    }
}

/// Refuses parameters that would be ignored.
fn known(
    parameters: Result<Parameters, QueryRejection>,
    names: &[&str],
) -> Result<BTreeMap<String, String>, Refusal> {
    let expected =
        || Refusal::Request(format!("Expected no parameters but {}, found others", names.join(", ")));
    let Ok(Query(parameters)) = parameters else { return Err(expected()) };
    if parameters.keys().all(|name| names.contains(&name.as_str())) {
        Ok(parameters)
    } else {
        Err(expected())
    }
}

//! Issue keys to customers: a sign-up with a first key, and routes by which customers manage further ones.
//!
//! Features: `routes`, and a store (`sqlite` or `postgres`).
//!
//! | Step | By |
//! |---|---|
//! | choose the look of keys | [`KeyFormat`](crate::KeyFormat), such as `notes_live_…`, which secret scanners recognise |
//! | create a key in your own handler | [`KeyManager::create`](crate::manage::KeyManager::create) |
//! | show the text once | [`CreatedKey::into_parts`](crate::manage::CreatedKey::into_parts), in a response that no cache keeps. The store has a digest |
//! | recognise a key afterwards | its name, its id, and its [`hint`](crate::Record::hint), the first characters of the text |
//! | let customers create, list, rotate and revoke | [`manage::routes`](crate::manage::routes), whose OpenAPI document is [`OPENAPI`](crate::manage::OPENAPI) |
//! | show customers the changes of their keys | `ManageSettings::audit_log(store)` |
//! | shape those requests yourself | [`KeyManager::on_behalf_of`](crate::manage::KeyManager::on_behalf_of), as in `examples/memory_api` |
//! | declare the scopes that keys can have | [`Permissions`](crate::manage::Permissions), in groups, with descriptions; see [below](#the-permissions) |
//! | serve the list at a path of yours, such as `/v1/api-keys` | [`ManageSettings::at_root`](crate::manage::ManageSettings::at_root), and [`openapi`](crate::manage::ManageSettings::openapi) for the document of these paths |
//! | let customers choose the environment or the sources of a key | [`across_environments`](crate::manage::ManageSettings::across_environments), [`sources`](crate::manage::ManageSettings::sources) |
//! | let jobs replace their own keys | [`self_routes`](crate::manage::ManageSettings::self_routes); a thief of a key can do so as well |
//! | let keys expire | [`NewKey::expires_at`](crate::manage::NewKey::expires_at); expiry is checked with each request |
//! | keep data of yours with a key | [`NewKey::metadata`](crate::manage::NewKey::metadata), such as the number of a contract; customers write [`labels`](crate::manage::NewKey::labels) only |
//!
#![cfg_attr(feature = "full", doc = "```")]
#![cfg_attr(not(feature = "full"), doc = "```ignore")]
//! use axum::extract::State;
//! use axum::http::{Request, StatusCode, header};
//! use axum::response::{IntoResponse, Response};
//! use axum::routing::{get, post};
//! use axum::{Json, Router, body::Body};
//! use serde_json::{Value, json};
//! use tower::ServiceExt;
//! use tower_api_key::backend::{OwnerChange, OwnerStore};
//! use tower_api_key::clock::{Clock, SystemClock};
//! use tower_api_key::manage::{KeyManager, ManageError, ManageSettings, NewKey, Permissions, routes};
//! use tower_api_key::owner::Organization;
//! use tower_api_key::{AuthenticateLayer, ConfigError, KeyFormat, KeyId, MemoryStore, RequireScopeLayer, Requirement};
//!
//! #[derive(Clone)]
//! struct SignUp {
//!     store: MemoryStore,
//!     manager: KeyManager<MemoryStore>,
//! }
//!
//! fn app(store: MemoryStore) -> Result<Router, ConfigError> {
//!     let permissions = Permissions::new()
//!         .group("Notes", [("notes.read", "Read notes"), ("notes.write", "Write notes"), ("notes.*", "All of it")])?
//!         .group("Keys", [("keys.read", "List keys"), ("keys.write", "Create, change and revoke keys")])?;
//!     let manager = KeyManager::new(store.clone(), KeyFormat::new("notes")?).require_names();
//!     let manager = manager.with_permissions(permissions);
//!     let (read, write) = (Requirement::all_of(["keys.read"])?, Requirement::all_of(["keys.write"])?);
//!     let settings = ManageSettings::new(read, write);
//!     let guarded = Router::new()
//!         .route("/notes", get("notes").route_layer(RequireScopeLayer::scope("notes.read")?))
//!         .nest("/account", routes(manager.clone(), settings))
//!         .layer(AuthenticateLayer::new(store.clone()));
//!     let sign_up = SignUp { store, manager };
//!     Ok(Router::new().route("/signup", post(register)).with_state(sign_up).merge(guarded))
//! }
//!
//! async fn register(State(app): State<SignUp>) -> Result<Response, ManageError> {
//!     // Random, in place of an id from the application's table of customers.
//!     let id = KeyId::generate(SystemClock::new().wall())?.as_str().replacen("key_", "org_", 1);
//!     app.store.change_owner(OwnerChange::put_organization(Organization::new(&*id))).await?;
//!     let scopes = "keys.read keys.write notes.*".parse().expect("valid scopes");
//!     let first = NewKey::for_organization(id).name("First key").scopes(scopes);
//!     let (text, record) = app.manager.create(first).await?.into_parts();
//!     let shown = Json(json!({ "key": text.as_str(), "id": record.id.as_str(), "hint": record.hint }));
//!     Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], shown).into_response())
//! }
//!
//! async fn call(app: &Router, request: &str, key: &str, body: Value) -> (StatusCode, Value) {
//!     let (method, path) = request.split_once(' ').unwrap();
//!     let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
//!     let request = request.header("x-api-key", key).body(Body::from(body.to_string())).unwrap();
//!     let response = app.clone().oneshot(request).await.unwrap();
//!     let status = response.status();
//!     let body = axum::body::to_bytes(response.into_body(), 65_536).await.unwrap();
//!     (status, serde_json::from_slice(&body).unwrap_or_default())
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), ConfigError> {
//!     let app = app(MemoryStore::new())?;
//!     let (status, first) = call(&app, "POST /signup", "", json!({})).await;
//!     assert_eq!(status, 201);
//!     let first = first["key"].as_str().unwrap();
//!
//!     let wanted = json!({ "name": "CI", "scopes": ["notes.read"], "expires_at": "2099-01-01T00:00:00Z" });
//!     let (status, ci) = call(&app, "POST /account/keys", first, wanted).await;
//!     assert_eq!(status, 201);
//!     let (text, id) = (ci["key"].as_str().unwrap(), ci["id"].as_str().unwrap());
//!     assert_eq!(call(&app, "GET /notes", text, json!({})).await.0, 200);
//!     // A typing error is found, and named, before a key has it.
//!     let (status, error) = call(&app, "POST /account/keys", first, json!({ "name": "CI", "scopes": ["notes.raed"] })).await;
//!     assert_eq!((status, &error["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("scopes")));
//!     assert_eq!(error["errors"][0]["detail"], "no scope `notes.raed`; did you mean `notes.read`?");
//!     // A page that creates keys shows the groups, and offers what the caller can grant.
//!     let (_, list) = call(&app, "GET /account/permissions", first, json!({})).await;
//!     let read = json!({ "scope": "notes.read", "description": "Read notes", "grantable": true });
//!     assert_eq!((&list["groups"][0]["name"], &list["groups"][0]["permissions"][0]), (&json!("Notes"), &read));
//!     // The key of the CI has no scope to manage keys, and the text is not shown again.
//!     assert_eq!(call(&app, "POST /account/keys", text, json!({ "name": "More" })).await.0, 403);
//!     let (_, list) = call(&app, "GET /account/keys", first, json!({})).await;
//!     assert!(list["keys"].as_array().unwrap().iter().all(|key| key.get("key").is_none()));
//!
//!     assert_eq!(call(&app, &format!("DELETE /account/keys/{id}"), first, json!({})).await.0, 204);
//!     assert_eq!(call(&app, "GET /notes", text, json!({})).await.0, 401);
//!     Ok(())
//! }
#![doc = "```"]
//!
//! # The trap: an id that the client chooses
//!
//! `put_organization` changes an organization that exists. A sign-up that takes the id from the request would hand a key of another customer to
//! its client, and so would a counter that starts again: take random ids, or those of your own table, whose uniqueness the database enforces. Limit sign-ups by address, and verify the e-mail before
//! the first key is created.
//!
//! # The permissions
//!
//! A manager with [`Permissions`](crate::manage::Permissions) creates, imports and updates keys with listed scopes only. A scope that covers
//! others, such as `notes.*`, is listed as well if customers may have it. A key that has a scope keeps it when the scope is no longer listed,
//! also if it is rotated or gets further scopes. Roles and the scopes of every user
//! ([`user_scopes`](crate::AuthenticatorBuilder::user_scopes)) are not limited: the application sets them.
//!
//! # The last key that manages others
//!
//! A customer that revokes it, or takes its scope away, could make no further key. The routes reject that with 409, unless the query has
//! `force=true`. In your own handlers, [`Delegate::keeping_manager`](crate::manage::Delegate::keeping_manager) does the same.
//!
//! # Expiry of the first key
//!
//! A key creates no key that lives longer than itself. So let the key that manages others never expire, or expire last; if customers
//! sign in, create keys [on behalf of the session](super::existing_login) instead.

// Layer 10 of 10: rim.

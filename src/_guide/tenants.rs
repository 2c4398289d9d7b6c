//! Many tenants: each key belongs to an organization, and reaches its data alone.
//!
//! Features: `axum`, and a store (`sqlite` or `postgres`).
//!
//! | Owner of a key | Reaches | [`organization_id`](crate::Principal::organization_id) |
//! |---|---|---|
//! | [`Owner::organization`](crate::Owner::organization) | the organization and all its projects | its id |
//! | [`Owner::project`](crate::Owner::project) | the project alone | that of the project's organization |
//! | [`Owner::user`](crate::Owner::user) | the organizations of the user's memberships, with the scopes that the role there has too | `None`: the request has to name the organization |
//!
//! The layer checks the key. Which data a request is about, only the handler knows:
//!
//! | Route | Check |
//! |---|---|
//! | `/notes`: the data of the caller's organization | read and write with `organization_id`; reject a key without one, and by [`Principal::authorize`](crate::Principal::authorize) that of a project |
//! | `/organizations/{organization}/notes` | [`RequireResourceLayer`](crate::axum::RequireResourceLayer), by `route_layer`: the segments have to have these names |
//! | `/notes/{id}`, where the note belongs to an organization | load the note, then [`Principal::authorize`](crate::Principal::authorize) for its organization, and answer 404 as for a missing note |
//!
#![cfg_attr(feature = "full", doc = "```")]
#![cfg_attr(not(feature = "full"), doc = "```ignore")]
//! use axum::extract::Path;
//! use axum::http::{Request, StatusCode};
//! use axum::{Router, body::Body, routing::get};
//! use tower::ServiceExt;
//! use tower_api_key::axum::RequireResourceLayer;
//! use tower_api_key::backend::{BackendErrorKind, OwnerChange, OwnerStore};
//! use tower_api_key::manage::{KeyManager, NewKey};
//! use tower_api_key::owner::{Membership, Organization};
//! use tower_api_key::principal::Resource;
//! use tower_api_key::record::Revocation;
//! use tower_api_key::reject::Forbidden;
//! use tower_api_key::{
//!     AuthenticateLayer, ConfigError, KeyFormat, MemoryStore, Owner, Principal, Rejection, RequireScopeLayer,
//!     Scope, Scopes, Timestamp,
//! };
//!
//! const READ: Scope = Scope::from_static("notes.read");
//!
//! fn app(authenticate: AuthenticateLayer) -> Result<Router, ConfigError> {
//!     let read = RequireScopeLayer::scope(READ.as_str())?;
//!     let read_there = RequireResourceLayer::scope(READ.as_str())?;
//!     Ok(Router::new()
//!         .route("/notes", get(own_notes).route_layer(read.clone()))
//!         .route("/organizations/{organization}/notes", get(notes_of).route_layer(read_there))
//!         .route("/notes/{id}", get(note).route_layer(read))
//!         .route_layer(authenticate))
//! }
//!
//! async fn own_notes(caller: Principal) -> Result<String, Rejection> {
//!     let tenant = caller.organization_id().ok_or_else(|| caller.reject(Forbidden::Organization))?;
//!     caller.authorize(&READ, Resource::Organization(tenant))?; // rejects the keys of a single project
//!     Ok(format!("notes of {tenant}")) // … WHERE organization = $1
//! }
//!
//! async fn notes_of(Path(organization): Path<String>) -> String {
//!     format!("notes of {organization}")
//! }
//!
//! async fn note(caller: Principal, Path(id): Path<u32>) -> Result<String, StatusCode> {
//!     let owner = if id == 1 { "acme" } else { "globex" }; // SELECT organization, … WHERE id = $1
//!     caller.authorize(&READ, Resource::Organization(owner)).map_err(|_| StatusCode::NOT_FOUND)?;
//!     Ok(format!("note {id}"))
//! }
//!
//! async fn status(app: &Router, path: &str, key: &str) -> StatusCode {
//!     let request = Request::get(path).header("x-api-key", key).body(Body::empty()).unwrap();
//!     app.clone().oneshot(request).await.unwrap().status()
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let store = MemoryStore::new();
//!     let acme = Organization::new("acme");
//!     store.change_owner(OwnerChange::put_organization(acme.clone())).await?;
//!     store.change_owner(OwnerChange::put_user("ann@example.com")).await?;
//!     let reader = Membership::new(acme.clone(), "reader", Scopes::from(READ));
//!     store.change_owner(OwnerChange::put_membership("ann@example.com", reader)).await?;
//!
//!     let manager = KeyManager::new(store.clone(), KeyFormat::new("notes")?);
//!     let key_of =
//!         async |owner| manager.create(NewKey::new(owner).scopes(READ.into())).await.map(|key| key.reveal());
//!     let acmes = key_of(Owner::organization("acme")).await?;
//!     let anns = key_of(Owner::user("ann@example.com", [])).await?;
//!     store.change_owner(OwnerChange::put_project("acme", "web")).await?;
//!     let webs = key_of(Owner::project(acme.clone(), "web")).await?;
//!
//!     let app = app(AuthenticateLayer::new(store.clone()))?;
//!     for (path, by_acme, by_ann) in [
//!         ("/notes", 200, 403), // Ann may belong to several organizations
//!         ("/organizations/acme/notes", 200, 200),
//!         ("/organizations/globex/notes", 403, 403),
//!         ("/notes/1", 200, 200),
//!         ("/notes/2", 404, 404),
//!     ] {
//!         assert_eq!(status(&app, path, acmes.as_str()).await, by_acme, "{path}");
//!         assert_eq!(status(&app, path, anns.as_str()).await, by_ann, "{path}");
//!     }
//!
//!     assert_eq!(status(&app, "/notes", webs.as_str()).await, 403); // all data of acme, for a key of one project
//!
//!     // A disabled organization: its keys get 403, and work again when it is enabled.
//!     for (disabled, expected) in [(true, 403), (false, 200)] {
//!         store.change_owner(OwnerChange::put_organization(acme.clone().disabled(disabled))).await?;
//!         assert_eq!(status(&app, "/notes", acmes.as_str()).await, expected);
//!         assert_eq!(status(&app, "/organizations/acme/notes", anns.as_str()).await, expected);
//!     }
//!     // A deleted one: its keys are revoked, and its id is not given to another customer until it is purged.
//!     let closed = Revocation::new(Timestamp::from_unix_millis(0), "account closed");
//!     store.change_owner(OwnerChange::delete_organization("acme", closed)).await?;
//!     assert_eq!(status(&app, "/notes", acmes.as_str()).await, 401);
//!     assert_eq!(status(&app, "/organizations/acme/notes", anns.as_str()).await, 403);
//!     let again = store.change_owner(OwnerChange::put_organization(acme)).await;
//!     assert_eq!(again.unwrap_err().kind(), BackendErrorKind::Conflict);
//!     Ok(())
//! }
#![doc = "```"]
//!
//! # The trap: a scope without a tenant
//!
//! `RequireScopeLayer` and [`Principal::require`](crate::Principal::require) ask for a scope, not for whose data: a key of one customer
//! with `notes.read` passes both on a path that names another. A route that names a tenant or an object needs one of the checks above.
//!
//! Related: organizations in your own tables by [`WithOwnerResolver`](crate::backend::WithOwnerResolver), [closing
//! accounts](super::operations#deleted-owners), and users, projects and roles in [`memfault`](super::memfault).

// Layer 10 of 10: rim.

//! Add keys to an application with a login: in its database or another one, managed by signed-in users.
//!
//! Features: `routes`, for errors as responses, `serde`, for ids in paths, and a store (`sqlite` or `postgres`).
//!
//! # Which database
//!
//! | Your application has | Use |
//! |---|---|
//! | a pool of sqlx 0.9 for SQLite or PostgreSQL | [`SqliteStore::with_pool`](crate::SqliteStore::with_pool), or that of [`PostgresStore`](crate::PostgresStore): tables beside yours, whose names start with `tower_api_key`, with their own ledger of migrations |
//! | PostgreSQL by another version of sqlx, or by another library | [`PostgresStore::open`](crate::PostgresStore::open), with connections of its own, to your database or another one |
//! | SQLite by another library, such as rusqlite | `SqliteStore::open`, on a file of its own. A program holds one version of `libsqlite3-sys`, for which sqlx 0.9 accepts 0.30.1 to 0.37 |
//! | another database | `SqliteStore::open`, on a file of its own, if one machine serves; otherwise `PostgresStore::open`, or a [`KeyStore`](crate::backend::KeyStore) of yours |
//!
//! Changes of keys have transactions of their own, also with a pool of yours: write your rows first, and create the key last.
//!
//! # Who manages keys
//!
//! A user with a session is no [`Principal`](crate::Principal). The application checks the session and the role, and passes the user's id as
//! the actor, which the record and the audit log keep:
//!
#![cfg_attr(feature = "full", doc = "```")]
#![cfg_attr(not(feature = "full"), doc = "```ignore")]
//! use axum::extract::{FromRequestParts, Path, State};
//! use axum::http::{Request, StatusCode, header, request::Parts};
//! use axum::response;
//! use axum::routing::{delete, get, post};
//! use axum::{Router, body::Body};
//! use sqlx::SqlitePool;
//! use tower::ServiceExt;
//! use tower_api_key::backend::Actor;
//! use tower_api_key::manage::{KeyManager, ManageError, ManageErrorKind, NewKey};
//! use tower_api_key::{AuthenticateLayer, ConfigError, KeyFormat, KeyId, Principal, SqliteStore};
//!
//! type Keys = KeyManager<SqliteStore>;
//!
//! fn app(store: SqliteStore) -> Result<Router, ConfigError> {
//!     // For people, with the session's cookie. Your own protection against forged requests belongs around these routes.
//!     let settings = Router::new()
//!         .route("/settings/keys", post(create))
//!         .route("/settings/keys/{id}", delete(revoke))
//!         .with_state(KeyManager::new(store.clone(), KeyFormat::new("notes")?));
//!     // For programs, with a key.
//!     let api = Router::new()
//!         .route("/api/whoami", get(async |caller: Principal| caller.owner().to_string()))
//!         .route_layer(AuthenticateLayer::new(store));
//!     Ok(settings.merge(api))
//! }
//!
//! /// The session of the application: who is signed in, and for which organization.
//! struct SignedIn {
//!     user: String,
//!     organization: String,
//! }
//!
//! impl<S: Sync> FromRequestParts<S> for SignedIn {
//!     type Rejection = StatusCode;
//!
//!     async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
//!         // HTTP/2 may split the cookies of a request into several lines.
//!         let mut cookies = parts.headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
//!         let session = cookies.find_map(|cookie| match cookie {
//!             "session=1" => Some(("user:ann", "acme")),
//!             "session=2" => Some(("user:bob", "globex")),
//!             _ => None,
//!         });
//!         let (user, organization) = session.ok_or(StatusCode::UNAUTHORIZED)?;
//!         Ok(Self { user: user.to_owned(), organization: organization.to_owned() })
//!     }
//! }
//!
//! async fn create(State(keys): State<Keys>, session: SignedIn) -> Result<String, ManageError> {
//!     let new = NewKey::for_organization(session.organization).scopes("notes.read".parse().expect("a scope"));
//!     let key = keys.acting_for(Actor::external(session.user)).create(new).await?;
//!     let id = key.record().id.clone();
//!     Ok(format!("{id} {}", key.reveal().as_str())) // shown once: send it with `Cache-Control: no-store`
//! }
//!
//! async fn revoke(State(keys): State<Keys>, session: SignedIn, Path(id): Path<KeyId>) -> response::Result<()> {
//!     let record = match keys.get(&id).await {
//!         Err(error) if error.kind() != ManageErrorKind::NotFound => return Err(error.into()), // such as 503
//!         found => found.ok().filter(|key| key.owner.organization_id() == Some(&session.organization)),
//!     };
//!     let id = record.ok_or(StatusCode::NOT_FOUND)?.id;
//!     Ok(keys.acting_for(Actor::external(session.user)).revoke(&id, "by a user").await?)
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let pool = SqlitePool::connect("sqlite::memory:").await?; // that of the application
//!     let store = SqliteStore::with_pool(pool).await?;
//!     let app = app(store.clone())?;
//!     let call = async |method: &str, path: &str, header: &str, value: &str| {
//!         let request = Request::builder().method(method).uri(path).header(header, value);
//!         let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
//!         let status = response.status();
//!         let body = axum::body::to_bytes(response.into_body(), 65_536).await.unwrap();
//!         (status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
//!     };
//!
//!     let (_, created) = call("POST", "/settings/keys", "cookie", "session=1").await;
//!     let (id, key) = created.split_once(' ').unwrap();
//!     assert_eq!(call("GET", "/api/whoami", "x-api-key", key).await, (200, "organization acme".to_owned()));
//!     assert_eq!(call("GET", "/api/whoami", "cookie", "session=1").await.0, 401); // a session is no key
//!     assert_eq!(call("POST", "/settings/keys", "x-api-key", key).await.0, 401); // and a key no session
//!
//!     let path = format!("/settings/keys/{id}");
//!     assert_eq!(call("DELETE", &path, "cookie", "session=2").await.0, 404); // of another organization
//!     assert_eq!(call("DELETE", &path, "cookie", "session=1").await.0, 200);
//!     assert_eq!(call("GET", "/api/whoami", "x-api-key", key).await.0, 401);
//!     Ok(())
//! }
#![doc = "```"]
//!
//! # The trap: a manager reaches all keys
//!
//! [`KeyManager`](crate::manage::KeyManager) changes the keys of every organization. So a handler for users compares the owner of the key,
//! which never changes, with the organization of the session, as `revoke` does, and lists by
//! [`KeyFilter::of_organization`](crate::backend::KeyFilter::of_organization). The store cannot check a session: check it after the body has
//! arrived. A browser sends the cookie with forged requests as well; only [`manage::routes`](crate::manage::routes) reject these themselves.

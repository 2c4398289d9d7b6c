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
//! A user with a session is no [`Principal`](crate::Principal), but an [`ExternalCaller`](crate::manage::ExternalCaller): the application says whose
//! keys the user manages, and what it may grant. The store compares these with the key in the transaction of each change.
//!
//! | Step | By |
//! |---|---|
//! | name the user in the audit log and in `created_by` | [`ExternalCaller::new`](crate::manage::ExternalCaller::new), with an id such as `user:17` |
//! | turn a role into scopes: those of `ManageSettings` to read and write keys, and those that keys may get | [`ExternalCaller::scopes`](crate::manage::ExternalCaller::scopes) |
//! | test keys, or both environments | [`environment`](crate::manage::ExternalCaller::environment), [`across_environments`](crate::manage::ExternalCaller::across_environments) |
//! | serve pages to users | `Console::routes`, with the feature `console`: see [the guide](super::console) |
//! | serve the routes to users | [`ManageSettings::resolve_callers`](crate::manage::ManageSettings::resolve_callers) |
//! | write the routes yourself | [`KeyManager::on_behalf_of_external`](crate::manage::KeyManager::on_behalf_of_external), after the body has arrived |
//!
//! # With a session
//!
//! The session of tower-sessions, which axum-login uses as well. `examples/saas` is a whole service with it.
//!
#![cfg_attr(feature = "full", doc = "```")]
#![cfg_attr(not(feature = "full"), doc = "```ignore")]
//! use axum::extract::Path;
//! use axum::http::{Request, StatusCode};
//! use axum::routing::{get, post};
//! use axum::{Router, body::Body};
//! use sqlx::SqlitePool;
//! use tower::ServiceExt;
//! use tower_api_key::manage::{ExternalCaller, KeyManager, ManageSettings, routes};
//! use tower_api_key::{AuthenticateLayer, ConfigError, KeyFormat, Owner, Principal, SqliteStore};
//! use tower_sessions::{MemoryStore, Session, SessionManagerLayer};
//!
//! fn app(store: SqliteStore) -> Result<Router, ConfigError> {
//!     // For people, with the cookie of the session, which is `Secure`, `HttpOnly` and `SameSite=Strict`.
//!     let manager = KeyManager::new(store.clone(), KeyFormat::new("notes")?);
//!     let settings = ManageSettings::new("keys.read".parse()?, "keys.write".parse()?).resolve_callers(member);
//!     let people = Router::new()
//!         .route("/login/{user}", post(log_in)) // after a check of the password, or by single sign-on
//!         .nest("/settings", routes(manager, settings))
//!         .layer(SessionManagerLayer::new(MemoryStore::default()));
//!     // For programs, with a key.
//!     let programs = Router::new()
//!         .route("/api/whoami", get(async |caller: Principal| caller.owner().to_string()))
//!         .route_layer(AuthenticateLayer::new(store));
//!     Ok(people.merge(programs))
//! }
//!
//! /// Returns the user of a session, as both are now: the session may have ended since the request began.
//! async fn member(session: Session) -> Result<ExternalCaller, StatusCode> {
//!     if session.id().is_some() {
//!         session.load().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
//!     }
//!     let user: Option<String> = session.get("user").await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
//!     let (organization, scopes) = match user.as_deref() { // SELECT organization, role FROM member WHERE …
//!         Some("ann") => ("acme", "keys.read keys.write notes.read"),
//!         Some("bob") => ("acme", "keys.read"),
//!         Some("eve") => ("globex", "keys.read keys.write notes.read"),
//!         _ => return Err(StatusCode::UNAUTHORIZED),
//!     };
//!     let caller = ExternalCaller::new(format!("user:{}", user.unwrap()), Owner::organization(organization));
//!     let caller = caller.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
//!     Ok(caller.scopes(scopes.parse().expect("valid scopes")))
//! }
//!
//! async fn log_in(session: Session, Path(user): Path<String>) -> Result<(), StatusCode> {
//!     session.cycle_id().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
//!     session.insert("user", user).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let pool = SqlitePool::connect("sqlite::memory:").await?; // that of the application
//!     let app = app(SqliteStore::with_pool(pool).await?)?;
//!     let call = async |method: &str, path: &str, (header, value): (&str, &str), body: &'static str| {
//!         let request = Request::builder().method(method).uri(path).header(header, value);
//!         app.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap()
//!     };
//!     let mut cookies = Vec::new();
//!     for user in ["ann", "bob", "eve"] {
//!         let response = call("POST", &format!("/login/{user}"), ("accept", "*/*"), "").await;
//!         cookies.push(response.headers()["set-cookie"].to_str()?.split(';').next().unwrap().to_owned());
//!     }
//!     let [ann, bob, eve] = [0, 1, 2].map(|user| ("cookie", &*cookies[user]));
//!
//!     let wanted = r#"{"scopes": ["notes.read"]}"#;
//!     assert_eq!(call("POST", "/settings/keys", bob, wanted).await.status(), 403);
//!     assert_eq!(call("POST", "/settings/keys", ("cookie", "id=none"), wanted).await.status(), 401);
//!     let created = call("POST", "/settings/keys", ann, wanted).await.into_body();
//!     let created: serde_json::Value = serde_json::from_slice(&axum::body::to_bytes(created, 65_536).await?)?;
//!     assert_eq!(created["created_by"], "user:ann");
//!
//!     let key = ("x-api-key", created["key"].as_str().unwrap());
//!     assert_eq!(call("GET", "/api/whoami", key, "").await.status(), 200);
//!     assert_eq!(call("GET", "/api/whoami", ann, "").await.status(), 401); // a session is no key
//!     assert_eq!(call("GET", "/settings/keys", key, "").await.status(), 401); // and a key no session
//!
//!     let path = format!("/settings/keys/{}", created["id"].as_str().unwrap());
//!     assert_eq!(call("DELETE", &path, eve, "").await.status(), 404); // of another organization
//!     assert_eq!(call("DELETE", &path, ann, "").await.status(), 204);
//!     assert_eq!(call("GET", "/api/whoami", key, "").await.status(), 401);
//!     Ok(())
//! }
#![doc = "```"]
//!
//! # With a token
//!
//! A JWT of an identity provider, in `Authorization`. `verify` stands for a library such as jsonwebtoken, whose `decode` checks the signature, the
//! audience and the expiry.
//!
#![cfg_attr(feature = "full", doc = "```")]
#![cfg_attr(not(feature = "full"), doc = "```ignore")]
//! use axum::body::Body;
//! use axum::http::{Request, StatusCode, header, request::Parts};
//! use tower::ServiceExt;
//! use tower_api_key::manage::{ExternalCaller, KeyManager, ManageSettings, routes};
//! use tower_api_key::{KeyFormat, MemoryStore, Owner};
//!
//! /// The claims of a token: `sub`, and those that the provider adds.
//! struct Claims {
//!     sub: String,
//!     org_id: String,
//!     role: String,
//! }
//!
//! /// In place of `jsonwebtoken::decode::<Claims>(token, &key, &validation)`.
//! fn verify(token: &str) -> Option<Claims> {
//!     let claims = |role: &str| Claims { sub: "auth0|17".into(), org_id: "acme".into(), role: role.into() };
//!     match token {
//!         "signed-for-an-admin" => Some(claims("admin")),
//!         "signed-for-a-guest" => Some(claims("guest")),
//!         _ => None,
//!     }
//! }
//!
//! async fn bearer(head: Parts) -> Result<ExternalCaller, StatusCode> {
//!     let header = head.headers.get(header::AUTHORIZATION).and_then(|header| header.to_str().ok());
//!     let token = header.and_then(|header| header.strip_prefix("Bearer "));
//!     let claims = token.and_then(verify).ok_or(StatusCode::UNAUTHORIZED)?;
//!     let scopes = match &*claims.role {
//!         "admin" => "keys.read keys.write notes.*",
//!         _ => return Err(StatusCode::FORBIDDEN),
//!     };
//!     let caller = ExternalCaller::new(claims.sub, Owner::organization(claims.org_id));
//!     let caller = caller.map_err(|_| StatusCode::UNAUTHORIZED)?;
//!     Ok(caller.across_environments().scopes(scopes.parse().expect("valid scopes")))
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("notes")?);
//!     let settings = ManageSettings::new("keys.read".parse()?, "keys.write".parse()?).resolve_callers(bearer);
//!     let app = routes(manager, settings);
//!     for (token, expected) in [("signed-for-an-admin", 201), ("signed-for-a-guest", 403), ("forged", 401)] {
//!         let request = Request::post("/keys").header("authorization", format!("Bearer {token}"));
//!         let body = Body::from(r#"{"name": "CI", "scopes": ["notes.read"]}"#);
//!         assert_eq!(app.clone().oneshot(request.body(body)?).await?.status(), expected, "{token}");
//!     }
//!     Ok(())
//! }
#![doc = "```"]
//!
//! # The trap: a user as it was
//!
//! The store knows nothing of sessions. So the routes call the function before they read a body, and again right before the change: a client
//! that withholds the end of a body may have signed out since, or been demoted. That helps only if the function looks again. An extension of the
//! request is as old as the request: the `user` of axum-login's `AuthSession` is. Load its `session` again and take the user from your table. A
//! token holds until it expires: give it minutes, or look up there whether the user still has the role.
//!
//! [`KeyManager`](crate::manage::KeyManager) itself changes the keys of every organization: handlers for users go through
//! [`on_behalf_of_external`](crate::manage::KeyManager::on_behalf_of_external). A browser sends the cookie with forged requests as well, which
//! [`manage::routes`](crate::manage::routes) reject; your own routes have to.

// Layer 10 of 10: rim.

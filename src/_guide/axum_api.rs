//! Protect an axum API: rules for its routes, the caller in its handlers, and tests without keys.
//!
//! Features: `axum`, a store (`sqlite` or `postgres`), and `test-util` for the tests.
//!
//! | Step | By |
//! |---|---|
//! | say who may call each route | [`RouteRules`](crate::axum::RouteRules): public, any key, or scopes; a route without a rule is forbidden |
//! | get the caller | the extractor [`Principal`](crate::Principal), or `Option<Principal>` where a key is optional |
//! | require a scope that depends on the request | [`Principal::require`](crate::Principal::require), with `?` |
//! | serve | [`Authenticator::start`](crate::Authenticator::start) before the server listens, so that a store that cannot be polled ends the process |
//! | describe | `openapi::Security` (feature `openapi`): who may call what, in the application's OpenAPI document |
//! | test | [`test_util::layer`](crate::test_util::layer) in place of the layer of production, and [`assert_guarded`](crate::test_util::assert_guarded) |
//!
//! The function that builds the application takes the layer, so that its tests pass another one:
//!
#![cfg_attr(feature = "full", doc = "```")]
#![cfg_attr(not(feature = "full"), doc = "```ignore")]
//! use std::error::Error;
//!
//! use axum::extract::{Path, Query};
//! use axum::{Router, body::Body, http::Request, routing::get};
//! use serde::Deserialize;
//! use tower::ServiceExt;
//! use tower_api_key::axum::RouteRules;
//! use tower_api_key::rules::Access;
//! use tower_api_key::{
//!     AuthenticateLayer, Authenticator, ConfigError, Principal, Rejection, Scope, SqliteStore, test_util,
//! };
//!
//! fn app(authenticate: AuthenticateLayer) -> Result<Router, ConfigError> {
//!     let rules = RouteRules::new([
//!         ("/health", Access::Public),
//!         ("/whoami", Access::AnyKey),
//!         ("GET /notes/{id}", Access::scope("notes.read")?),
//!         ("DELETE /notes/{id}", Access::scope("notes.write")?),
//!     ])?;
//!     Ok(Router::new()
//!         .route("/health", get("ok"))
//!         .route("/whoami", get(whoami))
//!         .route("/notes/{id}", get(show).delete("deleted"))
//!         .route_layer(authenticate.rules(rules))) // after the routes
//! }
//!
//! async fn whoami(caller: Principal) -> String {
//!     caller.key_id().to_string()
//! }
//!
//! #[derive(Deserialize)]
//! struct View {
//!     #[serde(default)]
//!     history: bool,
//! }
//!
//! const HISTORY: Scope = Scope::from_static("notes.history");
//!
//! async fn show(caller: Principal, Path(id): Path<u32>, Query(view): Query<View>) -> Result<String, Rejection> {
//!     if view.history {
//!         caller.require(&HISTORY)?;
//!     }
//!     Ok(format!("note {id}"))
//! }
//!
//! async fn serve() -> Result<(), Box<dyn Error>> {
//!     let authenticator = Authenticator::new(SqliteStore::open("sqlite:keys.db").await?);
//!     authenticator.start().await?;
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     Ok(axum::serve(listener, app(AuthenticateLayer::new(authenticator))?).await?)
//! }
//!
//! // The tests of the application. The key `test` has no scope but those set here.
//! async fn each_route_is_guarded() -> Result<(), Box<dyn Error>> {
//!     let app = app(test_util::layer("test", |_| {}))?;
//!     let routes = [("GET", "/whoami"), ("GET", "/notes/{id}"), ("DELETE", "/notes/{id}")];
//!     test_util::assert_guarded(app, "test", routes).await;
//!     Ok(())
//! }
//!
//! async fn a_reader_reads_and_changes_nothing() -> Result<(), Box<dyn Error>> {
//!     let app = app(test_util::layer("test", |record| record.scopes = "notes.read".parse().unwrap()))?;
//!     for (method, path, status) in [
//!         ("GET", "/notes/7", 200),
//!         ("GET", "/notes/7?history=true", 403),
//!         ("DELETE", "/notes/7", 403),
//!         ("PUT", "/notes/7", 403), // no rule
//!         ("GET", "/unknown", 404),
//!     ] {
//!         let request = Request::builder().method(method).uri(path).header("authorization", "Bearer test");
//!         let response = app.clone().oneshot(request.body(Body::empty())?).await?;
//!         assert_eq!(response.status(), status, "{method} {path}");
//!     }
//!     Ok(())
//! }
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn Error>> {
//! #     each_route_is_guarded().await?;
//! #     a_reader_reads_and_changes_nothing().await
//! # }
#![doc = "```"]
//!
//! # The trap: a route added after the layer
//!
//! A layer covers the routes that were added before it, and a route that is added below the last line of `app` answers without a key.
//! `assert_guarded` finds it, if the test names it: name all routes but the public ones. `route_layer` leaves unknown paths to the router, which
//! answers 404; with `layer`, a client without a key gets 401 there. [`RouteRules`](crate::axum::RouteRules#where-the-layer-belongs) lists what
//! each place does.
//!
//! Related: the bodies of rejections by
//! [`Respond`](crate::reject::Respond), [CORS preflights](crate::AuthenticateLayer::allow_preflight), and a complete program in
//! `examples/quickstart.rs`.

// Layer 10 of 10: rim.

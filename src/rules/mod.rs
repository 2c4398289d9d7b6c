//! Rules: who may call which route.
//!
//! A rule says that a route is [public](Access::Public), open to [any key](Access::AnyKey), or requires
//! [scopes](Access::Scopes). A route without a rule is forbidden. Two types hold them:
//!
//! | Type | Compares | For |
//! |---|---|---|
//! | [`PathRules`] | the whole path as the client sent it, byte for byte | gRPC methods, hyper services, fixed paths |
//! | `axum::RouteRules` (feature `axum`) | the template of the route that axum's router has matched, such as `/notes/{id}` | axum routers |
//!
//! Give them to [`AuthenticateLayer::rules`](crate::AuthenticateLayer::rules), which also lets requests for public routes pass without a
//! key, or to a [`RequireScopeLayer`](crate::RequireScopeLayer) inside the layer that authenticates.
//!
//! A rule names a path, and may name a method before it: `"POST /notes"`. A rule for the method of the request precedes one for all
//! methods, and a rule for `GET` also holds for `HEAD` unless `HEAD` has its own. A method without a rule is forbidden.
//!
//! A rule applies to the method and the path as the layer sees them. Put a layer that changes either around the whole router, as in
//! `change.layer(app)`, not by `Router::layer` or `Router::route_layer`: by then, axum has chosen the handler by what the client sent, and a
//! request whose method is changed would be judged by the rule of one handler and answered by another. That cannot be seen here. A path that
//! was rewritten below a router is seen: it is never public, [`PathRules`] forbid it, and the log says so (feature `tracing`).
//!
//! ```
//! # #[cfg(feature = "test-util")]
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_api_key::rules::{Access, PathRules};
//! use tower_api_key::{Scopes, test_util};
//!
//! let rules = PathRules::new([
//!     ("/health", Access::Public),
//!     ("/whoami", Access::AnyKey),
//!     ("GET /notes", Access::scope("notes.read")?),
//!     ("POST /notes", Access::scope("notes.write")?),
//! ])?;
//! // An application takes `AuthenticateLayer::new(authenticator)`.
//! let scopes = Scopes::parse("notes.read")?;
//! let service = ServiceBuilder::new()
//!     .layer(test_util::layer("test", |record| record.scopes = scopes).rules(rules))
//!     .service(service_fn(|_: Request<Full<Bytes>>| async {
//!         Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
//!     }));
//!
//! for (method, path, without_key, with_key) in [
//!     ("GET", "/health", 200, 200),
//!     ("GET", "/whoami", 401, 200),
//!     ("GET", "/notes", 401, 200),
//!     ("POST", "/notes", 401, 403),
//!     ("GET", "/undeclared", 401, 403),
//! ] {
//!     let request = || Request::builder().method(method).uri(path);
//!     let response = service.clone().oneshot(request().body(Full::default())?).await?;
//!     assert_eq!(response.status(), without_key, "{method} {path}");
//!     let request = request().header("x-api-key", "test").body(Full::default())?;
//!     assert_eq!(service.clone().oneshot(request).await?.status(), with_key, "{method} {path}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```

// Layer 8 of 10: decision.
// Above `principal`; below `authenticate` and `require_scope`. Bottom to top, a file importing only those before it:
// `access`, `test_probe`, `denied`, `plain`, `table`, `matching`, `path_rules`, `self`.

mod access;
mod denied;
mod matching;
mod path_rules;
mod plain;
mod table;
mod test_probe;

pub use access::Access;
pub use matching::Rules;
pub use path_rules::PathRules;

pub(crate) use denied::Denied;
#[cfg(feature = "axum")]
pub(crate) use matching::By;
pub(crate) use matching::Match;
pub(crate) use plain::{check_exact, is_plain};
#[cfg(feature = "axum")]
pub(crate) use table::Table;
#[cfg(feature = "test-util")]
pub(crate) use test_probe::Probe;
pub(crate) use test_probe::note_preflight;

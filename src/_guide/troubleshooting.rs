//! Troubleshooting: mistakes, where they are reported, and the message, which names what to change.
//!
//! # Messages
//!
//! The log is that of the feature `tracing`. A client is told nothing about the service. A test makes each mistake and compares it with this
//! table.
//!
//! | Mistake | Reported | Message |
//! |---|---|---|
//! | a [`RequireScopeLayer`](crate::RequireScopeLayer) outside of the [`AuthenticateLayer`](crate::AuthenticateLayer) | log, ERROR, once; the client gets 500 | `` `RequireScopeLayer` found no caller because the request did not pass an `AuthenticateLayer` (logged once): add `AuthenticateLayer` outside of it, as the last `.layer` of an axum router, after its routes, or as the first of a `ServiceBuilder` or a tonic `Server` `` |
//! | a [`LimitLayer`](crate::LimitLayer) outside of the [`AuthenticateLayer`](crate::AuthenticateLayer) | log, ERROR, once in the process; the client gets 500 | `` `LimitLayer` found no caller because the request did not pass an `AuthenticateLayer` (logged once): add `AuthenticateLayer` outside of it, as the last `.layer` of an axum router, after its routes, or as the first of a `ServiceBuilder` or a tonic `Server` `` |
//! | counters of limits whose server cannot be reached | log, WARN, once; the client gets 503 | `` counting a request failed: limits are decided without the counter store, which is asked again once a second error="cannot access the counter store: Connection refused (os error 111)" `` |
//! | a route that was added after the layer, whose handler takes a [`Principal`](crate::Principal), or the management routes without a layer | log, ERROR, once in the process; the client gets 500 | `` the extractor of a `Principal` (in a handler, by `RequireResourceLayer` or by the management routes) found no caller because the request did not pass an `AuthenticateLayer` (logged once): add `AuthenticateLayer` outside of it, as the last `.layer` of an axum router, after its routes, or as the first of a `ServiceBuilder` or a tonic `Server` `` |
//! | a route that was added after the layer, whose handler takes none | panic of `test_util::assert_guarded`, in a test of the application | `` 1 of 1 routes are not guarded: GET /a answers 200 without a key: add `AuthenticateLayer` after the route, or leave out a route that is public `` |
//! | a `route_layer` before the first route | panic of axum, when the router is built | `` Adding a route_layer before any routes is a no-op. Add the routes you want the layer to apply to first. `` |
//! | `tower_api_key::tonic::principal` in a service without a layer | log, ERROR, once in the process; the client gets `INTERNAL` | `` `tower_api_key::tonic::principal` found no caller because the request did not pass an `AuthenticateLayer` (logged once): add `AuthenticateLayer` outside of it, as the last `.layer` of an axum router, after its routes, or as the first of a `ServiceBuilder` or a tonic `Server` `` |
//! | a template in [`PathRules`](crate::rules::PathRules), `public` or `RequireScopeLayer::by_path` | error, when they are built | `` a path is compared byte for byte and must not be a template, got one at position 7: for a route of axum use `axum::RouteRules` with `AuthenticateLayer::rules` or `RequireScopeLayer::rules`; elsewhere name each path, or make a prefix public with `public_prefix` `` |
//! | a template of axum 0.7 in `axum::RouteRules` | error, when they are built | `` a template must have the form of axum 0.8, got a segment that starts with `:` or `*`: write `{name}` or `{*name}` `` |
//! | `axum::RouteRules` in a layer around the router | log, ERROR, once; the client gets 403 | `` `RouteRules` found no `MatchedPath` because the layer is outside of the router, so every request is forbidden (logged once): add the layer by `Router::route_layer` or `Router::layer`, after the routes, not around the router by a `ServiceBuilder`; without axum, use `PathRules` `` |
//! | `axum::RouteRules` by `Router::layer`, and a path without a route | log, WARN, once; the client gets 404 | `` `RouteRules` found no `MatchedPath` because no route of the router matched the request, which is answered 404 (logged once): add the layer by `Router::route_layer`, so that the router's fallback answers, and nest routers by `Router::nest` instead of `nest_service`, so that their routes are known `` |
//! | rules that require a key for a path that the layer outside calls `public` | log, ERROR, once; the client gets 401 | `` a path is public for `AuthenticateLayer` while rules require a key for it, so the request is handled as the rules say (logged once, for the first such route): remove the path from `public` or `public_prefix`, or declare it `Access::Public` in the rules route="/a" `` |
//! | a `RequireScopeLayer` inside a `public_prefix` | log, ERROR, once; the client gets 401 | `` a `RequireScopeLayer` is inside a public prefix or template, which does not open the routes of that layer, so the request is answered 401 (logged once): make the path public by `AuthenticateLayer::public` or declare it `Access::Public` in the rules of `RequireScopeLayer`; if it needs a key, declare it in the rules of `AuthenticateLayer`, or narrow the prefix public="/a" route="/a" `` |
//! | a layer that rewrites the path, between a router and `PathRules` | log, ERROR, once; the client gets 401 | `` a layer between a router and the rules has rewritten the path, so no request with a rewritten path is public, and `PathRules` forbid it (logged once): put the layer that rewrites the path around the outermost router, as in `rewrite.layer(app)` `` |
//! | a node with another pepper than that of the store's keys | error of [`Authenticator::start`](crate::Authenticator::start) | `` no key of the store was made with a digester of this node, so every key would be unknown: set the pepper with which they were made by `AuthenticatorBuilder::digester`, or by `former_digester` if new keys get another one `` |
//! | the same, and it is not started | log, ERROR, once; the client gets 503 | `` requests with a key are answered 503 (logged once): no key of the store was made with a digester of this node, so every key would be unknown: set the pepper with which they were made by `AuthenticatorBuilder::digester`, or by `former_digester` if new keys get another one `` |
//! | a node whose sources accept another key format than that of the store's keys | error of [`Authenticator::start`](crate::Authenticator::start) | `` no key of the store was made in a key format that a source of this node accepts, so every key would be malformed: add the format of the keys by `Source::format` `` |
//! | an SQLite file that the process may not write | error, when the store is opened | `` cannot open SQLite database keys.db: error returned from database: (code: 8) attempt to write a readonly database (this process must be able to write the file) `` |
//! | an SQLite file in a folder that the process may not write | error, when the store is opened | `` cannot open SQLite database keys.db: error returned from database: (code: 1544) attempt to write a readonly database (this process must be able to write the folder of the file) `` |
//! | a new SQLite file in a folder that the process may not write | error, when the store is opened | `` cannot open SQLite database keys.db: Permission denied (os error 13) (this process must be able to write the folder of the file) `` |
//! | a new SQLite file in a folder that does not exist | error, when the store is opened | `` cannot open SQLite database data/keys.db: No such file or directory (os error 2) (the folder of the file must exist) `` |
//! | the URL of an SQLite database with `mode=ro` | error, when the store is opened | `` cannot open SQLite database: the URL selects a read-only mode, but even lookups write files beside the database. Use a URL such as `sqlite:keys.db` `` |
//! | a lookup outside of a Tokio runtime | panic, when it is polled | `` tower-api-key needs a Tokio runtime, and is polled outside of one: start the program by `#[tokio::main]`, or poll this future within `tokio::runtime::Runtime::block_on` `` |
//! | an SQLite store that is opened outside of a Tokio runtime | panic, when it is polled | `` tower-api-key needs a Tokio runtime, and is polled outside of one: start the program by `#[tokio::main]`, or poll this future within `tokio::runtime::Runtime::block_on` `` |
//! | a lookup in a Tokio runtime without a timer | panic of Tokio, when it is polled | `` A Tokio 1.x context was found, but timers are disabled. Call `enable_time` on the runtime builder to enable timers. `` |
//! | a literal that is no scope, in a constant | compiler | `` scope is invalid: must be visible ASCII without quotes and backslashes `` |
//! | a response body that a rejection cannot be written into | compiler | `` `String` is not a response body that a rejection can be written into `` |
//!
//! The compiler names further remedies in its notes:
//!
//! ```compile_fail,E0277
//! use http::{Request, Response};
//! use tower::{Layer, Service, service_fn};
//! use tower_api_key::{AuthenticateLayer, MemoryStore};
//!
//! // A `String` is no body that a rejection can be written into; `Full<Bytes>` is one.
//! let service = service_fn(async |_: Request<String>| Ok::<_, std::io::Error>(Response::new(String::new())));
//! AuthenticateLayer::new(MemoryStore::new()).layer(service).call(Request::new(String::new()));
//! ```
//!
//! # Answers
//!
//! What a client gets where the service is built as it should not be, and no message says so. With `test_util::assert_guarded`, a test of the
//! application finds the routes that need no key and should.
//!
//! | The client gets | Because | Change |
//! |---|---|---|
//! | 401 `Missing API key`, with a good key | the path is public, so that no key is looked up, and its handler takes a `Principal` | require a key for the path, or use [`optional`](crate::AuthenticateLayer::optional) instead of `public` and take an `Option<Principal>` |
//! | 401 `Missing API key`, for a path that does not exist | `Router::layer` covers the fallback | add the layer by `Router::route_layer` |
//! | 401 `Missing API key`, as the answer to a CORS preflight | the layer is outside of the one for CORS | add `CorsLayer` after it, or call [`allow_preflight`](crate::AuthenticateLayer::allow_preflight) |
//! | 401 `Invalid API key`, with a key that was just created | the manager and the authenticator digest keys differently | create the manager by [`KeyManager::for_authenticator`](crate::manage::KeyManager::for_authenticator); during a [change of the pepper](super::operations#a-new-pepper), change managers after the nodes |
//! | 403 `Forbidden`, with a good key | the layer has rules, and none of them names the route with this method | add a rule |
//! | 403 `The request must be from this site, got one from another` | a page of another origin calls the management routes | call `ManageSettings::allow_cross_site`, if the page is yours |
//! | 401 `Missing API key` over HTTP, as the answer to a gRPC call | the layer answers over HTTP unless it is told that its clients speak gRPC, and inside tonic-web's `GrpcWebLayer` it sees no gRPC-Web | call [`grpc`](crate::AuthenticateLayer::grpc), and add the layer before `GrpcWebLayer` |

// Layer 10 of 10: rim.

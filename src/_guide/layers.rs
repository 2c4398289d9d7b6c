//! The order of layers: logs, CORS, compression, timeouts, errors and limits around and inside the layer that authenticates.
//!
//! From the outermost to the innermost. In axum, the last call of `Router::layer` adds the outermost layer; in a `ServiceBuilder`, the first
//! call does.
//!
//! | Layer | Place | Because |
//! |---|---|---|
//! | [`MarkSensitiveLayer`](crate::MarkSensitiveLayer) | outermost | the logs of all layers inside show `Sensitive` in place of a key |
//! | [request ids, traces, access logs](#traces-and-access-logs) | outside | they see rejected requests too, and find their reason and the caller in the response |
//! | [CORS](#cors) | outside | preflights have no key, and a browser hides a 401 without CORS headers from the page |
//! | [compression](#compression) | outside or inside | it compresses responses in both places, and outside also the rejections that exceed its minimum |
//! | [`AuthenticateLayer`](crate::AuthenticateLayer), then [`RequireScopeLayer`](crate::RequireScopeLayer) | | |
//! | [sessions](#sessions) | either | each reads its own credential |
//! | [timeouts](#timeouts) | inside | a request that took too long then has its caller in the log; the store has a [deadline](crate::AuthenticatorBuilder::deadline) of its own |
//! | [layers that fail](#errors) | inside, below a layer that handles their errors | the layer that authenticates passes errors on as they are |
//! | [limits by caller](#limits) | inside | they count by the principal |
//! | [limits of concurrency](#limits) | inside | a rejected request should not hold a permit, and one that waits for a lookup holds the permit of the service that was ready for it |
//! | [limits of the whole server](#limits), load shedding | outside | they protect the lookups as well |
//!
//! # Traces and access logs
//!
//! A response has its [`Rejection`](crate::Rejection) in its extensions, and its [`Principal`](crate::Principal) where the layer is
//! [told so](crate::AuthenticateLayer::principal_in_response). The layers outside read both:
//!
//! ```
//! # #[cfg(all(feature = "axum", feature = "test-util"))]
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use std::sync::mpsc;
//! use axum::{Router, body::Body, http::{Request, Response}, routing::get};
//! use tower::ServiceExt;
//! use tower_api_key::{AuthenticateLayer, Authenticator, MarkSensitiveLayer, Principal, Rejection};
//! use tower_http::trace::{DefaultMakeSpan, TraceLayer};
//! # use tower_api_key::{Environment, KeyFormat, KeyId, MemoryStore, Owner, Record, digest::Digester};
//! # use tower_api_key::backend::{KeyChange, KeyStore};
//! # let (store, key) = (MemoryStore::new(), KeyFormat::new("demo")?.mint(Environment::Live)?);
//! # let record = Record::new(KeyId::new("first")?, &key, &Digester::sha256(), Owner::organization("acme"));
//! # store.change(KeyChange::insert(record)).await?;
//! # let key = key.reveal();
//!
//! let (log, lines) = mpsc::channel();
//! let access_log = move |response: &Response<_>, _: std::time::Duration, _: &_| {
//!     let found = response.extensions();
//!     let caller = found.get::<Principal>().map(Principal::key_id);
//!     let rejection = found.get::<Rejection>();
//!     // Of a rejected key, the id is known if its record was found.
//!     let key = caller.or(rejection.and_then(Rejection::key_id)).map_or("-", |id| id.as_str());
//!     let reason = rejection.map_or("-", |rejection| rejection.reason().label());
//!     // In place of `tracing::info!(status, key, reason)`.
//!     log.send(format!("{} key={key} reason={reason}", response.status().as_u16())).unwrap();
//! };
//!
//! let authenticator = Authenticator::new(store);
//! let mark_sensitive = MarkSensitiveLayer::new(&authenticator);
//! let with_headers = DefaultMakeSpan::new().include_headers(true);
//! let app = Router::new()
//!     .route("/notes", get(async || "notes"))
//!     .layer(AuthenticateLayer::new(authenticator).principal_in_response())
//!     .layer(TraceLayer::new_for_http().make_span_with(with_headers).on_response(access_log))
//!     .layer(mark_sensitive);
//!
//! let with_key = Request::get("/notes").header("x-api-key", key.as_str()).body(Body::empty())?;
//! app.clone().oneshot(with_key).await?;
//! assert_eq!(lines.recv()?, "200 key=first reason=-");
//! app.oneshot(Request::get("/notes").body(Body::empty())?).await?;
//! assert_eq!(lines.recv()?, "401 key=- reason=missing");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! A reason tells more than the client may learn: keep it in the log. Query strings and bodies are not looked at, here as elsewhere.
//!
//! # CORS
//!
//! Outside, a CORS layer answers preflights itself. List `Authorization` by name, as `*` does not include it (Fetch standard, CORS
//! non-wildcard request-header name), and expose `WWW-Authenticate`, `Retry-After` and the
//! [headers of limits](crate::limit_requests#headers) to pages that read them.
//!
//! ```
//! # #[cfg(all(feature = "axum", feature = "test-util"))]
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use axum::{Router, body::Body, http::{Method, Request, header}, routing::get};
//! use tower::ServiceExt;
//! use tower_api_key::test_util;
//! use tower_http::cors::CorsLayer;
//!
//! let cors = CorsLayer::new()
//!     .allow_origin(["https://app.example".parse()?])
//!     .allow_methods([Method::GET])
//!     .allow_headers([header::AUTHORIZATION])
//!     .expose_headers([header::WWW_AUTHENTICATE, header::RETRY_AFTER]);
//! let app = Router::new()
//!     .route("/notes", get(async || "notes"))
//!     .layer(test_util::layer("test", |_| {}))
//!     .layer(cors);
//!
//! let preflight = Request::options("/notes")
//!     .header("origin", "https://app.example")
//!     .header("access-control-request-method", "GET");
//! let response = app.clone().oneshot(preflight.body(Body::empty())?).await?;
//! assert_eq!((response.status().as_u16(), &response.headers()["access-control-allow-headers"]), (200, &"authorization".parse()?));
//!
//! let without_key = Request::get("/notes").header("origin", "https://app.example");
//! let response = app.oneshot(without_key.body(Body::empty())?).await?;
//! assert_eq!(response.status(), 401);
//! assert_eq!(response.headers()["access-control-allow-origin"], "https://app.example");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! It adds a `Vary` line of its own to that of the layer. Behind a shared cache that reads one line only, put it inside, with
//! [`allow_preflight`](crate::AuthenticateLayer::allow_preflight); a page then cannot read rejections.
//!
//! # Compression
//!
//! A layer inside that changes the body gives it a type that only that layer can make. In axum, `Router::layer` turns it into axum's again, so
//! layers that are added one by one compile in any order. In a `ServiceBuilder`, `Either::Left` wraps it
//! ([`RejectionBody`](crate::reject::RejectionBody)):
//!
//! ```
//! # #[cfg(all(feature = "axum", feature = "test-util"))]
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use axum::{Router, body::Body, http::{Request, Response}, routing::get};
//! use http_body_util::Either;
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_api_key::test_util;
//! use tower_http::compression::CompressionLayer;
//!
//! let routes = Router::new().route("/notes", get(async || "notes ".repeat(100)));
//! let authenticate = test_util::layer("test", |_| {});
//! let outside = routes.clone().layer(authenticate.clone()).layer(CompressionLayer::new());
//! let inside = routes.clone().layer(CompressionLayer::new()).layer(authenticate.clone());
//! let built = routes.layer(
//!     ServiceBuilder::new()
//!         .layer(authenticate)
//!         .map_response(|response: Response<_>| response.map(Either::Left))
//!         .layer(CompressionLayer::new()),
//! );
//! for app in [outside, inside, built] {
//!     let request = || Request::get("/notes").header("accept-encoding", "gzip");
//!     let response = app.clone().oneshot(request().header("x-api-key", "test").body(Body::empty())?).await?;
//!     assert_eq!(response.headers()["content-encoding"], "gzip");
//!     let rejected = app.oneshot(request().body(Body::empty())?).await?;
//!     assert_eq!((rejected.status().as_u16(), rejected.headers().get("content-encoding")), (401, None));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Where the compiler says only that the bounds of `oneshot` or `ready` are not satisfied, pass the service to a function that requires
//! `Service<Request<_>>`: the error then names the body, and what to change.
//!
//! # Sessions
//!
//! A login by session, such as that of axum-login, works in both places. On routes that take either, the layer is
//! [`optional`](crate::AuthenticateLayer::optional), and the handler takes `Option<Principal>` and the session. A bad key is rejected even
//! beside a good session. Only responses to callers with a key become `private`: a handler that answers by the session sets `Cache-Control`
//! itself.
//!
//! # Timeouts
//!
//! The timeout of tower-http makes a response, which has no principal if the layer stands outside:
//!
//! ```
//! # #[cfg(all(feature = "axum", feature = "test-util"))]
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use std::{future, time::Duration};
//! use axum::{Router, body::Body, http::{Request, StatusCode}, routing::get};
//! use tower::ServiceExt;
//! use tower_api_key::{Principal, test_util};
//! use tower_http::timeout::TimeoutLayer;
//!
//! let timeout = TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_millis(1));
//! let routes = Router::new().route("/notes", get(async || future::pending::<()>().await));
//! let authenticate = test_util::layer("test", |_| {}).principal_in_response();
//!
//! let inside = routes.clone().layer(timeout).layer(authenticate.clone());
//! let outside = routes.layer(authenticate).layer(timeout);
//! for (app, is_named) in [(inside, true), (outside, false)] {
//!     let request = Request::get("/notes").header("x-api-key", "test").body(Body::empty())?;
//!     let response = app.oneshot(request).await?;
//!     assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
//!     assert_eq!(response.extensions().get::<Principal>().is_some(), is_named);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Errors
//!
//! Layers of tower such as `load_shed`, `timeout` and `buffer` fail with an error of their own. axum requires a service that does not fail, so
//! a layer that makes responses of their errors stands outside of them. Where both are inside, such a response gets its principal and the headers
//! for caches like all others.
//!
//! ```
//! # #[cfg(all(feature = "axum", feature = "test-util"))]
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use axum::{Router, body::Body, error_handling::HandleErrorLayer, http::{Request, StatusCode}, routing::get};
//! use tower::{BoxError, ServiceBuilder, ServiceExt, limit::ConcurrencyLimitLayer};
//! use tower_api_key::{Principal, test_util};
//!
//! let app = Router::new().route("/notes", get(async || "notes")).layer(
//!     ServiceBuilder::new()
//!         .layer(test_util::layer("test", |_| {}).principal_in_response())
//!         .layer(HandleErrorLayer::new(async |_: BoxError| StatusCode::SERVICE_UNAVAILABLE))
//!         .load_shed()
//!         .layer(ConcurrencyLimitLayer::new(0)), // Sheds every request, for the example.
//! );
//! let request = Request::get("/notes").header("x-api-key", "test").body(Body::empty())?;
//! let response = app.clone().oneshot(request).await?;
//! assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
//! assert!(response.extensions().get::<Principal>().is_some());
//! // A request that is rejected needs no permit.
//! let response = app.oneshot(Request::get("/notes").body(Body::empty())?).await?;
//! assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Limits
//!
//! A limit inside counts by the caller. One that stands outside knows only the address of the client, and bounds what all clients together may
//! ask of the store. A limit of the body's length works on both sides, as the layer does not read bodies.
//!
//! ```
//! # #[cfg(all(feature = "axum", feature = "test-util"))]
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use std::{collections::HashMap, sync::{Arc, Mutex}};
//! use axum::{Router, body::Body, extract::Request, http::StatusCode, middleware::{Next, from_fn}, routing::post};
//! use tower::{ServiceExt, limit::GlobalConcurrencyLimitLayer};
//! use tower_api_key::{KeyId, Principal, test_util};
//! use tower_http::limit::RequestBodyLimitLayer;
//!
//! let counts: Arc<Mutex<HashMap<KeyId, u32>>> = Arc::default();
//! let two_each = from_fn(move |caller: Principal, request: Request, next: Next| {
//!     let count = *counts.lock().unwrap().entry(caller.key_id().clone()).and_modify(|count| *count += 1).or_insert(1);
//!     async move { if count <= 2 { Ok(next.run(request).await) } else { Err(StatusCode::TOO_MANY_REQUESTS) } }
//! });
//! let app = Router::new()
//!     .route("/notes", post(async |text: String| text))
//!     .layer(two_each)
//!     .layer(test_util::layer("test", |_| {}))
//!     .layer(RequestBodyLimitLayer::new(1024))
//!     .layer(GlobalConcurrencyLimitLayer::new(1000));
//!
//! let send = async |key: &str, text: &str| {
//!     let request = Request::post("/notes").header("x-api-key", key).body(Body::from(text.to_owned())).unwrap();
//!     app.clone().oneshot(request).await.unwrap().status().as_u16()
//! };
//! assert_eq!(send("test", "short").await, 200);
//! assert_eq!(send("other", "short").await, 401);
//! assert_eq!(send("test", &"long ".repeat(1000)).await, 413);
//! assert_eq!(send("test", "short").await, 429);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```

// Layer 10 of 10: rim.

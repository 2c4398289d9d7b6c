//! Accept JWTs, sessions or keys of another kind beside keys.
//!
//! Feature: `axum`, for the middlewares of the examples.
//!
//! | Beside keys, clients present | Do |
//! |---|---|
//! | a JWT or another token as `Authorization: Bearer`, while keys are Bearer as well | give the source of keys a [prefix](crate::Source::prefix) |
//! | such a token, while keys have a header of their own | leave Bearer out of the [sources](crate::AuthenticatorBuilder::sources) |
//! | the cookie of a session | nothing: no source reads cookies |
//! | keys of another store or another environment | combine both authenticators by [`AuthenticateLayer::any_of`](crate::AuthenticateLayer::any_of) |
//!
//! In the first three cases, the layer is [`optional`](crate::AuthenticateLayer::optional), and a middleware of the application inside it
//! decides about requests without a key. The layer stays outside: a bad key is rejected there, and is never taken for the absence of one.
//!
//! `RequireScopeLayer` and the [rules](crate::rules) of the layer admit callers with a key only. So where other callers may come as well, the
//! scopes are checked in the handlers, and `rules` are left out: with them, `optional` has no effect.
//!
//! # JWT or key
//!
//! A Bearer token that starts with `demo_` is a key, even if it is malformed; each other one is left to the middleware inside. By
//! [`strip`](crate::AuthenticateLayer::strip), that middleware finds no key in `Authorization`, so it verifies all that it finds.
//!
#![cfg_attr(feature = "full", doc = "```")]
#![cfg_attr(not(feature = "full"), doc = "```ignore")]
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use axum::extract::{FromRequestParts, Request};
//! use axum::http::{HeaderValue, StatusCode, header::{AUTHORIZATION, WWW_AUTHENTICATE}};
//! use axum::middleware::{Next, from_fn};
//! use axum::response::{IntoResponse, Response};
//! use axum::{Extension, Router, body::Body, routing::get};
//! use tower::ServiceExt;
//! # use tower_api_key::backend::{KeyChange, KeyStore};
//! # use tower_api_key::digest::Digester;
//! # use tower_api_key::{Environment, KeyId, Owner, Record, Scopes};
//! use tower_api_key::{AuthenticateLayer, Authenticator, KeyFormat, MemoryStore, Principal};
//! use tower_api_key::{Reason, Rejection, Scope, Source};
//!
//! /// The caller of a request, by a key or by a token.
//! #[derive(Clone)]
//! enum Caller {
//!     Key(Principal),
//!     User { name: String, is_admin: bool },
//! }
//!
//! impl Caller {
//!     /// In place of `RequireScopeLayer`, which admits callers with a key only.
//!     fn require(&self, scope: &Scope) -> Result<(), Rejection> {
//!         match self {
//!             Self::Key(principal) => principal.require(scope),
//!             Self::User { is_admin: true, .. } => Ok(()),
//!             Self::User { .. } => Err(Rejection::new(Reason::MissingScope(scope.clone().into()))),
//!         }
//!     }
//! }
//!
//! /// In place of a JWT library, which checks the signature, the algorithm, the issuer, the audience and the time.
//! fn verify(authorization: &HeaderValue) -> Option<Caller> {
//!     match authorization.to_str().ok()?.strip_prefix("Bearer ")? {
//!         "eyJ.ann.sig" => Some(Caller::User { name: "ann".into(), is_admin: false }),
//!         _ => None,
//!     }
//! }
//!
//! async fn jwt_or_key(request: Request, next: Next) -> Response {
//!     let (mut parts, body) = request.into_parts();
//!     let key = Principal::from_request_parts(&mut parts, &()).await;
//!     let caller = match (key, parts.headers.get(AUTHORIZATION)) {
//!         (Ok(principal), None) => Caller::Key(principal),
//!         (Ok(principal), Some(_)) => return principal.reject(Reason::Ambiguous).into_response(),
//!         (Err(missing), None) => return missing.into_response(),
//!         (Err(_), Some(token)) => match verify(token) {
//!             Some(user) => user,
//!             None => {
//!                 let challenge = r#"Bearer realm="api", error="invalid_token""#;
//!                 return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, challenge)]).into_response();
//!             }
//!         },
//!     };
//!     parts.extensions.insert(caller);
//!     next.run(Request::from_parts(parts, body)).await
//! }
//!
//! async fn whoami(Extension(caller): Extension<Caller>) -> String {
//!     match caller {
//!         Caller::Key(principal) => format!("key {}", principal.key_id()),
//!         Caller::User { name, .. } => format!("user {name}"),
//!     }
//! }
//!
//! async fn export(Extension(caller): Extension<Caller>) -> Result<&'static str, Rejection> {
//!     caller.require(&Scope::from_static("notes.read"))?;
//!     Ok("id,text")
//! }
//!
//! let store = MemoryStore::new();
//! # let key = KeyFormat::new("demo")?.mint(Environment::Live)?;
//! # let mut record = Record::new(KeyId::new("first")?, &key, &Digester::sha256(), Owner::organization("acme"));
//! # record.scopes = Scopes::parse("notes.read")?;
//! # store.change(KeyChange::insert(record)).await?;
//! # let key = key.reveal();
//! let format = KeyFormat::new("demo")?;
//! let sources = [Source::bearer().prefix("demo_")?.format(format.clone()), Source::x_api_key().format(format)];
//! let authenticator = Authenticator::builder(store).sources(sources).build()?;
//! let app = Router::new()
//!     .route("/whoami", get(whoami))
//!     .route("/export", get(export))
//!     .layer(from_fn(jwt_or_key))
//!     .layer(AuthenticateLayer::new(authenticator).optional().strip());
//!
//! let send = async |path: &str, headers: &[(&'static str, &str)]| {
//!     let request = Request::get(path);
//!     let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
//!     let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
//!     let status = response.status().as_u16();
//!     (status, axum::body::to_bytes(response.into_body(), 1000).await.unwrap())
//! };
//! let key = key.as_str();
//! let bearer_key = format!("Bearer {key}");
//! let (ann, of_key) = (("authorization", "Bearer eyJ.ann.sig"), ("authorization", &*bearer_key));
//!
//! assert_eq!(send("/whoami", &[ann]).await, (200, "user ann".into()));
//! assert_eq!(send("/whoami", &[of_key]).await, (200, "key first".into()));
//! assert_eq!(send("/whoami", &[("x-api-key", key)]).await, (200, "key first".into()));
//! assert_eq!(send("/whoami", &[]).await.0, 401, "no credential");
//! assert_eq!(send("/whoami", &[("authorization", "Bearer eyJ.bad.sig")]).await.0, 401, "a bad token");
//! assert_eq!(send("/whoami", &[("authorization", "Bearer demo_bad")]).await.0, 401, "a bad key");
//! assert_eq!(send("/whoami", &[ann, ("x-api-key", key)]).await.0, 400, "a token and a key");
//! assert_eq!(send("/whoami", &[of_key, ("x-api-key", key)]).await.0, 400, "two keys");
//! assert_eq!(send("/export", &[ann]).await.0, 403);
//! assert_eq!(send("/export", &[of_key]).await.0, 200);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! The layer itself lets a token pass beside a key, as the components behind may want both; the middleware above rejects the pair. A gateway that
//! adds its own token to each request is a reason to accept it: then verify both, and check that they name the same customer.
//!
//! Without `strip`, the middleware would find keys in `Authorization` as well, and would have to ask for the principal first. With a prefix, `strip`
//! removes the lines of keys alone.
//!
//! # Session or key
//!
//! A browser sends the cookie of a session unasked, so it has rules of its own:
//!
//! * A request that changes something needs protection against forgery from other sites (`SameSite`, a check of `Origin`) if it comes by a
//!   session, and none if it comes by a key.
//! * Responses to a session need `Cache-Control: private` from the application. The layer adds it to responses to keys, and `Vary` names the
//!   headers of keys, not `Cookie`.
//! * A page that tries a key out sends `fetch(url, { credentials: "omit", … })`, as a session and a key are two credentials.
//!
#![cfg_attr(feature = "full", doc = "```")]
#![cfg_attr(not(feature = "full"), doc = "```ignore")]
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use axum::extract::{FromRequestParts, Request};
//! use axum::http::{HeaderValue, Method, StatusCode, header};
//! use axum::middleware::{Next, from_fn};
//! use axum::response::{IntoResponse, Response};
//! use axum::{Extension, Router, body::Body, routing::get};
//! use tower::ServiceExt;
//! # use tower_api_key::backend::{KeyChange, KeyStore};
//! # use tower_api_key::digest::Digester;
//! # use tower_api_key::{Environment, KeyFormat, KeyId, Owner, Record};
//! use tower_api_key::{AuthenticateLayer, Authenticator, MemoryStore, Principal, Reason};
//!
//! /// The caller of a request, by a key or by a session.
//! #[derive(Clone)]
//! enum Caller {
//!     Key(Principal),
//!     User(&'static str),
//! }
//!
//! /// In place of a session store, which knows the user of a cookie.
//! fn user_of_session(cookies: &HeaderValue) -> Option<&'static str> {
//!     (cookies == "session=ann").then_some("ann")
//! }
//!
//! /// Returns whether a browser sends this request from a page of this site.
//! fn is_of_this_site(request: &axum::http::request::Parts) -> bool {
//!     request.headers.get(header::ORIGIN).is_some_and(|origin| origin == "https://app.example.com")
//! }
//!
//! async fn session_or_key(request: Request, next: Next) -> Response {
//!     let (mut parts, body) = request.into_parts();
//!     let key = Principal::from_request_parts(&mut parts, &()).await;
//!     let session = parts.headers.get_all(header::COOKIE).iter().find_map(user_of_session); // HTTP/2 may split it
//!     let caller = match (key, session) {
//!         (Ok(principal), None) => Caller::Key(principal),
//!         (Ok(principal), Some(_)) => return principal.reject(Reason::Ambiguous).into_response(),
//!         (Err(missing), None) => return missing.into_response(),
//!         (Err(_), Some(_)) if parts.method != Method::GET && !is_of_this_site(&parts) => {
//!             return StatusCode::FORBIDDEN.into_response();
//!         }
//!         (Err(_), Some(user)) => Caller::User(user),
//!     };
//!     parts.extensions.insert(caller);
//!     let mut response = next.run(Request::from_parts(parts, body)).await;
//!     response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private"));
//!     response
//! }
//!
//! async fn whoami(Extension(caller): Extension<Caller>) -> String {
//!     match caller {
//!         Caller::Key(principal) => format!("key {}", principal.key_id()),
//!         Caller::User(name) => format!("user {name}"),
//!     }
//! }
//!
//! let store = MemoryStore::new();
//! # let key = KeyFormat::new("demo")?.mint(Environment::Live)?;
//! # let record = Record::new(KeyId::new("first")?, &key, &Digester::sha256(), Owner::organization("acme"));
//! # store.change(KeyChange::insert(record)).await?;
//! # let key = key.reveal();
//! let app = Router::new()
//!     .route("/whoami", get(whoami).post(whoami))
//!     .layer(from_fn(session_or_key))
//!     .layer(AuthenticateLayer::new(Authenticator::builder(store).build()?).optional());
//!
//! let send = async |method: Method, headers: &[(&'static str, &str)]| {
//!     let request = Request::builder().method(method).uri("/whoami");
//!     let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
//!     let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
//!     let (status, caching) = (response.status().as_u16(), response.headers().get("cache-control").cloned());
//!     assert!(caching.is_some_and(|caching| caching == "private") || status >= 400);
//!     (status, axum::body::to_bytes(response.into_body(), 1000).await.unwrap())
//! };
//! let (ann, of_key) = (("cookie", "session=ann"), ("x-api-key", key.as_str()));
//! let here = ("origin", "https://app.example.com");
//!
//! assert_eq!(send(Method::GET, &[ann]).await, (200, "user ann".into()));
//! assert_eq!(send(Method::POST, &[of_key]).await, (200, "key first".into()));
//! assert_eq!(send(Method::POST, &[ann, here]).await, (200, "user ann".into()));
//! assert_eq!(send(Method::POST, &[ann, ("origin", "https://evil.example")]).await.0, 403, "from another site");
//! assert_eq!(send(Method::GET, &[]).await.0, 401, "no credential");
//! assert_eq!(send(Method::GET, &[ann, ("x-api-key", "bad")]).await.0, 401, "a bad key beside a session");
//! assert_eq!(send(Method::GET, &[ann, of_key]).await.0, 400, "a session and a key");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Keys of two kinds
//!
//! Keys of one store that are presented in different headers need one authenticator with a [`Source`](crate::Source) for each, and
//! [`Record::sources`](crate::Record::sources) to restrict a key to its own. Where the stores, the environments or the bodies of rejections
//! differ, each kind has an authenticator, and [`any_of`](crate::AuthenticateLayer::any_of) puts them into one layer. The source that holds
//! the credential says who decides. If both kinds are Bearer, each needs a prefix:
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_api_key::{AuthenticateLayer, Authenticator, Environment, MemoryStore, Source};
//!
//! let live = Authenticator::builder(MemoryStore::new())
//!     .sources([Source::bearer().prefix("demo_live_")?])
//!     .environment(Environment::Live)
//!     .build()?;
//! let sandbox = Authenticator::builder(MemoryStore::new())
//!     .sources([Source::bearer().prefix("demo_test_")?, Source::header("Sandbox-Key")?])
//!     .environment(Environment::Test)
//!     .realm("sandbox")
//!     .build()?;
//! let layer = AuthenticateLayer::any_of([live, sandbox])?;
//!
//! async fn inner(_: Request<()>) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
//!     Ok(Response::new(Full::default()))
//! }
//! let send = async |credential: &str| {
//!     let request = Request::builder().header("authorization", credential).body(()).unwrap();
//!     let response = layer.layer(service_fn(inner)).oneshot(request).await.unwrap();
//!     let challenges = response.headers().get_all("www-authenticate").iter();
//!     challenges.map(|line| line.to_str().unwrap().to_owned()).collect::<Vec<_>>()
//! };
//! assert_eq!(send("Bearer demo_test_1").await, [r#"Bearer realm="sandbox", error="invalid_token""#]);
//! let all = [r#"Bearer realm="api""#, r#"Bearer realm="sandbox""#, r#"ApiKey realm="sandbox", header="sandbox-key""#];
//! assert_eq!(send("Bearer eyJ.ann.sig").await, all);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```

// Layer 10 of 10: rim.

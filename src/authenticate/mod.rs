//! Middleware that admits requests with a valid API key and rejects all others.
//!
//! An admitted request reaches the inner service with a [`Principal`](crate::Principal) in its extensions. All other
//! requests are answered in their own protocol, HTTP or gRPC, without a call of the inner service.
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Full;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//! use tower_api_key::backend::{KeyChange, KeyStore};
//! use tower_api_key::key::{KeyFormat, KeyId};
//! use tower_api_key::{AuthenticateLayer, Authenticator, Environment, MemoryStore, Owner, Principal, Record};
//! # use tower_api_key::{Timestamp, digest::Digester};
//!
//! let key = KeyFormat::new("demo")?.mint(Environment::Live)?;
//! let store = MemoryStore::new();
//! # let id = KeyId::generate(Timestamp::from_unix_millis(0))?;
//! let record = Record::new(id, &key, &Digester::sha256(), Owner::organization("acme"));
//! store.change(KeyChange::insert(record)).await?;
//!
//! let mut service = ServiceBuilder::new()
//!     .layer(AuthenticateLayer::new(Authenticator::builder(store).build()?))
//!     .service(service_fn(|request: Request<Full<Bytes>>| async move {
//!         let principal = request.extensions().get::<Principal>().expect("a principal");
//!         let name = principal.key_id().to_string();
//!         Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from(name))))
//!     }));
//!
//! let request = Request::builder()
//!     .header("authorization", format!("Bearer {}", key.reveal().as_str()))
//!     .body(Full::default())?;
//! let response = service.ready().await?.call(request).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//!
//! let response = service.ready().await?.call(Request::new(Full::default())).await?;
//! assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
//! assert_eq!(response.headers()["www-authenticate"], r#"Bearer realm="api""#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # When a request is decided
//!
//! The decision is made once for each request, before its body is polled, by its headers alone. A response or a stream
//! that has started continues after its key was revoked.
//!
//! # Order of layers
//!
//! Put layers that limit concurrency *inside* this one: a rejected request should not hold a permit, and one that
//! waits for a lookup holds the permit of the inner service that was ready for it. [A guide](crate::_guide::layers) has the places of CORS,
//! traces, compression, timeouts and error handling.

// Layer 8 of 10: decision.
// Above `authenticator` and `rules`; below the rim, which wraps it. Bottom to top, a file importing only those before it:
// `alternatives`, `caching`, `additions`, `public`, `admission`, `service`, `layer`, `self`.

mod additions;
mod admission;
mod alternatives;
mod caching;
mod layer;
mod public;
mod service;

pub use layer::AuthenticateLayer;
pub use service::{Authenticate, ResponseFuture};

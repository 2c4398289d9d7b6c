//! Middleware that admits a request only if its principal has the required scopes.
//!
//! It reads the principal that [`Authenticate`](crate::authenticate::Authenticate) left in the extensions, and rejects as its authenticator
//! is configured to.
//!
//! A request that the layer outside admitted as [public](crate::AuthenticateLayer::public) passes, as a preflight does, unless rules of this
//! layer name its path. One that is admitted by a [prefix](crate::AuthenticateLayer::public_prefix), or by a public route of another router,
//! does not pass: it is answered 401, and an error in the log (feature `tracing`) names the prefix.
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Full;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//! use tower_api_key::scope::Requirement;
//! # use tower_api_key::backend::{KeyChange, KeyStore};
//! # use tower_api_key::key::{KeyFormat, KeyId};
//! # use tower_api_key::{digest::Digester, Environment, MemoryStore, Owner, Record, Scopes, Timestamp};
//! use tower_api_key::{AuthenticateLayer, Authenticator, RequireScopeLayer};
//! # let key = KeyFormat::new("demo")?.mint(Environment::Live)?;
//! # let store = MemoryStore::new();
//! # let id = KeyId::generate(Timestamp::from_unix_millis(0))?;
//! # let mut record = Record::new(id, &key, &Digester::sha256(), Owner::organization("acme"));
//! # record.scopes = Scopes::new(["notes.read"])?;
//! # store.change(KeyChange::insert(record)).await?;
//! # let authenticator = Authenticator::builder(store).build()?;
//! # let text = key.reveal();
//!
//! // `text` is a key that was granted `notes.read`.
//! for (scope, status) in [("notes.read", StatusCode::OK), ("notes.write", StatusCode::FORBIDDEN)] {
//!     let mut service = ServiceBuilder::new()
//!         .layer(AuthenticateLayer::new(authenticator.clone()))
//!         .layer(RequireScopeLayer::new(Requirement::all_of([scope])?))
//!         .service(service_fn(|_: Request<Full<Bytes>>| async {
//!             Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
//!         }));
//!     let request = Request::builder().header("x-api-key", text.as_str()).body(Full::default())?;
//!     assert_eq!(service.ready().await?.call(request).await?.status(), status);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```

// Layer 8 of 10: decision.
// Above `principal` and `rules`; below the rim, which wraps it. Bottom to top, a file importing only those before it:
// `future`, `service`, `layer`, `self`.

mod future;
mod layer;
mod service;

pub use future::ResponseFuture;
pub use layer::RequireScopeLayer;
pub use service::RequireScope;

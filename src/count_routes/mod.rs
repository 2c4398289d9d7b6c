//! Middleware that counts [usage](crate::usage) by route.
//!
//! It reads the principal that [`Authenticate`](crate::authenticate::Authenticate) left in the extensions, and counts its request for the route
//! that it was sent to, beside the counts of its key. It admits every request, and a service without it pays nothing.
//!
//! The route is the template that axum has matched, such as `/notes/{id}`, never the path that a client wrote. So the layer belongs inside of
//! the authenticating layer and inside of the router, by `Router::layer` or `Router::route_layer`. A service without axum names its
//! [paths](CountRoutesLayer::paths). Every other request counts for the route [`other`](crate::backend::OTHER_ROUTE).
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use axum::{Router, body::Body, http::Request, routing::get};
//! use tower::ServiceExt;
//! use tower_api_key::backend::{UsageBy, UsageQuery, UsageStore};
//! use tower_api_key::clock::{Clock, Day, SystemClock};
//! use tower_api_key::usage::Usage;
//! use tower_api_key::{AuthenticateLayer, Authenticator, CountRoutesLayer};
//! # use tower_api_key::backend::{KeyChange, KeyStore};
//! # use tower_api_key::{digest::Digester, KeyId, MemoryStore, Owner, Record};
//! # let store = MemoryStore::new();
//! # let digest = Digester::sha256().digest(b"a-key-from-elsewhere");
//! # let record = Record::imported(KeyId::new("key_1")?, digest, Owner::organization("acme"));
//! # store.change(KeyChange::insert(record)).await?;
//!
//! let usage = Usage::builder(store.clone()).build()?;
//! let authenticator = Authenticator::builder(store.clone()).usage(usage.clone()).build()?;
//! let app: Router = Router::new()
//!     .route("/notes/{id}", get("a note"))
//!     .layer(CountRoutesLayer::new())
//!     .layer(AuthenticateLayer::new(authenticator));
//! for path in ["/notes/1", "/notes/2", "/unknown"] {
//!     let request = Request::get(path).header("x-api-key", "a-key-from-elsewhere");
//!     app.clone().oneshot(request.body(Body::empty())?).await?;
//! }
//!
//! usage.flush().await?;
//! let today = Day::from(SystemClock::new().wall());
//! let lines = store.usage(&UsageQuery::new(today.plus(-1), today).by(UsageBy::Route)).await?;
//! let of = |route| lines.iter().filter(|line| line.route.as_deref() == Some(route)).map(|line| line.requests).sum::<u64>();
//! assert_eq!((of("/notes/{id}"), of("other")), (2, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! A request that is rejected outside of this layer, such as by a limit, is counted for no route; one that is rejected inside is counted. A
//! request that passes two such layers is counted twice.

// Layer 8 of 10: decision.
// Above `principal`. Bottom to top, a file importing only those before it:
// `service`, `layer`, `self`.

mod layer;
mod service;

pub use layer::CountRoutesLayer;
pub use service::CountRoutes;

//! Client side: attaches an API key to requests, and sends it nowhere else.
//!
//! [`AttachKeyLayer`] wraps a client that is a Tower service, such as hyper-util's, a tonic channel, or reqwest's. It presents a
//! [`ClientKey`] as a [`Source`](crate::Source) of the server reads it, and marks the header as sensitive.
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use http::{Request, Response};
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_api_key::Source;
//! use tower_api_key::client::{AttachKeyError, AttachKeyErrorKind, AttachKeyLayer, ClientKey};
//!
//! // In place of a client: answers with the key that a server would see.
//! async fn server(request: Request<()>) -> Result<Response<String>, std::convert::Infallible> {
//!     let key = &request.headers()["x-api-key"];
//!     assert!(key.is_sensitive());
//!     Ok(Response::new(key.to_str().unwrap().to_owned()))
//! }
//! let key = ClientKey::new("demo_live_123"); // or `ClientKey::file("/run/secrets/api-key").await?`
//! let layer = AttachKeyLayer::new("https://api.example.com", Source::x_api_key(), key)?;
//! let client = ServiceBuilder::new().layer(layer).service_fn(server);
//!
//! let response = client.clone().oneshot(Request::get("https://api.example.com/notes").body(())?).await?;
//! assert_eq!(response.body(), "demo_live_123");
//!
//! let error = client.oneshot(Request::get("https://evil.example/notes").body(())?).await.unwrap_err();
//! let error = error.downcast_ref::<AttachKeyError>().expect("an error of the layer");
//! assert_eq!(error.kind(), AttachKeyErrorKind::OtherOrigin);
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Refused requests
//!
//! A request is not sent, and the error is an [`AttachKeyError`], when
//!
//! - its URI or its `Host` names another origin than the layer's, or user information;
//! - its URI names no scheme and host, unless the layer was built [for a channel](AttachKeyLayer::for_channel);
//! - it has the header of the key already: neither of two credentials is chosen;
//! - its method is `CONNECT`, which addresses a proxy, or `TRACE` or `TRACK`, whose answer echoes the key;
//! - its key cannot be read.
//!
//! The error of the service is a [`BoxError`], which holds this error or that of the client.
//!
//! # Below the layer
//!
//! The layer sees a request once. What the services inside do with it afterwards is out of its reach, so
//!
//! - put the layer right around the client, inside the layers that log, retry or rewrite requests;
//! - turn off redirects in the client (`reqwest::redirect::Policy::none()`), or follow them in a layer outside this one, which then checks
//!   each request;
//! - configure no proxy for an `http` origin: it would receive the key;
//! - leave the verification of certificates on.
//!
//! A retry of a rejected request belongs outside as well. After a 401, the layer reads the
//! [file](ClientKey::file) of the key again for the next request.
//!
//! # tonic
//!
//! A channel adds its origin to requests, below any layer:
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use tonic::transport::Endpoint;
//! use tonic_health::pb::health_client::HealthClient;
//! use tower::ServiceBuilder;
//! use tower_api_key::Source;
//! use tower_api_key::client::{AttachKeyLayer, ClientKey};
//!
//! let origin = "http://localhost:3000";
//! let layer = AttachKeyLayer::for_channel(origin, Source::bearer(), ClientKey::new("demo_live_123"))?;
//! let channel = Endpoint::from_static(origin).connect_lazy();
//! let client = HealthClient::new(ServiceBuilder::new().layer(layer).service(channel));
//! # drop(client);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # reqwest
//!
//! Requests and responses are converted inside the layer:
//!
//! ```
//! use tower::ServiceBuilder;
//! use tower_api_key::Source;
//! use tower_api_key::client::{AttachKeyLayer, BoxError, ClientKey};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let reqwest = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
//! let layer = AttachKeyLayer::new("https://api.example.com", Source::bearer(), ClientKey::new("demo_live_123"))?;
//! let client = ServiceBuilder::new()
//!     .layer(layer)
//!     .map_response(http::Response::<reqwest::Body>::from)
//!     .filter(|request: http::Request<String>| reqwest::Request::try_from(request))
//!     .service(reqwest);
//! # fn check(_: impl tower::Service<http::Request<String>, Response = http::Response<reqwest::Body>, Error = BoxError>) {}
//! # check(client);
//! # Ok(())
//! # }
//! ```

// Layer 10 of 10: rim.
// Above `credential` and `inner_service`; nothing imports it, and it knows neither stores nor caches.
// Bottom to top, a file importing only those before it:
// `error`, `origin`, `file`, `key`, `attachment`, `service`, `layer`, `self`.

mod attachment;
mod error;
mod file;
mod key;
mod layer;
mod origin;
mod service;

pub use error::{AttachKeyError, AttachKeyErrorKind, BoxError};
pub use key::ClientKey;
pub use layer::AttachKeyLayer;
pub use service::{AttachKey, ResponseFuture};

//! Middleware that marks the headers of credentials as sensitive, for the outermost place.
//!
//! [`AuthenticateLayer`](crate::AuthenticateLayer) marks them for the services inside it. A layer around it, such as tower-http's
//! `TraceLayer` with `include_headers(true)`, sees the request before: it writes whole keys into the log, unless this layer stands around it.
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_api_key::mark_sensitive::MarkSensitiveLayer;
//! use tower_api_key::{AuthenticateLayer, Authenticator, MemoryStore};
//!
//! let authenticator = Authenticator::new(MemoryStore::new());
//! let service = ServiceBuilder::new()
//!     .layer(MarkSensitiveLayer::new(&authenticator))
//!     .map_request(|request: Request<()>| {
//!         assert_eq!(format!("{:?}", request.headers()["x-api-key"]), "Sensitive");
//!         request
//!     })
//!     .layer(AuthenticateLayer::new(authenticator))
//!     .service(service_fn(async |_| Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))));
//!
//! let request = Request::get("/").header("x-api-key", "demo_live_abc").body(())?;
//! assert_eq!(service.oneshot(request).await?.status(), 401);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```

// Layer 8 of 10: decision.
// Above `credential` and `authenticator`, whose sources it marks. It decides nothing.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use crate::authenticator::Authenticator;
use crate::credential::Sources;
use crate::inner_service::inner_service_accessors;

/// Layer that applies [`MarkSensitive`].
///
/// See the [module](self) for an example.
#[derive(Debug, Clone)]
pub struct MarkSensitiveLayer {
    sources: Arc<Sources>,
}

impl MarkSensitiveLayer {
    /// Creates a layer that marks each header which a source of `authenticator` reads, and `Authorization` whatever its scheme.
    /// Around a layer of [several authenticators](crate::AuthenticateLayer::any_of), add one for each.
    pub fn new(authenticator: &Authenticator) -> Self {
        Self { sources: Arc::new(authenticator.sources().clone()) }
    }
}

impl<S> Layer<S> for MarkSensitiveLayer {
    type Service = MarkSensitive<S>;

    fn layer(&self, inner: S) -> Self::Service {
        MarkSensitive { inner, sources: Arc::clone(&self.sources) }
    }
}

/// Middleware that marks the headers of credentials as [sensitive](http::HeaderValue::set_sensitive), so that their `Debug` text does not
/// show them. It reads and rejects nothing.
///
/// See the [module](self) for an example.
#[derive(Debug, Clone)]
pub struct MarkSensitive<S> {
    inner: S,
    sources: Arc<Sources>,
}

inner_service_accessors!(MarkSensitive);

impl<S, ReqBody> Service<Request<ReqBody>> for MarkSensitive<S>
where
    S: Service<Request<ReqBody>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        self.sources.mark(request.headers_mut());
        self.inner.call(request)
    }
}

//! Support for tonic: the principal of a call, rejections as statuses, and tonic's own body.
//!
//! Let the layer answer calls in their own protocol: `AuthenticateLayer::new(authenticator).grpc()`
//! ([`AuthenticateLayer::grpc`](crate::AuthenticateLayer::grpc)). Otherwise a client reads the HTTP status as `UNKNOWN`. With tonic-web, add
//! this layer before `GrpcWebLayer`: inside of that, a call of a browser looks like none.
//!
//! ```
//! use tonic::{Request, Response, Status};
//!
//! async fn greet(request: Request<()>) -> Result<Response<String>, Status> {
//!     let principal = tower_api_key::tonic::principal(&request)?;
//!     Ok(Response::new(format!("hello {}", principal.key_id())))
//! }
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! // Without the layer, the call has no principal: an error of the service, which its log explains.
//! assert_eq!(greet(Request::new(())).await.unwrap_err().code(), tonic::Code::Internal);
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Single services
//!
//! One layer with [`PathRules`](crate::rules::PathRules) covers a server, by `Server::builder().layer(…)`, and says which methods are
//! public. To protect some services and leave their neighbours alone, wrap those: a layered service keeps its name, so a server and
//! `Routes` take it as they take the bare one. A layer is cheap to clone, and all services wrapped with it share one cache.
//!
//! ```
//! use tonic::transport::Server;
//! use tower::Layer;
//! use tower_api_key::rules::{Access, PathRules};
//! use tower_api_key::{AuthenticateLayer, Authenticator, MemoryStore};
//!
//! # let runtime = tokio::runtime::Runtime::new()?;
//! # let _guard = runtime.enter();
//! # let (_, open) = tonic_health::server::health_reporter();
//! # let (_, guarded) = tonic_health::server::health_reporter();
//! let rules = PathRules::new([
//!     ("/grpc.health.v1.Health/Check", Access::scope("health.read")?),
//!     ("/grpc.health.v1.Health/Watch", Access::AnyKey),
//! ])?;
//! let authenticate = AuthenticateLayer::new(Authenticator::builder(MemoryStore::new()).build()?).grpc();
//! let guarded = authenticate.rules(rules).layer(guarded);
//! # let open = Neighbour(open);
//! # use std::task::{Context, Poll};
//! # #[derive(Clone)]
//! # struct Neighbour<S>(S);
//! # impl<S> tonic::server::NamedService for Neighbour<S> { const NAME: &'static str = "open.v1.Open"; }
//! # impl<S: tower::Service<R>, R> tower::Service<R> for Neighbour<S> {
//! #     type Response = S::Response;
//! #     type Error = S::Error;
//! #     type Future = S::Future;
//! #     fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> { self.0.poll_ready(context) }
//! #     fn call(&mut self, request: R) -> S::Future { self.0.call(request) }
//! # }
//! // `open` needs no key.
//! let server = Server::builder().add_service(open).add_service(guarded);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// Layer 10 of 10: rim.

use bytes::Bytes;
use http_body_util::Full;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Code, Request, Status};

use crate::authenticate::Authenticate;
use crate::count_routes::CountRoutes;
use crate::limit_requests::LimitRequests;
use crate::principal::{self, Dependent, Principal};
use crate::reject::{Reason, Rejection, RejectionBody};
use crate::require_scope::RequireScope;

/// Returns the principal of a call.
///
/// # Errors
///
/// `UNAUTHENTICATED` if the call was forwarded without a credential, `INTERNAL` if it did not
/// pass an [`AuthenticateLayer`](crate::AuthenticateLayer), which is an error in the log (feature `tracing`), once for a process. Both are
/// reported as rejections.
#[allow(clippy::result_large_err, reason = "`Status` is what a tonic handler returns")]
pub fn principal<T>(request: &Request<T>) -> Result<&Principal, Status> {
    static FUNCTION: Dependent = Dependent::new("`tower_api_key::tonic::principal`");
    principal::principal(request.extensions(), &FUNCTION).map_err(Into::into)
}

/// Reports the rejection to the log, the metrics and the audit hook, and returns its gRPC status.
impl From<Rejection> for Status {
    fn from(rejection: Rejection) -> Self {
        rejection.report(None);
        let reason = rejection.reason();
        let mut status = Self::new(Code::from_i32(reason.grpc_code().into()), reason.detail());
        if let Reason::Limited(limited) = reason {
            status.metadata_mut().insert("retry-after", limited.retry_after_seconds().into());
        }
        status
    }
}

impl RejectionBody for Body {
    fn from_bytes(bytes: Bytes) -> Self {
        Self::new(Full::new(bytes))
    }
}

impl<S: NamedService> NamedService for Authenticate<S> {
    const NAME: &'static str = S::NAME;
}

impl<S: NamedService> NamedService for RequireScope<S> {
    const NAME: &'static str = S::NAME;
}

impl<S: NamedService> NamedService for LimitRequests<S> {
    const NAME: &'static str = S::NAME;
}

impl<S: NamedService> NamedService for CountRoutes<S> {
    const NAME: &'static str = S::NAME;
}

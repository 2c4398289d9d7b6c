//! Protect a tonic service: rules for its methods, a public health check, streams, and clients.
//!
//! Features: `tonic`, a store (`sqlite` or `postgres`), and `test-util` for the tests.
//!
//! | Step | By |
//! |---|---|
//! | cover all services of a server | `Server::builder().layer(authenticate)` |
//! | cover one service | `authenticate.layer(service)`, which keeps the name of the service: see [single services](crate::tonic#single-services) |
//! | answer clients in their protocol | [`AuthenticateLayer::grpc`](crate::AuthenticateLayer::grpc) |
//! | say who may call each method | [`PathRules`](crate::rules::PathRules), by `/package.Service/Method`; a method without a rule is `PERMISSION_DENIED` |
//! | get the caller | [`tonic::principal`](crate::tonic::principal) |
//! | send a key | [`AttachKeyLayer::for_channel`](crate::client::AttachKeyLayer::for_channel) |
//!
//! A layer replaces an interceptor, which can neither wait for a lookup nor see the method.
//!
//! The service here implements the standard health protocol, with a unary and a streaming method, in place of one that is generated from
//! your own file:
//!
#![cfg_attr(feature = "full", doc = "```")]
#![cfg_attr(not(feature = "full"), doc = "```ignore")]
//! use std::error::Error;
//!
//! use tokio::net::TcpListener;
//! use tonic::codegen::{BoxStream, tokio_stream};
//! use tonic::transport::{Endpoint, Server, server::TcpIncoming};
//! use tonic::{Code, Request, Response, Status};
//! use tonic_health::pb::health_client::HealthClient;
//! use tonic_health::pb::health_server::{Health, HealthServer};
//! use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
//! use tower::ServiceBuilder;
//! use tower_api_key::client::{AttachKeyLayer, ClientKey};
//! use tower_api_key::rules::{Access, PathRules};
//! use tower_api_key::{AuthenticateLayer, ConfigError, Principal, Scope, Source, test_util};
//!
//! fn authenticate(layer: AuthenticateLayer) -> Result<AuthenticateLayer, ConfigError> {
//!     Ok(layer.grpc().rules(PathRules::new([
//!         ("/grpc.health.v1.Health/Check", Access::Public),
//!         ("/grpc.health.v1.Health/Watch", Access::scope("health.watch")?),
//!     ])?))
//! }
//!
//! struct Service;
//!
//! const INTERNAL: Scope = Scope::from_static("health.internal");
//!
//! #[tonic::async_trait]
//! impl Health for Service {
//!     async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
//!         Ok(Response::new(HealthCheckResponse { status: 1 }))
//!     }
//!
//!     type WatchStream = BoxStream<HealthCheckResponse>;
//!
//!     async fn watch(
//!         &self,
//!         request: Request<HealthCheckRequest>,
//!     ) -> Result<Response<Self::WatchStream>, Status> {
//!         let caller: &Principal = tower_api_key::tonic::principal(&request)?;
//!         if request.get_ref().service == "internal" {
//!             caller.require(&INTERNAL)?; // `PERMISSION_DENIED` without it
//!         }
//!         Ok(Response::new(Box::pin(tokio_stream::once(Ok(HealthCheckResponse { status: 1 })))))
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn Error>> {
//!     // A server takes `AuthenticateLayer::new(store)`.
//!     let layer = test_util::layer("test", |record| record.scopes = "health.watch".parse().unwrap());
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let origin = format!("http://{}", listener.local_addr()?);
//!     let server = Server::builder().layer(authenticate(layer)?).add_service(HealthServer::new(Service));
//!     tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
//!
//!     let request = |service: &str| HealthCheckRequest { service: service.to_owned() };
//!     let channel = Endpoint::from_shared(origin.clone())?.connect_lazy();
//!     let mut without_key = HealthClient::new(channel.clone());
//!     assert!(without_key.check(request("")).await.is_ok());
//!     assert_eq!(without_key.watch(request("")).await.unwrap_err().code(), Code::Unauthenticated);
//!
//!     let attach = AttachKeyLayer::for_channel(&origin, Source::bearer(), ClientKey::new("test"))?;
//!     let mut with_key = HealthClient::new(ServiceBuilder::new().layer(attach).service(channel));
//!     let mut stream = with_key.watch(request("")).await?.into_inner();
//!     assert_eq!(stream.message().await?, Some(HealthCheckResponse { status: 1 }));
//!     assert_eq!(with_key.watch(request("internal")).await.unwrap_err().code(), Code::PermissionDenied);
//!     Ok(())
//! }
#![doc = "```"]
//!
//! # Health and reflection
//!
//! A probe has no key: declare `Check` public, as above, or leave the health service bare and wrap the other services. A key that comes with a
//! public call is not looked up, so an outage of the key store does not fail the probe. Public methods are declared one by one.
//! Without a rule for them, reflection and other services of the same server are forbidden.
//!
//! # The trap: a stream outlives its key
//!
//! A call is decided once, by its headers, before its first message. A stream that has begun continues after its key was revoked, as the
//! [limits](super::security#limits) state. Where that matters, end streams after a while, so that clients call again, or call
//! [`Principal::recheck`](crate::Principal::recheck) before a message that must not reach a former customer. A stream is one request in the
//! [usage](crate::usage#what-is-counted) of its key, and each rejection that it makes into a `Status` counts.
//!
//! Related: REST and gRPC on one port in `examples/mixed.rs`, clients with a key in a file in [`client`](crate::client), and the complete
//! server in `examples/grpc.rs`.

// Layer 10 of 10: rim.

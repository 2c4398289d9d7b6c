//! A reverse proxy: in front of the service, asking the service, or built with this crate.
//!
//! | Place | Setting |
//! |---|---|
//! | a proxy in front of the service | it has to pass on `Authorization` and the headers of keys, as nginx does. Its caches need [no setting](super::security#in-front-of-the-service), if they obey `Cache-Control` and `Vary` |
//! | nginx asks the service about each request, by `auth_request` | a route behind the layer, see [below](#nginx-auth_request) |
//! | your own proxy or gateway, in Rust | [`AuthenticateLayer::strip`](crate::AuthenticateLayer::strip), and a header for keys that the upstream does not use |
//!
//! # A gateway
//!
//! Features: a store (`sqlite` or `postgres`), and `axum` for its body. Keys come in `X-API-Key`, which `strip` removes;
//! `Authorization` is left to the upstream. The
//! gateway tells the upstream the tenant in a header of its own.
//!
#![cfg_attr(feature = "full", doc = "```")]
#![cfg_attr(not(feature = "full"), doc = "```ignore")]
//! use axum::Router;
//! use axum::body::{Body, to_bytes};
//! use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_api_key::manage::{KeyManager, NewKey};
//! use tower_api_key::{AuthenticateLayer, Authenticator, KeyFormat, MemoryStore, Owner, Principal, Source};
//!
//! fn with_tenant(mut request: Request<Body>) -> Request<Body> {
//!     for name in ["x-tenant", "x_tenant"] {
//!         request.headers_mut().remove(name); // A client may have sent it. CGI and WSGI read both as one.
//!     }
//!     // A client that forwards the request drops the headers that `Connection` names.
//!     request.headers_mut().remove("connection");
//!     let tenant = match request.extensions().get::<Principal>().map(Principal::owner) {
//!         Some(Owner::Organization(own)) => HeaderValue::from_str(&own.id).ok(),
//!         _ => None, // a key of a project or a user does not reach all data of a tenant
//!     };
//!     if let Some(tenant) = tenant {
//!         request.headers_mut().insert("x-tenant", tenant);
//!     }
//!     request
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let store = MemoryStore::new();
//!     let manager = KeyManager::new(store.clone(), KeyFormat::new("notes")?);
//!     let key = manager.create(NewKey::for_organization("acme")).await?.reveal();
//!
//!     // In place of the upstream, and of the client that forwards to it: answers with the headers that it gets.
//!     let upstream: Router = Router::new().fallback(async |headers: HeaderMap| {
//!         ["authorization", "x-api-key", "x_tenant", "x-tenant"]
//!             .map(|name| headers.get(name).map_or("none", |value| value.to_str().unwrap()).to_owned())
//!             .join(", ")
//!     });
//!     let authenticator = Authenticator::builder(store).sources([Source::x_api_key()]).build()?;
//!     let gateway = ServiceBuilder::new()
//!         .layer(AuthenticateLayer::new(authenticator).strip())
//!         .map_request(with_tenant)
//!         .service(upstream);
//!
//!     let request = Request::get("/notes")
//!         .header("x-api-key", key.as_str())
//!         .header("authorization", "Bearer for-the-upstream")
//!         .header("x_tenant", "globex")
//!         .header("connection", "x-tenant");
//!     let response = gateway.clone().oneshot(request.body(Body::empty())?).await?;
//!     let seen = to_bytes(response.into_body(), 1_024).await?;
//!     assert_eq!(seen, "Bearer for-the-upstream, none, none, acme");
//!
//!     let request = Request::get("/notes").header("authorization", format!("Bearer {}", key.as_str()));
//!     let response = gateway.oneshot(request.body(Body::empty())?).await?;
//!     assert_eq!(response.status(), StatusCode::UNAUTHORIZED); // a key in the upstream's header is no key here
//!     Ok(())
//! }
#![doc = "```"]
//!
//! The upstream trusts the header: let only the gateway reach it. With [`Source::bearer`](crate::Source::bearer) beside
//! `X-API-Key`, as by default, such a request has two credentials, and gets 400. Without
//! `strip`, the upstream gets the key, only marked as sensitive for the logs of this process.
//!
//! # nginx, `auth_request`
//!
//! `keys` is the service with the route `/check` behind the layer, whose handler answers with the tenant:
//! `async |caller: Principal| [("x-tenant", …)]`. Enable no gRPC answers there. A test of this crate runs these locations in nginx:
//!
#![doc = concat!("```nginx\n", include_str!("auth_request.conf"), "```")]
//!
//! The subrequest is a `GET` of `/check`, whatever the request is: to require scopes, write a route for each, and a location that asks it. A
//! rejection with 401 keeps its challenge; its body is nginx's.
//!
//! The application trusts `X-Tenant`, so let only nginx reach it.
//!
//! # The trap: other statuses than 401 and 403
//!
//! nginx answers 500 to each status of the subrequest but 2xx, 401 and 403: to 400 for two credentials, and to 503 in an outage of the store. It
//! admits no such request, and clients and alerts see 500.

// Layer 10 of 10: rim.

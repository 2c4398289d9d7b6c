//! API keys for Tower: authenticates the caller of each request and checks its scopes.
//!
//! [`AuthenticateLayer`] finds the credential of a request, looks up its digest in a cached store, checks the key's record, and
//! puts a [`Principal`] into the request's extensions. It rejects requests without a good key over HTTP, or over gRPC where it is
//! [told to](AuthenticateLayer::grpc). [`RequireScopeLayer`] then asks for scopes, route by route.
//!
#![cfg_attr(all(feature = "console", feature = "sqlite"), doc = "```no_run")]
#![cfg_attr(not(all(feature = "console", feature = "sqlite")), doc = "```ignore")]
//! use std::env;
//! use std::error::Error;
//! use std::net::SocketAddr;
//!
//! use axum::Router;
//! use axum::routing::{delete, get};
//! use tokio::net::TcpListener;
//! use tokio::signal::ctrl_c;
//! use tower_api_key::backend::Actor;
//! use tower_api_key::console::{Console, Handover};
//! use tower_api_key::manage::{KeyManager, NewKey, Permissions};
//! use tower_api_key::{AuthenticateLayer, Authenticator, KeyFormat, Principal, RequireScopeLayer, SqliteStore};
//!
//! const PERMISSIONS: [(&str, &str); 2] = [("notes.read", "Read notes"), ("notes.write", "Clear notes")];
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn Error>> {
//!     let store = SqliteStore::open("sqlite:quickstart.db").await?;
//!     let authenticator = Authenticator::new(store.clone());
//!     let keys = KeyManager::new(store, KeyFormat::new("demo")?);
//!     let keys = keys.with_permissions(Permissions::new().group("Notes", PERMISSIONS)?);
//!     let new = NewKey::for_organization("acme").scopes("notes.read".parse()?);
//!     let key = keys.create(new).await?.reveal(); // its text, available only now
//!
//!     let listener = TcpListener::bind(env::var("ADDR").unwrap_or("127.0.0.1:3000".into())).await?;
//!     let address = format!("http://{}", listener.local_addr()?);
//!     let pages = Console::new(keys)?.sessions(&authenticator, &format!("{address}/keys"))?.development()?;
//!     let app = Router::new()
//!         .route("/notes", get(list).layer(RequireScopeLayer::scope("notes.read")?))
//!         .route("/notes", delete(clear).layer(RequireScopeLayer::scope("notes.write")?))
//!         .layer(AuthenticateLayer::new(authenticator))
//!         .nest("/keys", pages.routes())
//!         .layer(pages.strip_cookie())
//!         .into_make_service_with_connect_info::<SocketAddr>();
//!     println!("curl -i -H 'X-API-Key: {}' {address}/notes", key.as_str());
//!     println!("{}", pages.link_for(Handover::operator(Actor::named("quickstart"))?).await?); // for a browser
//!     axum::serve(listener, app).with_graceful_shutdown(async { ctrl_c().await.expect("a signal") }).await?;
//!     Ok(())
//! }
//!
//! async fn list(principal: Principal) -> String {
//!     format!("notes of {}\n", principal.owner())
//! }
//!
//! async fn clear() -> &'static str {
//!     "cleared\n"
//! }
//! ```
//!
//! # Where to look
//!
//! | For | See |
//! |---|---|
//! | the middleware and its options | [`authenticate`], [`require_scope`] |
//! | layers around and inside it, access logs | [`_guide::layers`], [`mark_sensitive`] |
//! | who may call which route | [`rules`] |
//! | how many requests a key may make | [`limit`], [`limit_requests`] |
//! | the security part of an OpenAPI document | `openapi`, with the feature of this name |
//! | the sources of a request, how long the cache keeps keys | [`AuthenticatorBuilder`] |
//! | places in a request, kinds of key | [`credential::Source`], [`key::KeyFormat`] |
//! | a key on the requests of a client | [`client`] |
//! | stores of keys and their owners | [`backend`] |
//! | how often each key is used, also by route | [`usage`], [`count_routes`] |
//! | creating, listing, rotating and revoking keys | [`manage`] |
//! | the caller and its reach | [`Principal`], [`Owner`], [`Requirement`] |
//! | the response to a rejected client | [`reject`] |
//! | pages on which people manage keys | `console`, with the feature of this name |
//! | who did what to which key | [`audit`], [`backend::AuditLog`] |
//! | guides by task, and APIs like ones that you know | [`_guide`] |
//! | operation: settings, alerts, failover, backups | [`_guide::operations`] |
//! | a message that you look for | [`_guide::troubleshooting`] |
//! | promises and their limits | [`_guide::security`] |
//! | rationale | [`_guide::design`] |
//! | the words of this crate | [`_guide::glossary`] |
//!
//! # Features
//!
//! All are off by default, and each only adds.
//!
//! | Feature | Adds |
//! |---|---|
//! | `axum` | extractors, rules by route, reach by path, rejections as responses, axum's body, public paths inside nested routers |
//! | `tonic` | the principal of a call, rejections as statuses, tonic's body |
//! | `sqlite` | keys in an SQLite file, alone or in an application's own database |
//! | `postgres` | keys in a PostgreSQL database, alone or among the tables of an application |
//! | `valkey` | limits counted over a fleet, in Valkey or Redis |
//! | `routes` | key management over HTTP: the routes of [`manage`], with their OpenAPI document; turns on `axum` |
//! | `console` | pages on which customers and operators manage keys; turns on `routes` |
//! | `openapi` | the security part of an application's OpenAPI document, from its layers and rules |
//! | `password` | passwords of users beside keys, by Argon2id |
//! | `problem` | `application/problem+json` rejections (RFC 9457) |
//! | `metrics` | counters and gauges for Prometheus and others, by the `metrics` facade |
//! | `serde` | ids, scopes, times, environments, states and key formats as texts of JSON and other formats |
//! | `tracing` | events for admissions, rejections, failed lookups and audited changes, by key id |
//! | `test-util` | for the tests of applications: a layer with a known key, principals, a check that routes are guarded, misbehaving backends |
//! | `full` | all of them |
//!
//! # Runtime
//!
//! A lookup runs in a task of its own, so the crate needs a Tokio runtime with its timer enabled.

// Names the feature of each item on docs.rs.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod _guide;
mod ascii;
pub mod audit;
pub mod authenticate;
mod authenticator;
#[cfg(feature = "axum")]
pub mod axum;
pub mod backend;
mod cache;
pub mod client;
pub mod clock;
#[cfg(feature = "console")]
pub mod console;
pub mod count_routes;
pub mod credential;
pub mod digest;
mod environment;
pub mod error;
mod guarded_call;
pub mod health;
mod inner_service;
pub mod key;
pub mod limit;
pub mod limit_requests;
pub mod manage;
pub mod mark_sensitive;
#[cfg(not(feature = "metrics"))]
mod metrics;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod owner;
#[cfg(feature = "password")]
pub mod password;
mod password_hash;
mod path;
pub mod principal;
mod quote;
mod random;
mod reason;
pub mod record;
pub mod reject;
pub mod require_scope;
mod rights;
pub mod rules;
mod runtime;
pub mod scope;
mod select;
#[cfg(feature = "test-util")]
pub mod test_util;
mod text;
mod timeout;
#[cfg(feature = "tonic")]
pub mod tonic;
mod trace;
pub mod usage;

pub use authenticate::AuthenticateLayer;
pub use authenticator::{Authenticator, AuthenticatorBuilder};
pub use backend::MemoryStore;
#[cfg(feature = "postgres")]
pub use backend::PostgresStore;
#[cfg(feature = "sqlite")]
pub use backend::SqliteStore;
pub use clock::Timestamp;
pub use count_routes::CountRoutesLayer;
pub use credential::Source;
pub use environment::Environment;
pub use error::{ConfigError, InvalidValue};
pub use key::{KeyFormat, KeyId};
pub use limit_requests::LimitLayer;
pub use mark_sensitive::MarkSensitiveLayer;
pub use owner::Owner;
pub use principal::Principal;
pub use reason::Reason;
pub use record::Record;
pub use reject::Rejection;
pub use require_scope::RequireScopeLayer;
pub use scope::{Requirement, Scope, Scopes};

#[cfg(all(doctest, feature = "axum", feature = "sqlite"))]
#[doc = include_str!("../README.md")]
struct Readme;

//! Middleware that holds each key to its [limits](crate::limit).
//!
//! It reads the principal that [`Authenticate`](crate::authenticate::Authenticate) left in the extensions, and counts the request to the
//! limits of its [record](crate::Record::all_limits): those of the key, and those of its plan. A request past a limit is answered 429 with
//! `Retry-After`, or `RESOURCE_EXHAUSTED` over gRPC, and is no more and no less than that: the key stays good, no cache stores the answer,
//! and the request takes from no limit. With several limits, a request takes from all of them or from none.
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
//! # use tower_api_key::backend::{KeyChange, KeyStore};
//! # use tower_api_key::key::{KeyFormat, KeyId};
//! # use tower_api_key::{digest::Digester, Environment, MemoryStore, Owner, Record, Timestamp};
//! use tower_api_key::{AuthenticateLayer, Authenticator, LimitLayer};
//! # let key = KeyFormat::new("demo")?.mint(Environment::Live)?;
//! # let store = MemoryStore::new();
//! # let id = KeyId::generate(Timestamp::from_unix_millis(0))?;
//! # let mut record = Record::new(id, &key, &Digester::sha256(), Owner::organization("acme"));
//! # record.limits = "burst=2/60s".parse()?;
//! # store.change(KeyChange::insert(record)).await?;
//! # let authenticator = Authenticator::builder(store).build()?;
//! # let text = key.reveal();
//!
//! // `text` is a key with the limit `burst=2/60s`.
//! let mut service = ServiceBuilder::new()
//!     .layer(AuthenticateLayer::new(authenticator))
//!     .layer(LimitLayer::new())
//!     .service(service_fn(|_: Request<Full<Bytes>>| async {
//!         Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
//!     }));
//! for (status, remaining) in [(200, "1"), (200, "0"), (429, "0")] {
//!     let request = Request::builder().header("x-api-key", text.as_str()).body(Full::default())?;
//!     let response = service.ready().await?.call(request).await?;
//!     assert_eq!(response.status(), status);
//!     assert_eq!(response.headers()["x-ratelimit-limit"], "2");
//!     assert_eq!(response.headers()["x-ratelimit-remaining"], remaining);
//!     assert_eq!(response.headers().contains_key("retry-after"), status == 429);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! A request without a key that the layer outside admits, because its path is public, keys are optional or it is a preflight, is not
//! counted.
//!
//! # Headers
//!
//! Every response to a key with limits has these, whatever its status, in place of any that the service inside has set:
//!
//! | Header | Of the limit with the fewest requests left; past a limit, of that one |
//! |---|---|
//! | `X-RateLimit-Limit` | the requests of the limit |
//! | `X-RateLimit-Remaining` | the requests that may be made at once |
//! | `X-RateLimit-Reset` | when the whole allowance is back, in seconds since 1970, rounded up |
//!
//! `Retry-After` says when a request is admitted again, which of a rate is sooner than the reset. A page of another origin reads them only
//! if the service exposes them: `Access-Control-Expose-Headers` (tower-http's `CorsLayer::expose_headers`).
//!
//! # How requests are counted
//!
//! A rate is counted by GCRA: a full allowance may be used at once, and comes back evenly. A quota is whole again when its day or month
//! begins, in UTC. In one process, the count is exact, however many threads make requests; it survives evictions from the cache and changes
//! of the key, and a key that replaces another by rotation is counted with it. A change of the requests of a rate keeps the time that was used,
//! and that of a quota the requests; another window or period counts apart. Test keys and live keys are counted apart, also by owner. Keys that
//! share a limit should give it the same numbers, as those of one plan do.
//!
//! A limit by key binds a customer who cannot create keys: each further key has an allowance of its own. Where customers create keys, set
//! limits by owner, or by organization where they also create projects: as [defaults](LimitLayer::default_limits) of the layer, or in the plan of
//! the organization or user. The owner is the organization, the project or the user that has the key. A key that a customer creates has the
//! limits and the plan of the creating key, or those that the application gives to a
//! [caller of another login](crate::manage::ExternalCaller::limits). A user who presents a password has the limits of the user's plan.
//!
//! The coarse clock of the authenticator decides: it is late by a tick at most (4 ms on Linux), so a window may get the requests that come
//! back in one tick more. Before a refusal that a tick would change, the exact clock is read. If the wall clock is set back, a quota is not
//! given again; one that was ahead by more than a period gives it once too often.
//!
//! # Over a fleet
//!
//! Counts are in the memory of a process: several allow as much each, and a restarted one begins anew. Processes that are to hold a limit
//! together share [`Counters`]: those in Valkey or Redis, with the feature `valkey`, those of quotas in PostgreSQL, with the feature
//! `postgres`, or those of the application. Each request to a key with limits then waits for them, and the layer is [told](Outage) what
//! happens while they do not answer. [A guide](crate::_guide::limits#a-fleet) compares the choices.

// Layer 8 of 10: decision.
// Above `principal`; below the rim, which wraps it. Bottom to top, a file importing only those before it:
// `counters`, `bucket`, `buckets`, `headers`, `local`, `process`, `valkey`, `postgres`, `outage`, `fleet`, `limiter`, `future`, `service`,
// `layer`, `self`.

mod bucket;
mod buckets;
mod counters;
mod fleet;
mod future;
mod headers;
mod layer;
mod limiter;
mod local;
mod outage;
#[cfg(feature = "postgres")]
mod postgres;
mod process;
mod service;
#[cfg(feature = "valkey")]
mod valkey;

pub use counters::{Count, Counters, CountersError, CountersErrorKind, Left, Taken, Taking, UsedUp};
pub use future::ResponseFuture;
pub use layer::LimitLayer;
pub use outage::Outage;
#[cfg(feature = "postgres")]
pub use postgres::PostgresCounters;
pub use process::ProcessCounters;
pub use service::LimitRequests;
#[cfg(feature = "valkey")]
pub use valkey::{ValkeyCounters, ValkeyCountersBuilder};

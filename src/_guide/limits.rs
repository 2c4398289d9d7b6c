//! Limits for free and paid plans: how many requests each key may make, counted by a layer inside the one that authenticates.
//!
//! Features: none; a store, such as `sqlite` or `postgres`.
//!
//! | Step | By |
//! |---|---|
//! | decide what a key may do without paying | [`default_limits`](crate::LimitLayer::default_limits), for all keys |
//! | give paying customers more | a [`Plan`](crate::limit::Plan), which keys and organizations refer to: a limit takes the place of the default one with its name. A changed plan is in force for all of them within the lease |
//! | make an exception for one key | [`NewKey::limits`](crate::manage::NewKey::limits), which take the place of those of its plan |
//! | let all keys of a customer share an allowance | `/owner` behind a limit, [`per_owner`](crate::limit::Limit::per_owner) |
//! | let costly routes count more | [`cost`](crate::LimitLayer::cost) of a clone of the layer |
//! | tell clients what is left | nothing: responses have [headers](crate::limit_requests#headers), and one past a limit says when to come back |
//!
//! A rate such as `burst=5/60s` keeps a client from flooding the service: it comes back evenly. A quota such as `monthly=1000/month` is
//! what a customer pays for, and is whole again on the first of a month, in UTC.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_api_key::limit::Plan;
//! use tower_api_key::manage::{KeyManager, NewKey};
//! use tower_api_key::{AuthenticateLayer, Authenticator, KeyFormat, LimitLayer, MemoryStore};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let store = MemoryStore::new();
//! let authenticator = Authenticator::new(store.clone());
//! let keys = KeyManager::new(store, KeyFormat::new("demo")?);
//! keys.put_plan(&Plan::new("paid", "burst=4/60s monthly=100000/month/owner".parse()?)?).await?;
//! let free = "burst=2/60s monthly=1000/month/owner".parse()?;
//! let service = ServiceBuilder::new()
//!     .layer(AuthenticateLayer::new(authenticator))
//!     .layer(LimitLayer::new().default_limits(free))
//!     .service_fn(async |_: Request<Full<Bytes>>| Ok::<_, std::io::Error>(Response::new(Full::default())));
//!
//! let (small, large) = (NewKey::for_organization("small"), NewKey::for_organization("large"));
//! for (new, admitted) in [(small, 2), (large.plan(Plan::named("paid")?), 4)] {
//!     let text = keys.create(new).await?.reveal();
//!     for number in 1..=5 {
//!         let request = Request::builder().header("x-api-key", text.as_str()).body(Full::default())?;
//!         let response = service.clone().oneshot(request).await?;
//!         assert_eq!(response.status(), if number <= admitted { 200 } else { 429 });
//!         assert_eq!(response.headers()["x-ratelimit-limit"], admitted.to_string());
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Mistakes that are easy to make
//!
//! Where customers create keys themselves, a limit by key is one that they can multiply: let the owner share it (`/owner`).
//!
//! A layer counts by itself: `LimitLayer::new()` for each route gives a key its allowance once for each. Create one, and add clones of it.
//!
//! # Further
//!
//! * A request past a limit is answered 429, never 401, and takes from no limit. [`Respond`](crate::reject::Respond) writes its body, by
//!   [`Reason::Limited`](crate::Reason::Limited), which names the limit.
//! * Test keys have an allowance of their own, also by owner, so a test run uses up nothing that a customer pays for.
//! * A page of another origin reads the headers only if the service exposes them, see [CORS](super::layers#cors).
//! * Each process counts for itself: behind a load balancer, several allow as much each. A restarted process begins anew, also with quotas.

// Layer 10 of 10: rim.

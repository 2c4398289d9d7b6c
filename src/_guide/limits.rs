//! Limits for free and paid plans: how many requests each key may make, counted by a layer inside the one that authenticates.
//!
//! Features: none; a store, such as `sqlite` or `postgres`; for a fleet, `valkey`.
//!
//! | Step | By |
//! |---|---|
//! | decide what a key may do without paying | [`default_limits`](crate::LimitLayer::default_limits), for all keys |
//! | give paying customers more | a [`Plan`](crate::limit::Plan), which keys, organizations and users refer to: a limit takes the place of the default one with its name. A changed plan is in force for all of them within the lease |
//! | give a customer a plan, or another one | [`set_organization_plan`](crate::manage::KeyManager::set_organization_plan), [`set_user_plan`](crate::manage::KeyManager::set_user_plan), `keys plans assign`, or the [console](crate::console::Console::plans). A user's plan is that of a sign-in by password as well |
//! | make an exception for one key | [`NewKey::limits`](crate::manage::NewKey::limits), which take the place of those of its plan |
//! | let all keys of an owner share an allowance | `/owner` behind a limit, [`per_owner`](crate::limit::Limit::per_owner): those of a project, of a user, or of an organization itself |
//! | let a customer with projects have one | `/organization`, [`per_organization`](crate::limit::Limit::per_organization): the keys of an organization and of all its projects |
//! | limit the keys that a customer creates | nothing for a customer with a key, whose limits they get; [`ExternalCaller::plan`](crate::manage::ExternalCaller::plan) or `limits` for one of another login, and those of a `Handover` for one that the application hands over to the console |
//! | let costly routes count more | [`cost`](crate::LimitLayer::cost) of a clone of the layer |
//! | count over several processes | [counters](#a-fleet) that they share |
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
//! keys.put_plan(&Plan::new("paid", "burst=4/60s monthly=100000/month/organization".parse()?)?).await?;
//! let free = "burst=2/60s monthly=1000/month/organization".parse()?;
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
//! # A fleet
//!
//! Each process counts for itself unless the layer is given counters: behind a load balancer, four processes allow four times as much, and a
//! restarted process begins anew, also with quotas. Choose by what an overrun costs:
//!
//! | Counting | Over a fleet | A request to a key with limits |
//! |---|---|---|
//! | by each process: [`LimitLayer::new`](crate::LimitLayer::new) | each allows the limit. Good enough for rates that only keep a client from flooding the service | waits for nothing |
//! | in Valkey or Redis: `ValkeyCounters`, feature `valkey` | exact, rates and quotas | waits for one call of the server, less than a millisecond within a data centre |
//! | in PostgreSQL: [`PostgresCounters`](crate::limit_requests::PostgresCounters), feature `postgres` | never more than a quota; each process allows a whole rate | waits for nothing while a block lasts, for one statement when the next is taken |
//! | by the application: [`Counters`](crate::limit_requests::Counters) | as it counts | waits for it |
//!
//! The counter store may be away, and the layer is told what happens then; a client never gets 401 for it:
//!
//! | [`Outage`](crate::limit_requests::Outage) | Requests to keys with limits | Admitted at most |
//! |---|---|---|
//! | `Refuse` | get 503 with `Retry-After` | the limit. What is sold by the request is served only if it was counted |
//! | `LocalShare(n)` | are held to an n-th of each limit by each of n processes | in any time, the limit and the shares: twice the limit |
//!
//! ```
//! # #[cfg(feature = "valkey")] {
//! use std::num::NonZeroU32;
//! use tower_api_key::limit_requests::{Outage, ValkeyCounters};
//! use tower_api_key::{ConfigError, LimitLayer};
//!
//! async fn limits(url: &str) -> Result<LimitLayer, ConfigError> {
//!     let counters = ValkeyCounters::connect(url).await?;
//!     let nodes = NonZeroU32::new(4).expect("a number above zero");
//!     Ok(LimitLayer::new().counters(counters, Outage::LocalShare(nodes)))
//! }
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! # assert!(limits("redis://127.0.0.1:1").await.is_err());
//! # });
//! # }
//! ```
//!
//! Layers that are not clones of one another have shares of their own: give the number of processes times that of such layers.
//!
//! After a failure, one request a second asks the store again, and the others are decided at once. A single count that the store cannot read, or
//! that is locked there, decides only the requests that need it. The metric
//! `tower_api_key_counters_away_total` counts them: see [alerts](super::operations#alerts). A service that starts while the server is away
//! connects later: `ValkeyCountersBuilder::connect_lazy`.
//!
//! ## Quotas in PostgreSQL
//!
//! A fleet that has a [`PostgresStore`](crate::PostgresStore) needs no other server for its quotas: nodes take them in blocks of a tenth of what
//! is left, at most 100 requests, and spend these in memory.
//!
//! ```no_run
//! # #[cfg(feature = "postgres")] {
//! use tower_api_key::limit_requests::{Outage, PostgresCounters};
//! use tower_api_key::{LimitLayer, PostgresStore};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let store = PostgresStore::open("postgres://keys@localhost/keys").await?;
//! let counters = PostgresCounters::new(&store);
//! let limits = LimitLayer::new().counters(counters.clone(), Outage::Refuse);
//! // … and after the last request:
//! counters.give_back().await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # }
//! ```
//!
//! What is left of a block goes back after 30 s, or by `give_back`. A node that is killed keeps one block of each quota until the period ends:
//! requests are [lost rather than admitted twice](crate::limit_requests::PostgresCounters#what-a-block-counts-as). While the database is away,
//! nodes use their blocks on, past 30 s too, and only requests beyond these are those of an outage.
//!
//! # Mistakes that are easy to make
//!
//! A layer around the routes on which customers manage keys lets an attacker with a leaked key use up the limit, and its owner cannot
//! revoke it. Nest them outside of the layer, or let a clone of it [cost](crate::LimitLayer::cost) 0 there. The store bounds them all the
//! same: management has [connections of its own](super::operations#connections-and-pgbouncer), two for lists and two for changes, and
//! further requests wait in a short queue or get 503. So a flood of them slows the management of other customers, and no admission. Where
//! that is too much, give these routes a layer of their own, in which `DELETE` costs 0.
//!
//! Where customers create keys themselves, a limit by key is one that they can multiply: let the owner share it (`/owner`), or the organization
//! (`/organization`) where they also create projects, of which each is an owner.
//!
//! A backend of the application that names a plan ([`Plan::named`](crate::limit::Plan::named)) and does not say what it limits is answered with
//! 503: give [`Plan::new`](crate::limit::Plan::new), with the limits.
//!
//! A plan that only code names, such as that of an [`ExternalCaller`](crate::manage::ExternalCaller::plan) or of a `Handover`, is not in use as far
//! as the store knows: an operator can delete it, and the keys that its callers create are invalid from then on (422).
//!
//! A server of Valkey that evicts when memory is short, or that loses its last writes when it is killed, forgets what was used: set
//! `maxmemory-policy noeviction`, and `appendonly yes` with `appendfsync always` for quotas that are sold.
//!
//! A layer counts by itself: `LimitLayer::new()` for each route gives a key its allowance once for each. Create one, and add clones of it.
//!
//! # Further
//!
//! * A request past a limit is answered 429, never 401, and takes from no limit. [`Respond`](crate::reject::Respond) writes its body, by
//!   [`Reason::Limited`](crate::Reason::Limited), which names the limit.
//! * Test keys have an allowance of their own, also by owner or organization, so a test run uses up nothing that a customer pays for.
//! * A page of another origin reads the headers only if the service exposes them, see [CORS](super::layers#cors).

// Layer 10 of 10: rim.

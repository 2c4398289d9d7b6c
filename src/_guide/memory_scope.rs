//! An API like Memory Scope: one header, one environment, one answer for every bad key, rate limits and usage by key.
//!
//! | What its documents promise | What keeps it |
//! |---|---|
//! | `X-API-Key: sk_test_…` or `sk_live_…`, and no other way | [`Source::x_api_key`](crate::Source::x_api_key) with a [`KeyFormat`](crate::KeyFormat), so that typing errors cost no lookup |
//! | a test key is refused where live is required, and the other way round | [`AuthenticatorBuilder::environment`](crate::AuthenticatorBuilder::environment) |
//! | 401 `{"detail": "Invalid API key"}`, whether the key is missing, malformed, unknown, expired or deleted | [`Respond`](crate::reject::Respond), for the one text that differs from the default |
//! | keys are created with a name and perhaps an end, shown once, viewed, rotated, deleted | the routes of `manage` (a feature), nested, and `manage::KeyManager::require_names` |
//! | errors are `{"detail": "…"}` and nothing else | [`Respond`](crate::reject::Respond), and `manage::ManageSettings::respond` for the routes |
//! | their usage is monitored, key by key | [`Usage`](crate::Usage), and `GET /console/usage?by=key` of the same routes |
//! | `X-RateLimit-…` in every response, 429 past the limit, by key | [`Principal::key_id`](crate::Principal::key_id) and a limiter, here governor |
//!
//! Run it with `cargo run --example memory_scope --all-features`: it prints keys, and commands to try.
//!
//! # Who is let in
//!
//! `examples/memory_scope/access.rs`, in which is also the console:
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memory_scope/access.rs"), "```")]
//!
//! # Around the routes
//!
//! `examples/memory_scope/app.rs`. Layers around the whole router see paths without a route as well, so that a stranger gets
//! the same 401 there. A key is counted behind the layer that admits it, so strangers use up nobody's allowance, and whoever
//! counts needs no more than the [`Principal`](crate::Principal) as an extractor.
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memory_scope/app.rs"), "```")]
//!
//! # Other choices
//!
//! * The body of a request may arrive long after its key was judged. The routes of the console have the store judge the key once more
//!   with each change; the handler that keeps a memory calls [`Principal::recheck`](crate::Principal::recheck) first.
//! * Whoever may open the console has the scope `console`; keys that are made there have none, unless they are given one. A
//!   service whose console has sessions of its own calls `manage::KeyManager` instead of the routes.
//! * A request is counted as usage when its key is admitted, also one that the limits then refuse with 429: whoever monitors keys
//!   wants to see a client that does not wait. A service that shows only what it has served counts that itself, behind the limits.
//! * Limits are kept in the memory of one process. Several processes allow as much each, or count in a place that they share.

//! An API like Memory Scope: one header, one environment, one response to all invalid keys, rate limits and usage by key.
//!
//! | Documented behaviour | Implemented by |
//! |---|---|
//! | `X-API-Key: sk_test_…` or `sk_live_…`, and no other credential | [`Source::x_api_key`](crate::Source::x_api_key) with a [`KeyFormat`](crate::KeyFormat), so that mistyped keys cost no lookup |
//! | a test key is rejected where live is required, and vice versa | [`AuthenticatorBuilder::environment`](crate::AuthenticatorBuilder::environment) |
//! | 401 `{"detail": "Invalid API key"}`, whether the key is missing, malformed, unknown, expired or deleted | [`Respond`](crate::reject::Respond), for the text that differs from the default |
//! | keys are created with a name and an optional expiry, shown once, viewed, rotated, deleted | the routes of [`manage`](crate::manage) (feature `routes`), nested, and [`KeyManager::require_names`] |
//! | a developer console, to which people sign in | [`Console`](crate::console::Console) at `/developer`, opened by a pasted key |
//! | errors are `{"detail": "…"}` and nothing else | [`Respond`](crate::reject::Respond), and `manage::ManageSettings::respond` for the routes |
//! | their usage is monitored, key by key | [`Usage`](crate::usage::Usage), and `GET /console/usage?by=key` of the same routes |
//! | `X-RateLimit-…` in every response, 429 past the limit, by key | [`LimitLayer`](crate::LimitLayer) with one limit for all keys |
//!
//! Run it with `cargo run --example memory_scope --all-features`: it prints keys and example commands.
//!
//! # Accepted keys
//!
//! `examples/memory_scope/access.rs`, which also defines the JSON routes of the console:
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memory_scope/access.rs"), "```")]
//!
//! # Around the routes
//!
//! `examples/memory_scope/app.rs`. Layers around the whole router cover unknown paths as well, so that a client without a key gets the same
//! 401 there. The limits are inside the layer that admits a key, so unknown clients use up no key's allowance; a response to
//! those has headers without one. The routes of the console are free: past its limit too, an owner can delete a key that leaked.
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memory_scope/app.rs"), "```")]
//!
//! # Other choices
//!
//! * The body of a request may arrive long after its key was checked. In the routes of the console, the store checks the key again with each
//!   change; the handler that keeps a memory calls [`Principal::recheck`](crate::Principal::recheck) first.
//! * The console requires the scope `console`; keys that are created there have no scopes by default. A service whose console has sessions of
//!   its own calls [`KeyManager`] instead of the routes.
//! * A request counts as usage when its key is admitted, even if the limits then reject it with 429, and then counts as `limited` as well: an
//!   operator wants to see a client that does not wait. A bill for what was served takes [`UsageLine::served`](crate::backend::UsageLine::served).
//! * Limits are kept in the memory of one process. Several processes allow as much each, or share a counter.
//!
//! [`KeyManager`]: crate::manage::KeyManager
//! [`KeyManager::require_names`]: crate::manage::KeyManager::require_names

// Layer 10 of 10: rim.

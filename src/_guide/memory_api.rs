//! An API like Memory API: two headers, scopes, a code for each rejection, sign-up, and usage that is metered for billing.
//!
//! | Documented behaviour | Implemented by |
//! |---|---|
//! | `mem_live_…` or `mem_test_…`, by `Authorization: Bearer` or `X-API-Key` | two [`Source`](crate::Source)s with one [`KeyFormat`](crate::KeyFormat) |
//! | every request needs a key but `/health`, `/signup` and `/v1/signup` | [`AuthenticateLayer`](crate::AuthenticateLayer) around all other routes and the fallback |
//! | `read`, `write`, `delete`, and `admin` for full access | [`RequireScopeLayer`](crate::RequireScopeLayer), and [`AuthenticatorBuilder::admin_scope`](crate::AuthenticatorBuilder::admin_scope) |
//! | a code for each reason, such as `API_KEY_EXPIRED` or `API_KEY_DISABLED` | [`Respond`](crate::reject::Respond), which receives the [`Reason`](crate::Reason) |
//! | 403 `ORGANIZATION_DISABLED` | [`OwnerChange::put_organization`](crate::backend::OwnerChange::put_organization); all keys of the organization are refused from then on |
//! | keys are listed, created with scopes and an expiry, shown once, revoked | handlers over a [`manage::Delegate`](crate::manage::Delegate), with the documented JSON |
//! | a new key is live, unless test is requested | the handler that reads the body; a [`Delegate`] rejects what a test key may not create, and names the field |
//! | live keys count against billing, test keys are free | [`Usage`](crate::usage::Usage), which counts by key, day and environment |
//! | usage is monitored in the dashboard | [`Console`](crate::console::Console) at `/dashboard`, opened by a pasted key |
//! | 429 `RATE_LIMIT_EXCEEDED` | [`LimitLayer`](crate::LimitLayer), without its headers |
//!
//! Run it with `cargo run --example memory_api --all-features`: it prints keys and example commands.
//!
//! # Accepted keys and error codes
//!
//! `examples/memory_api/access.rs`. Distinguishing expired and revoked keys from unknown ones helps clients, and confirms to a client with a
//! stolen key that it was valid. The default response does not distinguish them; this service does.
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memory_api/access.rs"), "```")]
//!
//! # Around the routes
//!
//! `examples/memory_api/app.rs`. Two routes need no key, so they are merged outside the layer, which needs no list of public paths. Keys and
//! scopes are checked before a handler reads the body: the documented commands post JSON without its content type, and a client without a key
//! learns nothing about bodies. Keys are managed outside of the limit: past it too, an owner can revoke a key that leaked.
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memory_api/app.rs"), "```")]
//!
//! # Signing up
//!
//! `examples/memory_api/signup.rs`. Organizations, users and memberships are kept beside the keys:
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memory_api/signup.rs"), "```")]
//!
//! # Usage
//!
//! `examples/memory_api/usage.rs`. Counts are written every ten seconds, and when the process ends. A request is counted when its key is
//! admitted, whatever its outcome: a request that the limits reject with 429 counts as well, and so does one that lacks a scope. The documents
//! do not define what is billed; a service that bills served requests adds up [`UsageLine::served`](crate::backend::UsageLine::served).
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memory_api/usage.rs"), "```")]
//!
//! # Other choices
//!
//! * The body of a request may arrive long after its key was checked. With a [`Delegate`], the store checks the key again with each
//!   change, and with `requiring` the scope of the route; memories are kept outside that store, so their handlers call
//!   [`Principal::recheck`](crate::Principal::recheck) when the body has arrived, and check the scope again.
//! * A live key manages all keys of its organization; a test key manages test keys, and sees neither live keys nor their usage:
//!   [`Delegate::across_environments`]. As a new key is live by default, a test key that does not request `test` is rejected with 403
//!   `INSUFFICIENT_PERMISSIONS`, whose details name `environment`; creating a test key instead would contradict the documents, and a live
//!   one would let a test key reach billed data.
//! * Any client can sign up any number of times, and the limits are by key. A service on the internet limits sign-ups by address, and
//!   verifies the e-mail before it issues a key.
//!
//! [`Delegate`]: crate::manage::Delegate
//! [`Delegate::across_environments`]: crate::manage::Delegate::across_environments

// Layer 10 of 10: rim.

//! An API like Memory API: two headers, scopes, a code for each refusal, sign-up, and usage that is metered for billing.
//!
//! | What its documents promise | What keeps it |
//! |---|---|
//! | `mem_live_…` or `mem_test_…`, by `Authorization: Bearer` or `X-API-Key` | two [`Source`](crate::Source)s with one [`KeyFormat`](crate::KeyFormat) |
//! | every request needs a key but `/health`, `/signup` and `/v1/signup` | [`AuthenticateLayer`](crate::AuthenticateLayer) around all other routes and the fallback |
//! | `read`, `write`, `delete`, and `admin` for full access | [`RequireScopeLayer`](crate::RequireScopeLayer), and [`AuthenticatorBuilder::admin_scope`](crate::AuthenticatorBuilder::admin_scope) |
//! | a code for each reason, such as `API_KEY_EXPIRED` or `API_KEY_DISABLED` | [`Respond`](crate::reject::Respond), which is told the [`Reason`](crate::Reason) |
//! | 403 `ORGANIZATION_DISABLED` | [`OwnerStore::put_organization`](crate::backend::OwnerStore::put_organization); all keys of the organization are refused from then on |
//! | keys are listed, created with scopes and an end, shown once, revoked | handlers over a `manage::Delegate` (a feature), in the shapes that are documented |
//! | a new key is live, unless test is asked for | the handler that reads the body; a `manage::Delegate` refuses what a test key may not make, and names the field |
//! | live keys count against billing, test keys are free | [`Usage`](crate::Usage), which counts by key, day and environment |
//! | 429 `RATE_LIMIT_EXCEEDED` | [`Principal::key_id`](crate::Principal::key_id) and a limiter, here governor |
//!
//! Run it with `cargo run --example memory_api --all-features`: it prints keys, and commands to try.
//!
//! # Who is let in, and what the others are told
//!
//! `examples/memory_api/access.rs`. To tell expired and revoked keys from unknown ones helps clients, and tells whoever tries a
//! stolen key that it was real. The default tells nobody; this service chooses to.
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memory_api/access.rs"), "```")]
//!
//! # Around the routes
//!
//! `examples/memory_api/app.rs`. Two routes need no key, so they are merged in behind the layer, where no list of public paths
//! has to be kept. Keys and scopes are judged before a handler reads the body: the commands of the documents post JSON
//! without its content type, and whoever has no key learns nothing about bodies.
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memory_api/app.rs"), "```")]
//!
//! # Signing up
//!
//! `examples/memory_api/signup.rs`. Organizations, people and memberships are kept beside the keys:
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memory_api/signup.rs"), "```")]
//!
//! # Usage
//!
//! `examples/memory_api/usage.rs`. What was counted is written every ten seconds, and once more when the process ends. A request is
//! counted when its key is admitted, whatever becomes of it then: one that the limits refuse with 429 is a call as well, and so is
//! one that lacks a scope. The documents do not say what is billed; a service that bills what it has served counts that itself, where
//! it knows.
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memory_api/usage.rs"), "```")]
//!
//! # Other choices
//!
//! * The body of a request may arrive long after its key was judged. A `manage::Delegate` has the store judge the key once more with each
//!   change, and `requiring` the scope of the route; memories are kept outside that store, so their handlers call
//!   [`Principal::recheck`](crate::Principal::recheck) when the body has arrived, and ask for the scope again.
//! * A live key manages all keys of its organization; a test key manages test keys, and is not told of live ones or of their
//!   usage: `manage::Delegate::across_environments`. As a new key is live by default, a test key that does not ask for `test` is
//!   refused with 403 `INSUFFICIENT_PERMISSIONS`, whose details name `environment`; a key of another environment than was
//!   documented would be a surprise, and a live one would let a test key reach what is billed.
//! * Anyone can sign up, as often as they like, and the limits are by key. A service on the internet limits sign-ups by address
//!   in front of it, and sends a message to the e-mail before it hands out a key.

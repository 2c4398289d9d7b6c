//! An API like Memsolus: permissions by group, and 403 without them.
//!
//! | What its documents promise | What keeps it |
//! |---|---|
//! | `X-Api-Key: msk_live_…` or `msk_test_…` | [`Source::x_api_key`](crate::Source::x_api_key) with a [`KeyFormat`](crate::KeyFormat) |
//! | a key without the permission of a route gets 403 Forbidden | [`RequireScopeLayer`](crate::RequireScopeLayer), route by route |
//! | permissions such as `memory.read`, listed by group | [`Scopes`](crate::Scopes), of which `memory.*` and `*` cover others |
//! | at least one permission for each key | a check before `manage::Delegate::create` |
//! | rotation by a new key before the old one is revoked | both are in force until [`revoke`](crate::KeyStore::revoke), which takes effect at once in this process, and in others within their [lease](crate::AuthenticatorBuilder::lease) |
//!
//! Run it with `cargo run --example memsolus --all-features`: it prints keys, and commands to try.
//!
//! # Who is let in, and who may do what
//!
//! `examples/memsolus/access.rs`:
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memsolus/access.rs"), "```")]
//!
//! # A permission for each route
//!
//! `examples/memsolus/app.rs`. A layer of one method stands beside the route, where whoever reads it looks for it:
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memsolus/app.rs"), "```")]
//!
//! # Managing keys
//!
//! `examples/memsolus/api_keys.rs`. The routes that come with `manage` have paths and bodies of their own; where documents
//! promise others, handlers are written over a `manage::Delegate`, which keeps the rules: a caller knows the keys of its own
//! organization, a test key the test keys among them, and each grants what it has itself. What contradicts that is refused by the
//! name of the field. Which permissions there are, and that a key has one, is for the handlers to ask. The store judges the caller
//! once more with each change; `requiring` adds the permission of the route. Memories are kept outside that store: their handlers call
//! [`Principal::recheck`](crate::Principal::recheck) when the body has arrived.
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memsolus/api_keys.rs"), "```")]

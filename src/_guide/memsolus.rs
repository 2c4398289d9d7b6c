//! An API like Memsolus: permissions by group, and 403 without them.
//!
//! | Documented behaviour | Implemented by |
//! |---|---|
//! | `X-Api-Key: msk_live_…` or `msk_test_…` | [`Source::x_api_key`](crate::Source::x_api_key) with a [`KeyFormat`](crate::KeyFormat) |
//! | a key without the permission of a route gets 403 Forbidden | [`RequireScopeLayer`](crate::RequireScopeLayer), route by route |
//! | permissions such as `memory.read`, listed by group | [`Permissions`](crate::manage::Permissions), among them `memory.*` and `*`, which include others |
//! | at least one permission for each key | [`KeyManager::require_scopes`](crate::manage::KeyManager::require_scopes), on the page and by the API |
//! | Settings → API Keys: a page on which permissions are selected, and a new key is shown once | [`Console`](crate::console::Console) at `/settings/api-keys`, opened by a pasted key |
//! | rotation by creating a new key before revoking the old one | both are active until [`KeyChange::revoke`](crate::backend::KeyChange::revoke), which takes effect at once in this process, and in others within their [lease](crate::AuthenticatorBuilder::lease) |
//!
//! Run it with `cargo run --example memsolus --all-features`: it prints keys and example commands.
//!
//! # Accepted keys and permissions
//!
//! `examples/memsolus/access.rs`:
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memsolus/access.rs"), "```")]
//!
//! # A permission for each route
//!
//! `examples/memsolus/app.rs`. The layer of a method is next to its route:
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memsolus/app.rs"), "```")]
//!
//! # Managing keys
//!
//! `examples/memsolus/api_keys.rs`. The routes of `manage` have paths and bodies of their own; for other documented paths and bodies, write
//! handlers over a [`Delegate`], which enforces the rules: a caller has access to the keys of its own organization, a test key to the
//! test keys among them, and each grants only permissions that it has itself. Violations are rejected with the name of the field. The manager
//! checks that each permission is listed, and that a key has at least one. The store checks the caller again with each change; `requiring` adds
//! the permission of the route. Memories are kept outside that store: their handlers call [`Principal::recheck`](crate::Principal::recheck)
//! when the body has arrived.
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memsolus/api_keys.rs"), "```")]
//!
//! [`Delegate`]: crate::manage::Delegate
//! [`Delegate::create`]: crate::manage::Delegate::create

// Layer 10 of 10: rim.

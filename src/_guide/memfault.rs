//! An API like Memfault: credentials of organizations, people and devices, each with its own header and scope of access.
//!
//! | Documented behaviour | Implemented by |
//! |---|---|
//! | organization tokens as Bearer, or as Basic without a user; users' keys as Basic with the e-mail; project keys in a header of their own | a [`Source`](crate::Source) for each, and [`Record::sources`](crate::Record::sources): a key is rejected in the header of another kind |
//! | keys without a fixed format: 32 hexadecimal digits, random characters, or random characters behind `oat_` | [`OpaqueFormat`](crate::key::OpaqueFormat), and sources without a format |
//! | a token has access to its organization, a user to each organization of which the user is a member, a project key to one project | [`Owner`](crate::Owner), and [`Principal::authorize`](crate::Principal::authorize) |
//! | a token has the rights of a project manager, a member those of the role | scopes of the key, and of each [`Membership`](crate::owner::Membership) |
//! | organizations that require single sign-on reject users with 403; their other organizations stay accessible | [`Organization::requires_sso`](crate::owner::Organization::requires_sso) |
//! | deleted, cycled, changed or removed credentials are rejected at once | [`KeyStore`](crate::backend::KeyStore) and [`OwnerStore`](crate::backend::OwnerStore), which announce each change; another process on the same file applies it within its [lease](crate::AuthenticatorBuilder::lease) |
//! | a caller that loses a role or a key during a request changes nothing | `Actor::requires_for`, checked in the transaction of the change; [`Principal::recheck`](crate::Principal::recheck) for data outside the store |
//! | a password is accepted in place of a user's key | `Passwords` (a feature) |
//! | a page for a user's keys, and one for the tokens of an organization | [`Sessions`](crate::console::Sessions): a browser that opens them presents e-mail and password, and is handed over |
//! | a project key is no secret: members read it back | [`NewKey::retrievable`] |
//! | errors that the command-line client can read | [`Respond`](crate::reject::Respond) |
//!
//! Run it with `cargo run --example memfault --all-features`: it prints credentials and example commands, one of them for
//! `memfault-cli` from PyPI, which works with it unchanged.
//!
//! # Credentials and scopes
//!
//! `examples/memfault/access.rs` defines the accepted credentials and the format of each kind of key. Handlers create and delete the keys.
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memfault/access.rs"), "```")]
//!
//! # Access to resources
//!
//! `examples/memfault/app.rs`. For routes with the organization and the project in the path, `axum::RequireResourceLayer` checks the rights of
//! the caller for that resource before the handler runs. It covers the routes inside it; routes elsewhere need a check of their own. Routes
//! about the caller itself have no resource in the path, and require scopes only. Routes of devices require none: their key names the project.
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memfault/app.rs"), "```")]
//!
//! # Rights lost during a request
//!
//! `examples/memfault/again.rs`. A layer checks the head of a request, and the body may arrive seconds later. So each change of keys, members,
//! projects and passwords carries its [`Actor`](crate::backend::Actor) with the requirement of its route, and the store checks both in the
//! transaction of the change: a former password cannot set a new one, and a removed admin cannot create a token. Files and deployments are
//! kept outside the store of keys: their handlers call [`Principal::recheck`](crate::Principal::recheck) right before they keep them. That is
//! no transaction, so it belongs after each wait for the client.
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memfault/again.rs"), "```")]
//!
//! # Two credentials in one request
//!
//! By default, and here for users, they are rejected. For devices this does not work: the client of the service looks up the host in
//! `~/.netrc`, and adds a Basic header to a project key unasked. With a rule that prefers one of two credentials, another component behind
//! this one might choose the other. So the routes of devices have a layer of their own, which reads only the project key: it never has to
//! choose, and a Basic header alone grants no access.
//!
//! # Keys of an organization, created by its members
//!
//! `examples/memfault/tokens.rs`. A token belongs to the organization and not to the admin that creates it, so a [`Delegate`], which
//! creates keys of the caller's own owner, does not fit. The handlers use a [`KeyManager`] that acts for the caller (`acting_for`): the
//! store checks the role again with each change, and the record names the caller. Before they delete a token, they look up its owner, which
//! never changes:
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memfault/tokens.rs"), "```")]
//!
//! # Other choices
//!
//! * The URL of an upload is itself a credential: 256 random bits, kept as a digest, valid for one file of a known length, for ten minutes
//!   (`UPLOAD_SECONDS`), and only while the caller that received it may upload. Its route is outside the layers.
//! * The timeout of a head is 10 s, as that of a body; a chunk from a device has a minute, a file five. `axum::serve` has no timeout for heads,
//!   so `examples/support/serve.rs` drives hyper itself.
//! * Cycling a key calls [`KeyManager::create_exclusive`]: one key stays active, and the previous one is rejected from the next request
//!   on. If both should work for a while, use [`KeyManager::rotate`] with a grace.
//! * A new member has neither a key nor a password, and needs one to create the other: the first reaches the user out of band, such as by a
//!   sign-in or a link in a message, which this service leaves out.
//! * An admin may remove the role of each admin, including its own. Without an admin, the members and tokens of the organization cannot be
//!   managed, until an operator with write access to the store appoints one.
//! * A password has 8 to 255 characters. Some clients send Basic credentials in Latin-1, others in UTF-8: both are accepted.
//! * A user's key has all rights of the user except changing the password: no key is granted the scope for that.
//!
//! [`Delegate`]: crate::manage::Delegate
//! [`KeyManager`]: crate::manage::KeyManager
//! [`KeyManager::create_exclusive`]: crate::manage::KeyManager::create_exclusive
//! [`KeyManager::rotate`]: crate::manage::KeyManager::rotate
//! [`NewKey::retrievable`]: crate::manage::NewKey::retrievable

// Layer 10 of 10: rim.

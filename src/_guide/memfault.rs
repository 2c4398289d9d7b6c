//! An API like Memfault: credentials of organizations, people and devices, each in its own header and with its own reach.
//!
//! | What its documents promise | What keeps it |
//! |---|---|
//! | organization tokens as Bearer, or as Basic without a user; users' keys as Basic with the e-mail; project keys in a header of their own | a [`Source`](crate::Source) for each, and [`Record::sources`](crate::Record::sources): a key is refused in the header of another kind |
//! | keys without a shape: 32 hexadecimal digits, random characters, or random characters behind `oat_` | [`OpaqueFormat`](crate::key::OpaqueFormat), and sources without a format |
//! | a token reaches its organization, a person every organization the person belongs to, a project key one project | [`Owner`](crate::Owner), and [`Principal::authorize`](crate::Principal::authorize) |
//! | a token may do what a project manager may, a member what the role allows | scopes of the key, and of each [`Membership`](crate::Membership) |
//! | organizations that require single sign-on refuse people with 403, who go on elsewhere | [`Organization::requires_sso`](crate::Organization::requires_sso) |
//! | whatever is deleted, cycled, changed or removed is refused at once | [`KeyStore`](crate::KeyStore) and [`OwnerStore`](crate::backend::OwnerStore), which announce each change; a further process on the same file hears of it within its [lease](crate::AuthenticatorBuilder::lease) |
//! | a caller who loses a role or a key while a request is under way changes nothing | `Actor::requires_for`, judged in the transaction of the change; [`Principal::recheck`](crate::Principal::recheck) for what is kept elsewhere |
//! | a password may stand in for a user's key | `Passwords` (a feature) |
//! | a project key is no secret: members read it back | `manage::NewKey::retrievable` |
//! | errors that the command-line client can read | [`Respond`](crate::reject::Respond) |
//!
//! Run it with `cargo run --example memfault --all-features`: it prints credentials, and commands to try, one of them for
//! `memfault-cli` from PyPI, which works with it unchanged.
//!
//! # Who is let in, and what for
//!
//! `examples/memfault/access.rs`, which says who is let in, and what the keys of each kind are like. Handlers make them and take
//! them away.
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memfault/access.rs"), "```")]
//!
//! # Where each may go
//!
//! `examples/memfault/app.rs`. Where the organization and the project stand in the path, `axum::RequireResourceLayer` asks whether the caller
//! may do there what the routes are for, before any handler is called. It covers the routes that it is put around: whoever adds
//! one elsewhere has to ask there. What is the caller's own has no place in the path, and asks for scopes only. Devices are not asked
//! for any: the project is that of their key.
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memfault/app.rs"), "```")]
//!
//! # A caller who loses its rights meanwhile
//!
//! `examples/memfault/again.rs`. A layer judges the head of a request, and the body may arrive seconds later. So each change of keys,
//! members, projects and passwords carries its [`Actor`](crate::backend::Actor) with the requirement of its route, and the store
//! judges both in the transaction of the change: a former password sets no other one, and a removed admin makes no token. Files and
//! deployments are in no store of keys: their handlers call [`Principal::recheck`](crate::Principal::recheck) right before they keep
//! them. That is no transaction, so it belongs behind everything that waits for the client.
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memfault/again.rs"), "```")]
//!
//! # Two credentials in one request
//!
//! The default is to refuse them, and for people it stays so. Devices are another matter: the client of the service looks the
//! host up in `~/.netrc`, and adds a Basic header to a project key without being asked to. A rule that prefers one of two
//! credentials would leave open which of them the next one in the chain goes by. So the routes of devices have a layer of
//! their own, which looks at the project key and at nothing else: there is never a choice, and a Basic header alone opens
//! nothing there.
//!
//! # Keys of the service, made by its members
//!
//! `examples/memfault/tokens.rs`. A token belongs to the organization and not to the admin who makes it, so a `manage::Delegate`,
//! which makes the caller's own keys, is of no use here. The handlers take a `manage::KeyManager` that
//! acts for the caller (`acting_for`): the store judges the role once more with each change, and the record says whose doing it is. Whose
//! token it is, they look up before they delete one; that never changes:
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/memfault/tokens.rs"), "```")]
//!
//! # Other choices
//!
//! * A URL for an upload is itself a credential: 256 random bits, kept as a digest, for one file of a known length, for ten
//!   minutes unless `UPLOAD_SECONDS` says otherwise, and for as long as the caller who was given it may upload. That route is outside the
//!   layers.
//! * A head may take 10 s, as may a body; a chunk from a device a minute, a file five. `axum::serve` sets no bound on heads, so
//!   `examples/support/serve.rs` drives hyper itself.
//! * To cycle a key is `manage::KeyManager::create_exclusive`: one key is left, and the one before it is refused from the next request
//!   on. Where both should work for a while, give `manage::KeyManager::rotate` a grace.
//! * A member who is added has neither a key nor a password yet, and makes neither here without one: the first gets to the person
//!   out of band, such as by a sign-in or a link in a message, which this service leaves out.
//! * An admin may take the role of every admin, the own one included. Whoever takes the last one locks the organization: nobody
//!   manages its members and tokens then, until someone who can write to the store appoints an admin.
//! * A password has 8 to 255 characters. Some clients send Basic credentials in Latin-1, others in UTF-8: both are understood.
//! * A user's key may do everything that the person may, but change the password: the scope for that is granted to
//!   passwords alone.

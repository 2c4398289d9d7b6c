//! Key management: create, import, list, update, rotate, disable, revoke and delete keys.
//!
//! [`KeyManager`] is for application code that is trusted with all keys: a command line, a job, a page for administrators. A [`Delegate`]
//! acts for a customer: it accesses no keys but the customer's, and grants no rights that the caller lacks. The store checks a caller with a key
//! again in the transaction of each change, so rights that the caller has lost since its request began do not count. An [`ExternalCaller`] is a
//! user whom the login of the application has authenticated.
#![cfg_attr(feature = "routes", doc = "[`routes`] serves a delegate over HTTP, as [`OPENAPI`] describes.")]
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use tower_api_key::backend::{Grace, KeyFilter};
//! use tower_api_key::manage::{KeyManager, NewKey, RotateOptions};
//! use tower_api_key::{KeyFormat, MemoryStore, Owner, Scopes};
//!
//! let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo")?);
//! let wanted = NewKey::new(Owner::organization("acme")).name("Build server").scopes(Scopes::parse("notes.read")?);
//! let (text, record) = manager.create(wanted).await?.into_parts();
//! assert!(text.as_str().starts_with("demo_live_")); // shown once, here
//!
//! let (_, successor) = manager.rotate(&record.id, RotateOptions::new(Grace::None)).await?.into_parts();
//! assert_eq!(successor.rotated_from, Some(record.id));
//! manager.revoke(&successor.id, "the server is gone").await?;
//! assert_eq!(manager.list(&KeyFilter::of_organization("acme"), None, 10).await?.len(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```

// Layer 9 of 10: management.
// Above `backend` and `principal`; only `console` imports it. Bottom to top, a file importing only those before it:
// `error`, `audit_cursor`, `new_key`, `permissions`, `validation`, `manager`, `changes`, `batches`, `members`, `plans`, `create_exclusive`, `digesters`, `sessions`, `wait`, `external_caller`, `delegate`, `routes`,
// `self`.

#[cfg(feature = "routes")]
mod audit_cursor;
mod batches;
mod changes;
mod create_exclusive;
mod delegate;
mod digesters;
mod error;
mod external_caller;
mod manager;
mod members;
mod new_key;
mod permissions;
mod plans;
#[cfg(feature = "routes")]
mod routes;
#[cfg(feature = "console")]
mod sessions;
mod validation;
mod wait;

#[cfg(feature = "console")]
pub(crate) use audit_cursor::AuditCursor;
pub use delegate::Delegate;
pub use error::{FieldError, ManageError, ManageErrorKind};
pub use external_caller::ExternalCaller;
pub use manager::KeyManager;
pub use new_key::{CreatedKey, NewKey, RotateOptions};
pub use permissions::{Permission, PermissionGroup, Permissions};
#[cfg(feature = "routes")]
pub use routes::{ManageSettings, OPENAPI, RouteError, routes};
#[cfg(feature = "console")]
pub(crate) use routes::{Resolver, decode_entry, decode_position, encode_entry, encode_position};
pub use wait::Wait;

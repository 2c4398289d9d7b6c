//! Who is calling, and what may they do: API keys for axum, tonic and hyper.
//!
//! [`AuthenticateLayer`] extracts a credential from each request, resolves it through a cached backend, and injects a
//! [`Principal`] with scopes; [`RequireScopeLayer`] checks the scopes.

pub mod authenticate;
mod authenticator;
#[cfg(feature = "axum")]
pub mod axum;
pub mod backend;
mod cache;
pub mod clock;
pub mod credential;
pub mod digest;
mod environment;
mod error;
pub mod key;
mod owner;
mod principal;
mod record;
pub mod reject;
pub mod require_scope;
pub mod scope;
#[cfg(feature = "test-util")]
pub mod test_util;
#[cfg(feature = "tonic")]
pub mod tonic;
mod trace;

pub use authenticate::{Authenticate, AuthenticateLayer};
pub use authenticator::{Authenticator, AuthenticatorBuilder};
#[cfg(feature = "sqlite")]
pub use backend::SqliteStore;
pub use backend::{Backend, BackendError, KeyStore, MemoryStore};
pub use clock::Timestamp;
pub use environment::Environment;
pub use error::{ConfigError, ConfigErrorKind};
pub use key::KeyId;
pub use owner::{Membership, Organization, Owner, Project, User};
pub use principal::{Denial, Principal, Resource};
pub use record::{Record, Revocation};
pub use reject::{Reason, Rejection};
pub use require_scope::{RequireScope, RequireScopeLayer};
pub use scope::{Requirement, Scope, Scopes};

//! For tests of applications: a layer with a known key, principals without a layer, a check that routes are guarded, and a backend that fails
//! on demand.
//!
//! ```
//! use http::Request;
//! use tower_api_key::{Owner, Principal, test_util};
//!
//! # fn main() -> Result<(), tower_api_key::ConfigError> {
//! // A handler test needs no layer and no key.
//! let mut request = Request::new(());
//! let principal = test_util::principal(|record| {
//!     record.owner = Owner::organization("acme");
//! });
//! request.extensions_mut().insert(principal);
//! assert!(request.extensions().get::<Principal>().is_some());
//! # Ok(())
//! # }
//! ```

// Layer 10 of 10: rim.
// Above `rules` and `authenticate`; nothing imports it. Bottom to top, a file importing only those before it:
// `self`, `guarded`, `misbehaving`, `layer`.

mod guarded;
mod layer;
mod misbehaving;

pub use guarded::assert_guarded;
pub use layer::layer;
pub use misbehaving::{Behaviour, Misbehaving};

use std::sync::{Arc, LazyLock};

use crate::cache::{Entry, Issuer};
use crate::credential::Scheme;
use crate::digest::{Digest, Digester};
use crate::key::KeyId;
use crate::owner::Owner;
use crate::principal::Principal;
use crate::record::Record;

/// Creates a principal whose record `describe` has completed: a Bearer key of the organization `test` without scopes.
///
/// # Panics
///
/// When `describe` does.
pub fn principal(describe: impl FnOnce(&mut Record)) -> Principal {
    let mut record = record(Digester::sha256().digest(b"test"));
    describe(&mut record);
    Principal::new(Arc::new(Entry::detached(record, Arc::clone(&ISSUER))), 0)
}

fn record(digest: Digest) -> Record {
    let id = KeyId::new("key_test").expect("a valid key id");
    Record::imported(id, digest, Owner::organization("test"))
}

static ISSUER: LazyLock<Arc<Issuer>> = LazyLock::new(|| Arc::new(Issuer::detached([Scheme::Bearer].into())));

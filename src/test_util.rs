//! For tests of applications: principals without a layer, and a backend that fails on demand.
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

mod misbehaving;

pub use misbehaving::{Behaviour, Misbehaving};

use std::sync::{Arc, LazyLock};

use crate::cache::{Entry, Issuer};
use crate::credential::Scheme;
use crate::digest::Digester;
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
    let id = KeyId::new("key_test").expect("a valid key id");
    let digest = Digester::sha256().digest(b"test");
    let mut record = Record::imported(id, digest, Owner::organization("test"));
    describe(&mut record);
    Principal::new(Arc::new(Entry::detached(record, Arc::clone(&ISSUER))), 0)
}

static ISSUER: LazyLock<Arc<Issuer>> = LazyLock::new(|| Arc::new(Issuer::detached([Scheme::Bearer].into())));

//! Names that nobody else has.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Makes a name out of 128 random bits. It need not be hard to guess.
pub(crate) fn unique_name() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

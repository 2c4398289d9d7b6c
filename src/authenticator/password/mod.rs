//! A password in place of a key: what no key has for a text may be one.

#[cfg(not(feature = "password"))]
mod disabled;
#[cfg(feature = "password")]
mod enabled;

#[cfg(not(feature = "password"))]
pub(super) use disabled::*;
#[cfg(feature = "password")]
pub(super) use enabled::*;

//! Passwords: a Basic credential that is not the text of a key may be the password of a user.

// Layer 8 of 10: decision.

#[cfg(not(feature = "password"))]
mod disabled;
#[cfg(feature = "password")]
mod enabled;

#[cfg(not(feature = "password"))]
pub(super) use disabled::*;
#[cfg(feature = "password")]
pub(super) use enabled::*;

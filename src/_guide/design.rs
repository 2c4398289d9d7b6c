//! [SECURITY.md]: crate::_guide::security
//!
#![doc = include_str!("../../DESIGN.md")]

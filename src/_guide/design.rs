//! [SECURITY.md]: crate::_guide::security
//!
#![doc = include_str!("../../DESIGN.md")]

// Layer 10 of 10: rim.

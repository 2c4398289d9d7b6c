//! [operations]: crate::_guide::operations
//! [reverse proxy]: crate::_guide::reverse_proxy
//!
#![doc = include_str!("../../SECURITY.md")]

// Layer 10 of 10: rim.

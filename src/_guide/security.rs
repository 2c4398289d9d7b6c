//! [operations]: crate::_guide::operations
//!
#![doc = include_str!("../../SECURITY.md")]

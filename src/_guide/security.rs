//! [operations]: crate::_guide::operations
//! [reverse proxy]: crate::_guide::reverse_proxy
//!
#![doc = include_str!("../../SECURITY.md")]

//! The references of the fuzz targets: the crate's rules, implemented a second time from the standards and the documentation, as
//! plainly as possible and without the crate's own code.
//!
//! A reference is slow and short. Where it differs from the crate, one of them is wrong, and the target fails.

#![forbid(unsafe_code)]

pub mod ask;
pub mod base64;
pub mod body;
pub mod calendar;
pub mod challenge;
pub mod credential;
pub mod cursor;
pub mod edit;
pub mod json;
pub mod key;
pub mod question;
pub mod row;
pub mod sources;

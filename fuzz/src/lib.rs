//! What the targets compare the crate with: its rules, written a second time from the standards and the documentation, as
//! plainly as can be and with nothing of the crate's own code.
//!
//! A rule that stands here is slow and short. Where the two differ, one of them is wrong, and the target says so.

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

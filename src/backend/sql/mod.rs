//! What the stores in SQL databases share.
//!
//! The files in `each` are compiled once for each database, as a part of its module: the statements are the same, and so is
//! what is done with them, but all types of the driver differ. What differs beyond the types stands in the `dialect` of a
//! database.

mod audit;
mod change_codec;
mod owner;
mod process;
mod row;
mod schema;

pub(super) use audit::{AuditRow, decode_audit};
pub(super) use change_codec::{MAX_POLLED_CHANGES, MAX_LOGGED_CHANGES, decode_changes, encode_change};
pub(super) use owner::{OwnerFacts, decode_membership, decode_user};
pub(super) use process::invalidator_of;
pub(super) use row::{KeyRow, columns, decode_digest};
pub(super) use schema::{Applied, Migration, check};

//! The parts that the SQL stores share.
//!
//! The files in `statements` are compiled once for each database, as a part of its module: the statements and the code around
//! them are the same, but all types of the driver differ. All further differences are in the `dialect` of a database.

mod audit;
mod change_codec;
mod invalidators;
mod owner;
mod row;
mod schema;

pub(super) use audit::{AuditRow, decode_audit};
pub(super) use change_codec::{MAX_LOGGED_CHANGES, MAX_POLLED_CHANGES, decode_changes, encode_change};
pub(super) use invalidators::invalidator_of;
pub(super) use owner::{OwnerState, decode_membership, decode_user};
pub(super) use row::{KeyRow, columns, decode_digest};
pub(super) use schema::{Applied, Migration, check};

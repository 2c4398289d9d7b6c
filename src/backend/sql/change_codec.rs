//! Encodes and decodes the rows of the change feed.

use super::row::decode_digest;
use crate::backend::Change;

/// The maximum number of changes that one transaction logs one by one. More are logged as a change of everything.
pub(in crate::backend) const MAX_LOGGED_CHANGES: usize = 1_000;

/// The maximum number of changes that a poll applies one by one. More are applied as a change of everything.
pub(in crate::backend) const MAX_POLLED_CHANGES: usize = 10_000;

/// Encodes a change as the columns `digest` and `kind`.
pub(in crate::backend) fn encode_change(change: &Change) -> (Option<Vec<u8>>, &'static str) {
    match change {
        Change::Revoked(digest) => (Some(digest.as_bytes().to_vec()), "revoked"),
        Change::Changed(digest) => (Some(digest.as_bytes().to_vec()), "changed"),
        Change::Everything => (None, "everything"),
    }
}

/// Decodes the rows of a poll, or returns [`Change::Everything`] if one is unreadable or missing.
pub(in crate::backend) fn decode_changes<'r>(
    rows: impl Iterator<Item = (Option<&'r [u8]>, &'r str)>,
    is_whole: bool,
) -> Vec<Change> {
    let changes: Option<Vec<_>> = rows.map(|(digest, kind)| decode_change(digest, kind)).collect();
    changes.filter(|_| is_whole).unwrap_or_else(|| vec![Change::Everything])
}

fn decode_change(digest: Option<&[u8]>, kind: &str) -> Option<Change> {
    let digest = || decode_digest(digest?).ok();
    match kind {
        "changed" => digest().map(Change::Changed),
        "revoked" => digest().map(Change::Revoked),
        "everything" => Some(Change::Everything),
        _ => None,
    }
}

//! Encodes and decodes the rows of the change feed. The statements that write changes and the polls that read them are above it.

// Layer 3 of 10: storage.

use super::key_row::decode_digest;
use super::statement::Value;
use crate::backend::Invalidation;

/// The maximum number of changes that one transaction logs one by one. More are logged as a change of everything.
pub(super) const MAX_LOGGED_CHANGES: usize = 1_000;

/// The maximum number of changes that a poll applies one by one. More are applied as a change of everything.
pub(super) const MAX_POLLED_CHANGES: usize = 10_000;

/// Encodes a change as the columns `digest` and `kind`.
pub(super) fn encode_change(change: &Invalidation) -> [Value; 2] {
    let (digest, kind) = match change {
        Invalidation::Revoked(digest) => (Some(digest), "revoked"),
        Invalidation::Changed(digest) => (Some(digest), "changed"),
        Invalidation::Everything => (None, "everything"),
    };
    [digest.into(), kind.into()]
}

/// Decodes the rows of a poll, or returns [`Invalidation::Everything`] if one is unreadable or missing.
pub(super) fn decode_changes<'r>(
    rows: impl Iterator<Item = (Option<&'r [u8]>, &'r str)>,
    is_whole: bool,
) -> Vec<Invalidation> {
    let changes: Option<Vec<_>> = rows.map(|(digest, kind)| decode_change(digest, kind)).collect();
    changes.filter(|_| is_whole).unwrap_or_else(|| vec![Invalidation::Everything])
}

fn decode_change(digest: Option<&[u8]>, kind: &str) -> Option<Invalidation> {
    let digest = || decode_digest(digest?).ok();
    match kind {
        "changed" => digest().map(Invalidation::Changed),
        "revoked" => digest().map(Invalidation::Revoked),
        "everything" => Some(Invalidation::Everything),
        _ => None,
    }
}

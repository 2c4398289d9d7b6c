//! What is remembered of a key that was found.

use super::stamp::Stamp;
use super::sync::{Arc, Atomic};
use crate::clock::Moment;
use crate::principal::{Issuer, Known};
use crate::record::Record;

/// A record, with the stamp it was read under and the moment until which it counts. Facts only: whether the key is
/// admitted is decided for each request.
pub(crate) struct Entry {
    pub(super) stamp: Stamp,
    pub(super) until: Moment,
    pub(super) record: Record,
    pub(super) issuer: Arc<Issuer>,
    /// How often it was found.
    pub(super) reads: Atomic,
}

impl Entry {
    pub(crate) fn record(&self) -> &Record {
        &self.record
    }
}

impl Known for Entry {
    fn record(&self) -> &Record {
        &self.record
    }

    fn issuer(&self) -> &Issuer {
        &self.issuer
    }
}

//! The cache entry of a key that was found.

use super::counters::Counters;
use super::generation::Generation;
use crate::cache::sync::Arc;
use crate::clock::{Moment, Timestamp};
use crate::environment::Environment;
use crate::principal::{Issuer, Known};
use crate::record::Record;

/// A record, with the generation it was read under and the end of its time to live. Facts only: whether the key is admitted is decided for
/// each request.
///
/// The fields that an admission reads come first and fit into one cache line of memory: with many keys in use, fetching cache lines is most
/// of its cost.
#[repr(C)]
pub(crate) struct Entry {
    pub(super) generation: Generation,
    pub(super) until: Moment,
    pub(super) counters: Counters,
    facts: Facts,
    pub(super) issuer: Arc<Issuer>,
    record: Record,
}

/// The parts of a record that are checked for each request.
#[derive(Clone, Copy)]
pub(crate) struct Facts {
    /// [`Timestamp::NEVER`] if the key does not expire.
    pub(crate) expires_at: Timestamp,
    pub(crate) environment: Environment,
    pub(crate) is_revoked: bool,
    pub(crate) is_disabled: bool,
    /// Whether the record names sources, see [`Record::accepts`].
    pub(crate) restricts_sources: bool,
}

impl Entry {
    pub(in crate::cache) fn new(
        generation: Generation,
        until: Moment,
        record: Record,
        issuer: Arc<Issuer>,
    ) -> Self {
        Self { generation, until, counters: Counters::zero(), facts: Facts::of(&record), issuer, record }
    }

    pub(crate) fn facts(&self) -> Facts {
        self.facts
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }
}

impl Facts {
    fn of(record: &Record) -> Self {
        Self {
            expires_at: record.expires_at.unwrap_or(Timestamp::NEVER),
            environment: record.environment,
            is_revoked: record.revoked.is_some(),
            is_disabled: record.owner.is_disabled(),
            restricts_sources: !record.sources.is_empty(),
        }
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

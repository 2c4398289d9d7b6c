//! What is remembered of a key that was found.

use super::counters::Counters;
use super::generation::Stamp;
use super::sync::Arc;
use crate::clock::{Moment, Timestamp};
use crate::environment::Environment;
use crate::principal::{Issuer, Known};
use crate::record::Record;

/// A record, with the stamp it was read under and the moment until which it counts. Facts only: whether the key is
/// admitted is decided for each request.
///
/// What an admission reads comes first and fits into one line of memory: with many keys in use, the lines that have to be
/// fetched are most of its cost.
#[repr(C)]
pub(crate) struct Entry {
    pub(super) generation: Stamp,
    pub(super) until: Moment,
    /// How often it was found and used.
    pub(super) counters: Counters,
    facts: Facts,
    pub(super) issuer: Arc<Issuer>,
    record: Record,
}

/// What of a record is judged for each request.
#[derive(Clone, Copy)]
pub(crate) struct Facts {
    /// A time that no clock reaches where the key has no end.
    pub(crate) expires_at: Timestamp,
    pub(crate) environment: Environment,
    pub(crate) is_revoked: bool,
    pub(crate) is_disabled: bool,
    /// Whether the record names sources. Which ones is up to [`Record::accepts`].
    pub(crate) restricts_sources: bool,
}

impl Entry {
    pub(super) fn new(generation: Stamp, until: Moment, record: Record, issuer: Arc<Issuer>) -> Self {
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

//! Keys, with the times of their versions.

use http::{HeaderMap, HeaderValue};
use tower_api_key::backend::Invalidation;
use tower_api_key::digest::Digest;
use tower_api_key::key::KeyId;
use tower_api_key::record::Disabling;
use tower_api_key::{Owner, Record, Scopes, Timestamp};

use crate::simulation::history::Change;
use crate::simulation::peppers::{Digests, Held};
use crate::simulation::time::At;
use support::{START, revocation};

/// The state of a key after a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    /// With the scope of this number, and valid unless it is disabled.
    Standing {
        number: u32,
        is_disabled: bool,
    },
    Revoked,
}

impl Version {
    /// A valid version with the scope of this number.
    pub(crate) fn in_force(number: u32) -> Self {
        Self::Standing { number, is_disabled: false }
    }

    pub(crate) fn is_disabled(self) -> bool {
        matches!(self, Self::Standing { is_disabled: true, .. })
    }
}

/// A key. Its text depends only on its number, so that a run can be repeated.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) headers: HeaderMap,
    digests: Digests,
    id: KeyId,
    /// The time of its expiry, in milliseconds since the run began.
    pub(crate) expires: Option<i64>,
    pub(crate) versions: Vec<(At, Version)>,
    /// The digests under which the store has it, with the times of their commits.
    pub(crate) held: Vec<(At, Held)>,
}

impl Key {
    pub(crate) fn new(number: usize, expires: Option<i64>) -> Self {
        let text = format!("simulated-{number}");
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", HeaderValue::from_str(&text).unwrap());
        Self {
            headers,
            digests: Digests::of(&text),
            id: KeyId::new(&text).unwrap(),
            expires,
            versions: Vec::new(),
            held: Vec::new(),
        }
    }

    /// Applies a committed change.
    pub(crate) fn change(&mut self, ended: At, change: &Change) {
        if self.versions.last().is_none_or(|(_, last)| *last != change.version) {
            self.versions.push((ended, change.version));
        }
        self.held.push((ended, change.held));
    }

    pub(crate) fn was_held(&self, held: Held) -> bool {
        self.held.iter().any(|(_, other)| *other == held)
    }

    /// Returns the version of the key, if it was created.
    pub(crate) fn at(&self, at: At) -> Option<Version> {
        let committed = self.versions.iter().rev().find(|(committed, _)| *committed <= at);
        committed.map(|(_, version)| *version)
    }

    /// Returns the record with the first of these digests under which the store had the key.
    pub(crate) fn record(&self, digests: &[Digest], at: At) -> Option<Record> {
        let (_, held) = *self.held.iter().rev().find(|(committed, _)| *committed <= at)?;
        let found = digests.iter().find(|digest| self.digests.held(held).any(|own| own == **digest))?;
        Some(self.record_of(self.at(at)?, *found))
    }

    fn record_of(&self, version: Version, digest: Digest) -> Record {
        let mut record = Record::imported(self.id.clone(), digest, Owner::organization("acme"));
        let timestamp = |millis| Timestamp::from_unix_millis(START.unix_millis() + millis);
        record.expires_at = self.expires.map(timestamp);
        match version {
            Version::Standing { number, is_disabled } => {
                record.scopes = Scopes::new([format!("v{number}")]).unwrap();
                record.disabled = is_disabled.then(|| Disabling::new(START, "simulated"));
            }
            Version::Revoked => record.revoked = Some(revocation()),
        }
        record
    }

    /// Returns the invalidations of a change, that of the record's own digest first.
    pub(crate) fn invalidations(&self, change: &Change) -> impl Iterator<Item = Invalidation> {
        let announced = self.digests.held(change.announced);
        announced.map(|digest| Invalidation::of(&self.record_of(change.version, digest)))
    }

    pub(crate) fn created(&self) -> Option<At> {
        self.versions.first().map(|(committed, _)| *committed)
    }

    pub(crate) fn revoked(&self) -> Option<At> {
        self.committed(Version::Revoked)
    }

    pub(crate) fn committed(&self, version: Version) -> Option<At> {
        self.versions.iter().find(|(_, other)| *other == version).map(|(committed, _)| *committed)
    }

    /// Returns when the next version was committed.
    pub(crate) fn superseded(&self, version: Version) -> Option<At> {
        let mut later = self.versions.iter().skip_while(|(_, other)| *other != version);
        later.nth(1).map(|(committed, _)| *committed)
    }
}

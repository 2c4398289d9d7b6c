//! Keys, with the times of their versions.

use http::{HeaderMap, HeaderValue};
use tower_api_key::backend::Invalidation;
use tower_api_key::digest::{Digest, Digester};
use tower_api_key::key::KeyId;
use tower_api_key::{Owner, Record, Scopes, Timestamp};

use crate::simulation::time::At;
use support::{START, revocation};

/// The state of a key after a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    /// Valid, with the scope of this number.
    InForce(u32),
    Revoked,
}

/// A key. Its text depends only on its number, so that a run can be repeated.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) headers: HeaderMap,
    pub(crate) digest: Digest,
    id: KeyId,
    /// The time of its expiry, in milliseconds since the run began.
    pub(crate) expires: Option<i64>,
    pub(crate) versions: Vec<(At, Version)>,
}

impl Key {
    pub(crate) fn new(number: usize, expires: Option<i64>) -> Self {
        let text = format!("simulated-{number}");
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", HeaderValue::from_str(&text).unwrap());
        Self {
            headers,
            digest: Digester::sha256().digest(text.as_bytes()),
            id: KeyId::new(&text).unwrap(),
            expires,
            versions: Vec::new(),
        }
    }

    /// Returns the version of the key, if it was created.
    pub(crate) fn at(&self, at: At) -> Option<Version> {
        let committed = self.versions.iter().rev().find(|(committed, _)| *committed <= at);
        committed.map(|(_, version)| *version)
    }

    pub(crate) fn record(&self, at: At) -> Option<Record> {
        let version = self.at(at)?;
        let mut record = Record::imported(self.id.clone(), self.digest, Owner::organization("acme"));
        let timestamp = |millis| Timestamp::from_unix_millis(START.unix_millis() + millis);
        record.expires_at = self.expires.map(timestamp);
        match version {
            Version::InForce(number) => record.scopes = Scopes::new([format!("v{number}")]).unwrap(),
            Version::Revoked => record.revoked = Some(revocation()),
        }
        Some(record)
    }

    pub(crate) fn change_to(&self, version: Version) -> Invalidation {
        match version {
            Version::InForce(_) => Invalidation::Changed(self.digest),
            Version::Revoked => Invalidation::Revoked(self.digest),
        }
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

//! The expected answer to each request, computed from the promises, without a cache. Times are in seconds.

use tower_api_key::Reason;
use tower_api_key::reject::Forbidden::OrganizationDisabled;

use crate::properties::credentials::{Credential, TEXTS, Way};
use crate::properties::steps::Facts;

/// The times to live of a record, of an absence, and of a revocation.
const RECORD: i64 = 8;
const ABSENCE: i64 = 5;
const REVOCATION: i64 = 10;

#[derive(Default)]
pub(crate) struct Reference {
    pub(crate) wall: i64,
    pub(crate) monotonic: i64,
    pub(crate) keys: [Option<Facts>; TEXTS.len()],
    known_until: [i64; TEXTS.len()],
}

impl Reference {
    pub(crate) fn issue(&mut self, text: usize, facts: Facts) {
        self.keys[text] = Some(facts);
        self.known_until[text] = self.monotonic;
    }

    pub(crate) fn revoke(&mut self, text: usize) {
        self.keys[text].as_mut().unwrap().revoked = true;
        self.known_until[text] = self.monotonic + REVOCATION;
    }

    pub(crate) fn set_disabled(&mut self, text: usize, disabled: bool) {
        self.keys[text].as_mut().unwrap().disabled = disabled;
        self.known_until[text] = self.monotonic;
    }

    /// Returns the key that is admitted, or the reason for the rejection.
    pub(crate) fn answer(&mut self, presented: &[Credential], store_answers: bool) -> Result<usize, Reason> {
        let Credential { way, text, user } = match presented {
            [] => return Err(Reason::Missing),
            [one] if TEXTS[one.text].1.contains(&one.way) => one,
            [_] => return Err(Reason::Malformed),
            _ => return Err(Reason::Ambiguous),
        };
        let key = self.keys[*text].as_ref();
        let left = key.and_then(|key| key.end).map_or(i64::MAX, |end| end - self.wall);
        if self.monotonic >= self.known_until[*text] {
            let lifetime = if key.is_some() { RECORD } else { ABSENCE };
            self.known_until[*text] = self.monotonic + if store_answers { lifetime } else { 0 };
        }
        match key {
            _ if self.monotonic >= self.known_until[*text] => Err(Reason::Unavailable),
            None => Err(Reason::Unknown),
            Some(key) if key.revoked => Err(Reason::Revoked),
            Some(_) if left <= 0 => Err(Reason::Expired),
            Some(key) if key.disabled => Err(Reason::Disabled),
            Some(key) if key.for_tests => Err(Reason::WrongEnvironment),
            Some(key) if !key.ways.is_empty() && !key.ways.contains(way) => Err(Reason::WrongSource),
            Some(key) if *way == Way::Basic && user.to_lowercase() != key.email => Err(Reason::WrongOwner),
            Some(key) if key.closed && key.email.is_empty() => Err(Reason::Forbidden(OrganizationDisabled)),
            Some(_) => Ok(*text),
        }
    }
}

//! Checks a caller again, long after its admission, and counts what became of its request. Principals and rejections reach this by [`Admitter`],
//! through a weak reference of the principal's cache entry. A check reads through the cache as a request does, and counts no use.

// Layer 8 of 10: decision.

use std::sync::Arc;

use super::{Authenticator, Inner};
use crate::cache::{Admitter, Entry, Fact, LookupError, Rechecking};
use crate::digest::Digest;
use crate::owner::Owner;
use crate::reason::{Outcome, Reason};
use crate::record::Record;

impl Admitter for Inner {
    fn recheck<'a>(self: Arc<Self>, entry: &'a Entry, source: usize) -> Rechecking<'a> {
        Box::pin(Authenticator(self).recheck(entry, source))
    }

    fn count_rejection(&self, entry: &Arc<Entry>, outcome: Outcome) {
        if let Some(usage) = &self.usage {
            usage.count_rejection(entry, outcome);
        }
    }

    fn count_route(&self, entry: &Arc<Entry>, route: &str) {
        if let Some(usage) = &self.usage {
            usage.count_route(entry, route);
        }
    }
}

impl Authenticator {
    async fn recheck(self, before: &Entry, source: usize) -> Result<Arc<Entry>, Reason> {
        let Inner { cache, passwords, .. } = &*self.0;
        let fact = match cache.get_any(before.digests().as_slice().iter().copied()) {
            Some(fact) => Ok(fact),
            None => cache.read(&passwords.lookup_key_of(before)).await,
        };
        match fact {
            Ok(Fact::Known(entry) | Fact::Stale(entry)) => {
                match self.check_again(before.record(), &entry, source) {
                    None => Ok(entry),
                    Some(reason) => Err(reason),
                }
            }
            Ok(Fact::Absent) => Err(Reason::Unknown),
            Ok(Fact::Revoked) => Err(Reason::Revoked),
            Err(LookupError) => Err(Reason::Unavailable),
        }
    }

    fn check_again(&self, before: &Record, entry: &Entry, source: usize) -> Option<Reason> {
        let now = entry.record();
        if before.id != now.id || password_version(before) != password_version(now) {
            return Some(Reason::Unknown);
        }
        self.check_entry(entry, source, None)
    }
}

/// Returns the version of the password, if the record is that of a user who signed in by one.
fn password_version(record: &Record) -> Option<Digest> {
    match &record.owner {
        Owner::User(user) => user.password().map(|password| password.version),
        Owner::Organization(_) | Owner::Project(_) => None,
    }
}

//! The trait of what counts requests: in a process, or in a store that a fleet shares.

// Layer 8 of 10: decision.

use std::error::Error;
use std::fmt::{self, Write};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::limit::{Limit, Per, Span};
use crate::owner::Owner;
use crate::record::Record;

/// Trait for counting requests to limits.
///
/// A [`LimitLayer`](super::LimitLayer) asks it for each request to a key with limits. An implementation keeps what was used of each
/// [`Count`] under its [id](Count::id), for all processes that share a limit.
pub trait Counters: fmt::Debug + Send + Sync + 'static {
    /// Takes a request of this cost from all counts or from none, and returns what is left of each.
    ///
    /// A cost of zero takes nothing, and is never refused. A request that costs more than a limit has requests is always refused. The
    /// request waits for the returned future, which has to end within a time that the implementation sets, and may be dropped at any
    /// moment: whether the request was taken is then unknown.
    ///
    /// # Errors
    ///
    /// When the counts cannot be read or written. Whether the request was taken is unknown.
    fn take<'a>(&'a self, counts: &'a [Count], cost: u64) -> Taking<'a>;

    /// Returns whether a request of this cost can be decided without the counter store, by a part of the counts that this process holds.
    ///
    /// While the store does not answer, such requests are still passed to [`take`](Self::take). The default returns `false`.
    fn holds(&self, counts: &[Count], cost: u64) -> bool {
        let _ = (counts, cost);
        false
    }
}

impl<C: Counters + ?Sized> Counters for Arc<C> {
    fn take<'a>(&'a self, counts: &'a [Count], cost: u64) -> Taking<'a> {
        (**self).take(counts, cost)
    }

    fn holds(&self, counts: &[Count], cost: u64) -> bool {
        (**self).holds(counts, cost)
    }
}

/// The future of [`Counters::take`].
pub type Taking<'a> = Pin<Box<dyn Future<Output = Result<Taken, CountersError>> + Send + 'a>>;

/// A limit of a key, with the id under which it is counted.
///
/// ```
/// use tower_api_key::limit_requests::Count;
/// # use tower_api_key::{KeyId, Owner, Record, digest::Digest};
/// # let of_acme = Record::imported(KeyId::new("key_1")?, Digest::from_bytes([0; 32]), Owner::organization("acme"));
///
/// let id = |limit: &str| Count::new(&of_acme, limit.parse().unwrap()).id().to_owned();
/// assert_eq!(id("burst=60/60s"), "{organization/acme}/key/key_1:live:burst:60s");
/// assert_eq!(id("monthly=1000/month/owner"), "{organization/acme}:live:monthly:month");
/// # Ok::<(), tower_api_key::InvalidValue>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    id: Box<str>,
    limit: Limit,
}

/// What counters say of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    at: Timestamp,
    left: Box<[Left]>,
    used_up: Option<UsedUp>,
}

/// What is left of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Left {
    /// The requests that may be made at once.
    pub remaining: u64,
    /// The time until the allowance is whole.
    pub whole_in: Duration,
    /// The time until more requests are left than now, zero if no more can be.
    pub more_in: Duration,
}

/// A limit that leaves no room for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UsedUp {
    /// The index of its count.
    pub index: usize,
    /// The time after which there is room if no other request is made; that until the allowance is whole, if there never is.
    pub wait: Duration,
}

/// An error of counters.
///
/// For logs. It is never shown to a client.
#[derive(Debug)]
pub struct CountersError {
    kind: CountersErrorKind,
    /// Whether the store itself has answered so.
    is_answer: bool,
    source: Box<dyn Error + Send + Sync>,
}

/// The cause of a [`CountersError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CountersErrorKind {
    /// The counter store cannot be reached, or did not answer in time.
    Unavailable,
    /// The contents or the answer of the counter store cannot be decoded.
    Corrupt,
    /// The counter store answers other requests, and this one has waited for too long: for them, or for a count that is locked. It was not taken.
    Busy,
}

impl Count {
    /// Creates the count of a limit of this key.
    pub fn new(record: &Record, limit: Limit) -> Self {
        Self { id: id(record, &limit).into(), limit }
    }

    /// Creates a count of no key, for a store that is asked if it counts. It is forgotten after a millisecond.
    #[cfg(feature = "valkey")]
    pub(super) fn for_trial() -> Self {
        let limit = Limit::rate("trial", 1_000, Duration::from_secs(1)).expect("a limit within all bounds");
        Self { id: "trial".into(), limit }
    }

    /// Returns the id: `{OWNER}/HOLDER:ENVIRONMENT:NAME:WINDOW`, of ASCII letters, digits and `-_.@+%/:{}`.
    ///
    /// Keys that share a limit have the same, and no others do. It stays the same when the requests of the limit change, and when the key
    /// is rotated; another window or period has another. All ids of a key have the same text in braces, a hash tag: a cluster of Valkey or
    /// Redis keeps them on one node. It is the organization that has the key or its project, or else the user.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the limit.
    pub fn limit(&self) -> &Limit {
        &self.limit
    }
}

impl Taken {
    /// Creates the outcome of a request that was taken, at a time of the counter store, from what is left of each count, in their order.
    pub fn new(at: Timestamp, left: impl Into<Box<[Left]>>) -> Self {
        Self { at, left: left.into(), used_up: None }
    }

    /// Makes it the outcome of a request that was refused.
    #[must_use]
    pub fn refused(self, used_up: UsedUp) -> Self {
        Self { used_up: Some(used_up), ..self }
    }

    /// Returns the time of the counter store.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Returns what is left of each count.
    pub fn left(&self) -> &[Left] {
        &self.left
    }

    /// Returns the count that leaves no room for the request, if it was refused: of several, the one with the longest time to wait.
    pub fn used_up(&self) -> Option<UsedUp> {
        self.used_up
    }
}

impl Left {
    /// Creates the state of a limit.
    pub fn new(remaining: u64, whole_in: Duration, more_in: Duration) -> Self {
        Self { remaining, whole_in, more_in }
    }
}

impl UsedUp {
    /// Creates the reason to refuse a request: the count with this index.
    pub fn new(index: usize, wait: Duration) -> Self {
        Self { index, wait }
    }
}

impl CountersError {
    /// Creates an error for a counter store that cannot be reached, or did not answer in time.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: CountersErrorKind::Unavailable, is_answer: false, source: source.into() }
    }

    /// Creates an error for contents or answers of a counter store that cannot be decoded.
    pub fn corrupt(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: CountersErrorKind::Corrupt, is_answer: true, source: source.into() }
    }

    /// Creates an error for a request that was not taken, as it has waited for others, or for a count that is locked, for too long.
    pub fn busy(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: CountersErrorKind::Busy, is_answer: false, source: source.into() }
    }

    /// Creates an error for a request that was not taken, as the store has answered that the count is locked.
    #[cfg(feature = "postgres")]
    pub(super) fn locked(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { is_answer: true, ..Self::busy(source) }
    }

    /// Returns whether the store itself has answered.
    pub(super) fn is_answer(&self) -> bool {
        self.is_answer
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> CountersErrorKind {
        self.kind
    }
}

impl fmt::Display for CountersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            CountersErrorKind::Unavailable => "cannot access the counter store",
            CountersErrorKind::Corrupt => "cannot read the counter store",
            CountersErrorKind::Busy => "the counter store is busy with other requests",
        })
    }
}

impl Error for CountersError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

fn id(record: &Record, limit: &Limit) -> String {
    let mut id = String::new();
    let (kind, tag, project) = match &record.owner {
        Owner::Organization(own) => ("organization", &own.id, None),
        Owner::Project(own) => ("organization", &own.organization.id, Some(&own.id)),
        Owner::User(own) => ("user", &own.email, None),
    };
    let _ = write!(id, "{{{kind}/{}}}", Escaped(tag));
    let _ = match (limit.per(), project) {
        // The first key of its rotations: a rotation gives no new allowance.
        (Per::Key, _) => write!(id, "/key/{}", Escaped(record.first_of_rotations().as_str())),
        (Per::Owner, Some(project)) => write!(id, "/project/{}", Escaped(project)),
        (Per::Organization, _) if kind == "organization" => id.write_str("/with-projects"),
        (Per::Owner | Per::Organization, _) => Ok(()),
    };
    // OK because a `String` takes any text.
    let _ = write!(id, ":{}:{}:", record.environment, limit.name());
    let _ = match limit.span() {
        Span::Window(window) => write!(id, "{}s", window.as_secs()),
        Span::Period(period) => write!(id, "{}", period.label()),
    };
    id
}

/// A part of an id. What is not a letter, a digit or one of `-_.@+` is written as its bytes, so no part ends another one.
struct Escaped<'t>(&'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'-' | b'_' | b'.' | b'@' | b'+' => f.write_char(byte.into())?,
                _ if byte.is_ascii_alphanumeric() => f.write_char(byte.into())?,
                _ => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digest::Digest;
    use crate::environment::Environment;
    use crate::key::KeyId;
    use crate::owner::Organization;

    fn key(id: &str, owner: Owner) -> Record {
        Record::imported(KeyId::new(id).unwrap(), Digest::from_bytes([0; 32]), owner)
    }

    fn count(record: &Record, limit: &str) -> String {
        Count::new(record, limit.parse().unwrap()).id().to_owned()
    }

    #[test]
    fn what_is_counted_together() {
        let of_acme = |id| key(id, Owner::organization("acme"));
        let (first, mut second) = (of_acme("key_1"), of_acme("key_2"));
        let is_shared = |second: &Record, a, b| count(&first, a) == count(second, b);
        assert!(is_shared(&first, "a=1/60s", "a=2/60s"), "a change of the requests");
        assert!(!is_shared(&first, "a=1/60s", "a=1/30s"), "a change of the window");
        assert!(!is_shared(&first, "a=1/60s", "b=1/60s") && !is_shared(&first, "a=1/day", "a=1/month"));
        assert!(!is_shared(&second, "a=1/60s", "a=1/60s"));
        assert!(is_shared(&second, "a=1/60s/owner", "a=1/60s/owner"));
        let replaced = Record { first_rotated_from: Some(first.id.clone()), ..of_acme("key_4") };
        assert!(is_shared(&replaced, "a=1/60s", "a=1/60s"), "a rotation");
        let project = |own, id| key("key_5", Owner::project(Organization::new(own), id));
        assert!(!is_shared(&project("acme", "p"), "a=1/60s/owner", "a=1/60s/owner"));
        let whole = "a=1/60s/organization";
        assert!(is_shared(&second, whole, whole) && is_shared(&project("acme", "p"), whole, whole));
        assert!(!is_shared(&second, whole, "a=1/60s/owner"), "that of its own keys alone");
        assert!(!is_shared(&project("other", "p"), whole, whole));
        let ann = |id| key(id, Owner::user("ann@example.com", []));
        assert_eq!(count(&ann("key_7"), whole), count(&ann("key_8"), "a=1/60s/owner"), "a user");
        second.environment = Environment::Test;
        assert!(!is_shared(&second, whole, whole));
        assert!(!is_shared(&second, "a=1/60s/owner", "a=1/60s/owner"));
        for owner in [
            Owner::project(Organization::new("acme"), "acme"),
            Owner::user("acme", []),
            Owner::organization("other"),
        ] {
            second = key("key_3", owner);
            assert!(!is_shared(&second, "a=1/60s/owner", "a=1/60s/owner"));
        }
    }

    /// An owner by its ids, which are of the characters that ids are made of, and of any others.
    fn owners() -> impl Strategy<Value = Owner> {
        let id = || prop_oneof!["[a%/:{}\u{7f}\n]{0,4}", "\\PC{0,8}", "[a-z.@+_-]{1,8}"];
        prop_oneof![
            id().prop_map(Owner::organization),
            id().prop_map(|email| Owner::user(email, [])),
            (id(), id()).prop_map(|(own, id)| Owner::project(Organization::new(own), id)),
        ]
    }

    proptest! {
        #[test]
        fn two_holders_never_have_one_id_and_no_id_breaks_its_tag(first in owners(), second in owners()) {
            for limit in ["a=1/day", "a=1/day/owner"] {
                let [first_id, second_id] = [&first, &second].map(|owner| count(&key("key_1", owner.clone()), limit));
                prop_assert_eq!(first_id == second_id && limit.ends_with("owner"), first == second && limit.ends_with("owner"));
                let (tag, rest) = first_id.strip_prefix('{').and_then(|rest| rest.split_once('}')).unwrap();
                let is_whole = !tag.is_empty() && !tag.contains('{') && !rest.contains(['{', '}']);
                prop_assert!(is_whole, "{}", first_id);
                prop_assert!(first_id.bytes().all(|byte| byte.is_ascii_graphic()));
                let other = count(&key("key_2", first.clone()), "b=2/60s");
                let same_tag = format!("{{{}}}", tag);
                prop_assert!(other.starts_with(&same_tag), "all limits of a key are in one slot");
            }
        }
    }
}

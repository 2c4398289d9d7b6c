//! The cache entry of a key that was found, and the authenticator that it belongs to.
//!
//! An entry holds how its authenticator responds, from `reject`, and reaches the authenticator itself, which is above the cache, by a trait
//! only.

// Layer 6 of 10: cache.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use super::accepted::AcceptedBy;
use super::flags::Flags;
use super::generation::Generation;
use super::place::Place;
use super::rejections::Rejections;
use super::routes::Routes;
use super::use_counter::UseCounter;
use crate::cache::sync::{Arc, OnceBox, OnceLock, Weak};
use crate::clock::{Clock, Moment, Timestamp};
use crate::credential::Scheme;
use crate::digest::{Digest, Digests};
use crate::environment::Environment;
use crate::key::KeyId;
use crate::record::Record;
use crate::reject::{Caller, Outcome, Reason, ResponseConfig};
use crate::rights::ScopePolicy;

/// A record, with the generation it was read under and the end of its time to live. Facts only: whether the key is admitted is decided for each
/// request.
///
/// The fields that an admission reads come first and fit into one cache line of memory: with many keys in use, fetching cache lines is most
/// of its cost.
#[repr(C)]
pub(crate) struct Entry {
    /// That of all digests by which the key was looked up.
    pub(super) generation: Generation,
    pub(super) until: Moment,
    pub(super) uses: UseCounter,
    /// [`Timestamp::NEVER`] if the key does not expire.
    expires_at: Timestamp,
    environment: Environment,
    flags: Flags,
    accepted_by: AcceptedBy,
    pub(super) place: Place,
    issuer: Arc<Issuer>,
    /// Here because a request with a limit reads it.
    extras: OnceBox<Extras>,
    record: Record,
}

/// What few entries have.
#[derive(Default)]
struct Extras {
    /// The digests by which the key was looked up, if several: it may be under another one when it is looked up again.
    digests: Option<Digests>,
    attached: OnceLock<Attached>,
    rejections: Rejections,
    routes: Routes,
}

/// What a component above the cache keeps with an entry, to find it without a search.
pub(crate) type Attached = Box<dyn Any + Send + Sync>;

/// The parts of an authenticator that its principals need after they were admitted.
pub(crate) struct Issuer {
    /// How a credential was presented, by the index of its source.
    pub(crate) schemes: Box<[Scheme]>,
    pub(crate) policy: ScopePolicy,
    pub(crate) responses: Arc<ResponseConfig>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The authenticator. `None` for principals that tests make.
    pub(crate) authenticator: Option<Weak<dyn Admitter>>,
}

/// Trait for what happens to a caller after its admission. The authenticator implements it.
pub(crate) trait Admitter: Send + Sync {
    /// Returns the current entry of a caller, or the reason to admit it no more. The caller was admitted with `entry` by the source with
    /// this index.
    fn recheck<'a>(self: Arc<Self>, entry: &'a Entry, source: usize) -> Rechecking<'a>;

    /// Counts that a caller was rejected, which was admitted with `entry`.
    fn count_rejection(&self, entry: &Arc<Entry>, outcome: Outcome);

    /// Counts by route a request that was admitted with `entry`.
    fn count_route(&self, entry: &Arc<Entry>, route: &str);
}

pub(crate) type Rechecking<'a> = Pin<Box<dyn Future<Output = Result<Arc<Entry>, Reason>> + Send + 'a>>;

impl Entry {
    pub(in crate::cache) fn new(
        generation: Generation,
        until: Moment,
        record: Record,
        digests: Option<Digests>,
        issuer: Arc<Issuer>,
    ) -> Self {
        let flags = Flags::of(&record);
        let flags = if digests.is_some() { flags.with_several_digests() } else { flags };
        let extras = digests.map(|digests| Box::new(Extras { digests: Some(digests), ..Extras::default() }));
        Self {
            generation,
            until,
            uses: UseCounter::zero(),
            expires_at: record.expires_at.unwrap_or(Timestamp::NEVER),
            environment: record.environment,
            flags,
            accepted_by: AcceptedBy::default(),
            place: Place::default(),
            issuer,
            record,
            extras: extras.map_or_else(OnceBox::new, OnceBox::with_value),
        }
    }

    /// Returns the digests by which the key is looked up.
    pub(crate) fn digests(&self) -> Digests {
        let several = self.extras.get().and_then(|extras| extras.digests);
        several.unwrap_or_else(|| Digests::new(self.record.digest, []))
    }

    /// Returns the digests by which the key was looked up, if several.
    #[inline]
    pub(super) fn several_digests(&self) -> Option<&[Digest]> {
        // The flags are in the memory that an admission reads, the digests are elsewhere.
        let extras = if self.flags.has_several_digests() { self.extras.get() } else { None };
        extras?.digests.as_ref().map(Digests::as_slice)
    }

    /// Returns the end of the key, [`Timestamp::NEVER`] if it does not expire.
    pub(crate) fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    pub(crate) fn environment(&self) -> Environment {
        self.environment
    }

    pub(crate) fn flags(&self) -> Flags {
        self.flags
    }

    /// Returns whether the source with this index has accepted the text of the key, by which the entry was found.
    pub(crate) fn is_accepted_by(&self, source: usize) -> bool {
        self.accepted_by.contains(source)
    }

    /// Records that the source with this index accepts the text by whose digest the entry was found. A digest has one text, and a source
    /// accepts a text always or never: so the entry may be used without another check.
    pub(crate) fn set_accepted_by(&self, source: usize) {
        self.accepted_by.add(source);
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    pub(crate) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Returns the rejections that were not taken yet.
    pub(super) fn rejections(&self) -> &Rejections {
        &self.extras.get_or_init(Box::default).rejections
    }

    /// Takes the limited and the forbidden requests.
    pub(super) fn take_rejections(&self) -> (u64, u64) {
        self.extras.get().map_or((0, 0), |extras| extras.rejections.take())
    }

    /// Counts by route a request that was admitted with the entry.
    pub(crate) fn count_route(self: &Arc<Self>, route: &str) {
        if let Some(authenticator) = self.issuer.authenticator.as_ref().and_then(Weak::upgrade) {
            authenticator.count_route(self, route);
        }
    }

    /// Returns the requests by route that were not taken yet.
    pub(super) fn routes(&self) -> &Routes {
        &self.extras.get_or_init(Box::default).routes
    }

    /// Takes the requests by route.
    pub(super) fn take_routes(&self) -> BTreeMap<Box<str>, u64> {
        self.extras.get().map(|extras| extras.routes.take()).unwrap_or_default()
    }

    /// Returns what is kept with the entry: for its whole life, what the first component that asks makes of it.
    #[inline]
    pub(crate) fn attached(&self, make: impl FnOnce() -> Attached) -> &(dyn Any + Send + Sync) {
        &**self.extras.get_or_init(Box::default).attached.get_or_init(make)
    }

    /// Creates an entry that is in no cache.
    #[cfg(feature = "test-util")]
    pub(crate) fn detached(record: Record, issuer: Arc<Issuer>) -> Self {
        Self::new(Generation::default(), Moment::NEVER, record, None, issuer)
    }

    /// Creates an entry of a key with this digest, valid until then.
    #[cfg(all(test, not(any(shuttle, weak_memory))))]
    pub(super) fn of_digest(digest: Digest, until: Moment) -> Arc<Self> {
        let id = KeyId::new("key").expect("a valid id");
        let record = Record::imported(id, digest, crate::owner::Owner::organization("acme"));
        let issuer = Arc::new(Issuer::detached(Box::default()));
        Arc::new(Self::new(Generation::default(), until, record, None, issuer))
    }
}

/// A caller that was admitted with the entry.
impl Caller for Entry {
    fn key_id(&self) -> &KeyId {
        &self.record.id
    }

    fn count_rejection(self: Arc<Self>, outcome: Outcome) {
        if let Some(authenticator) = self.issuer.authenticator.as_ref().and_then(Weak::upgrade) {
            authenticator.count_rejection(&self, outcome);
        }
    }
}

impl Issuer {
    /// Creates the issuer of principals without an authenticator.
    #[cfg(any(feature = "test-util", test))]
    pub(crate) fn detached(schemes: Box<[Scheme]>) -> Self {
        Self {
            schemes,
            policy: ScopePolicy::default(),
            responses: ResponseConfig::unconfigured(),
            clock: Arc::new(crate::clock::SystemClock::default()),
            authenticator: None,
        }
    }
}

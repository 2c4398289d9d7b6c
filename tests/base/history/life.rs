//! The life of one key: its acknowledged changes, and the answers to its requests.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use http::HeaderMap;
use tokio::sync::Notify;
use tower_api_key::{Principal, Reason, Record, Rejection};

use support::Key;

/// A position in the total order of all starts and acknowledgements.
pub(crate) type Position = u64;

const NEVER: Position = Position::MAX;

pub(crate) struct Life {
    pub(crate) record: Record,
    pub(crate) headers: HeaderMap,
    pub(crate) is_over: AtomicBool,
    requests: AtomicU64,
    /// The number of requests that the manager waits for.
    awaited: AtomicU64,
    progressed: Notify,
    admitted: AtomicU64,
    unanswered: AtomicU64,
    /// The positions of the acknowledgements.
    inserted: AtomicU64,
    revoked: AtomicU64,
    disabled: AtomicU64,
    enabled: AtomicU64,
    /// Whether the key was being enabled.
    is_enabling: AtomicBool,
    /// The start of the last request that was admitted, and of the last that was answered with "unknown".
    last_admitted: AtomicU64,
    last_unknown: AtomicU64,
    tally: Arc<Tally>,
}

impl Life {
    pub(crate) fn new(tally: Arc<Tally>) -> Self {
        let key = Key::mint();
        Self {
            headers: key.bearer().headers().clone(),
            record: key.record,
            is_over: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            awaited: AtomicU64::new(NEVER),
            progressed: Notify::new(),
            admitted: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            inserted: AtomicU64::new(NEVER),
            revoked: AtomicU64::new(NEVER),
            disabled: AtomicU64::new(NEVER),
            enabled: AtomicU64::new(NEVER),
            is_enabling: AtomicBool::new(false),
            last_admitted: AtomicU64::new(0),
            last_unknown: AtomicU64::new(0),
            tally,
        }
    }

    pub(crate) fn count_request(&self) {
        if self.requests.fetch_add(1, SeqCst) + 1 >= self.awaited.load(SeqCst) {
            self.progressed.notify_one();
        }
    }

    /// Waits until this number of further requests was made.
    pub(crate) async fn wait_for_requests(&self, requests: u64) {
        let awaited = self.requests.load(SeqCst) + requests;
        self.awaited.store(awaited, SeqCst);
        while self.requests.load(SeqCst) < awaited {
            self.progressed.notified().await;
        }
        self.awaited.store(NEVER, SeqCst);
    }

    pub(crate) fn acknowledge_insertion(&self, at: Position) {
        self.inserted.store(at, SeqCst);
    }

    pub(crate) fn acknowledge_revocation(&self, at: Position) {
        self.revoked.store(at, SeqCst);
    }

    pub(crate) fn acknowledge_disabling(&self, at: Position) {
        self.disabled.store(at, SeqCst);
    }

    /// Notes that the key is about to be enabled: it may be admitted from here on.
    pub(crate) fn begin_enabling(&self) {
        self.is_enabling.store(true, SeqCst);
    }

    pub(crate) fn acknowledge_enabling(&self, at: Position) {
        self.enabled.store(at, SeqCst);
    }

    pub(crate) fn note(&self, began: Position, outcome: &Result<Principal, Rejection>) {
        match outcome.as_ref().map_err(Rejection::reason) {
            Ok(_) => {
                self.admitted.fetch_add(1, SeqCst);
                let is_late = began > self.disabled.load(SeqCst) && !self.is_enabling.load(SeqCst);
                self.tally.admitted_disabled.fetch_add(is_late.into(), SeqCst);
                self.last_admitted.fetch_max(began, SeqCst);
            }
            Err(Reason::Unknown) => {
                self.last_unknown.fetch_max(began, SeqCst);
            }
            Err(Reason::Unavailable) => {
                self.unanswered.fetch_add(1, SeqCst);
            }
            Err(Reason::Disabled) => {
                let is_late = began > self.enabled.load(SeqCst);
                self.tally.disabled_late.fetch_add(is_late.into(), SeqCst);
            }
            Err(Reason::Revoked) => {}
            Err(other) => panic!("expected an unknown, disabled, revoked or unavailable key, got {other:?}"),
        }
    }
}

impl Drop for Life {
    /// Judges the life: no request and no acknowledgement can be pending any more.
    fn drop(&mut self) {
        let late = |last: &AtomicU64, acknowledged: &AtomicU64| {
            u64::from(last.load(SeqCst) > acknowledged.load(SeqCst))
        };
        self.tally.histories.fetch_add(1, SeqCst);
        self.tally.requests.fetch_add(self.requests.load(SeqCst), SeqCst);
        self.tally.admitted.fetch_add(self.admitted.load(SeqCst), SeqCst);
        self.tally.unanswered.fetch_add(self.unanswered.load(SeqCst), SeqCst);
        self.tally.admitted_late.fetch_add(late(&self.last_admitted, &self.revoked), SeqCst);
        self.tally.unknown_late.fetch_add(late(&self.last_unknown, &self.inserted), SeqCst);
    }
}

/// The counts over all judged lives. A late answer counts once per key.
#[derive(Default)]
pub(crate) struct Tally {
    histories: AtomicU64,
    requests: AtomicU64,
    pub(crate) admitted: AtomicU64,
    unanswered: AtomicU64,
    pub(crate) admitted_late: AtomicU64,
    pub(crate) unknown_late: AtomicU64,
    pub(crate) admitted_disabled: AtomicU64,
    pub(crate) disabled_late: AtomicU64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { histories, requests, admitted, unanswered, admitted_late, unknown_late, .. } = self;
        write!(f, "histories: {}, requests: {}", histories.load(SeqCst), requests.load(SeqCst))?;
        write!(f, ", admitted after the acknowledgement: {}", admitted_late.load(SeqCst))?;
        write!(f, ", unknown after the acknowledgement: {}", unknown_late.load(SeqCst))?;
        write!(f, ", admitted while disabled: {}", self.admitted_disabled.load(SeqCst))?;
        write!(f, ", disabled after the acknowledgement of enabling: {}", self.disabled_late.load(SeqCst))?;
        write!(f, " ({} admitted, {} unanswered)", admitted.load(SeqCst), unanswered.load(SeqCst))
    }
}

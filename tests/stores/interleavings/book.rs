//! The deeds of each actor, in the total order of all calls and responses, and whether that order is allowed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use tower_api_key::audit::Action;
use tower_api_key::backend::{AuditEntry, BackendErrorKind};
use tower_api_key::{KeyId, Principal, Record};

use crate::interleavings::changes::Outcome;

/// A position in that order.
pub(crate) type Tick = u64;

const NEVER: Tick = Tick::MAX;

/// A key that acts, until it is revoked.
pub(crate) struct Life {
    pub(crate) caller: Principal,
    /// When its revocation or rotation was acknowledged.
    ended: AtomicU64,
    /// The periods in which it was acknowledged not to have the scope that changes require.
    disarmed: Mutex<Vec<(Tick, Tick)>>,
    /// Whether another thread withdraws and restores the scope.
    pub(crate) is_in_hand: AtomicBool,
}

impl Life {
    pub(crate) fn new(caller: Principal) -> Self {
        Self {
            caller,
            ended: AtomicU64::new(NEVER),
            disarmed: Mutex::default(),
            is_in_hand: AtomicBool::new(false),
        }
    }

    pub(crate) fn id(&self) -> &KeyId {
        self.caller.key_id()
    }

    pub(crate) fn end(&self, acknowledged: Tick) {
        self.ended.fetch_min(acknowledged, SeqCst);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(SeqCst) != NEVER
    }

    pub(crate) fn disarm(&self, acknowledged: Tick) {
        self.disarmed.lock().unwrap().push((acknowledged, NEVER));
    }

    pub(crate) fn arm_again(&self, began: Tick) {
        self.disarmed.lock().unwrap().last_mut().unwrap().1 = began;
    }

    /// Returns whether the key had no authority during the whole of this period.
    fn forbids(&self, began: Tick, answered: Tick) -> bool {
        let disarmed = self.disarmed.lock().unwrap();
        began > self.ended.load(SeqCst)
            || disarmed.iter().any(|(taken, given)| began > *taken && answered < *given)
    }
}

/// An attempt of a key, made or rejected.
pub(crate) struct Deed {
    pub(crate) by: usize,
    pub(crate) began: Tick,
    pub(crate) answered: Tick,
    pub(crate) makes_key: bool,
    /// The possible numbers of audit entries.
    pub(crate) entries: usize,
    pub(crate) outcome: Outcome,
}

/// The observations.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) lives: usize,
    pub(crate) made: usize,
    pub(crate) rejected: usize,
    unknown: usize,
    /// Changes that were made although they began after the loss of their actor's authority was acknowledged.
    pub(crate) late: usize,
    /// Keys and entries that an actor has made without an acknowledgement, and acknowledged keys that are missing.
    pub(crate) astray: usize,
    /// The possible numbers of audit entries of each actor.
    entries: BTreeMap<String, usize>,
    /// Audit entries of a key after the one that ended it.
    pub(crate) posthumous: usize,
}

impl Tally {
    pub(crate) fn of(lives: &[Arc<Life>], deeds: &[Deed], keys: &[Record]) -> Self {
        let mut tally = Self { lives: lives.len(), ..Self::default() };
        // For each life, keys that must exist and keys that may.
        let mut expected = vec![(0, 0); lives.len()];
        for deed in deeds {
            let (must, may) = &mut expected[deed.by];
            let entries = tally.entries.entry(lives[deed.by].id().as_str().to_owned()).or_default();
            if matches!(deed.outcome, Ok(()) | Err(BackendErrorKind::Unavailable)) {
                *entries += deed.entries;
            }
            match deed.outcome {
                Ok(()) => {
                    tally.made += 1;
                    let is_late = lives[deed.by].forbids(deed.began, deed.answered);
                    tally.late += usize::from(is_late);
                    (*must, *may) = (*must + usize::from(deed.makes_key), *may + usize::from(deed.makes_key));
                }
                Err(BackendErrorKind::Unavailable) => {
                    tally.unknown += 1;
                    *may += usize::from(deed.makes_key);
                }
                Err(_) => tally.rejected += 1,
            }
        }
        let mut made_by: BTreeMap<&str, usize> = BTreeMap::new();
        for maker in keys.iter().filter_map(|key| key.created_by.as_deref()) {
            *made_by.entry(maker).or_default() += 1;
        }
        for (life, (must, may)) in lives.iter().zip(expected) {
            let made = made_by.get(life.id().as_str()).copied().unwrap_or_default();
            tally.astray += made.saturating_sub(may) + usize::saturating_sub(must, made);
        }
        tally
    }

    /// Searches an audit log for traces of rejected changes.
    pub(crate) fn look_for_traces(&mut self, log: &[AuditEntry]) {
        let mut made: BTreeMap<&str, usize> = BTreeMap::new();
        for by in log.iter().filter_map(|entry| entry.event.by.as_deref()) {
            *made.entry(by).or_default() += 1;
        }
        for (actor, may) in &self.entries {
            self.astray += made.get(actor.as_str()).copied().unwrap_or_default().saturating_sub(*may);
        }
    }

    /// Searches an audit log whose numbers are in the order of the commits.
    pub(crate) fn look_for_the_dead(&mut self, log: &[AuditEntry]) {
        let mut ended: BTreeMap<&str, u64> = BTreeMap::new();
        for AuditEntry { seq, event, .. } in log {
            let ended_at = event.by.as_deref().and_then(|by| ended.get(by));
            // The entry of a successor of a key that rotated itself follows the rotation, in the same transaction.
            let is_own_successor =
                event.action == Action::Created && ended_at.is_some_and(|ended| ended + 1 == *seq);
            self.posthumous += usize::from(ended_at.is_some() && !is_own_successor);
            if matches!(event.action, Action::Revoked | Action::Rotated { .. })
                && let Some(key) = &event.key
            {
                ended.entry(key.as_str()).or_insert(*seq);
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lives, made, rejected, unknown, late, astray, posthumous, .. } = self;
        write!(f, "{lives} keys, {made} changes made, {rejected} rejected, {unknown} unknown")?;
        write!(f, "; made after the acknowledgement: {late}, keys and entries astray: {astray}")?;
        write!(f, ", entries by a key that had ended: {posthumous}")
    }
}

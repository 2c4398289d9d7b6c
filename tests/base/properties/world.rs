//! An authenticator with its clock and store, and the reference.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tokio::task::yield_now;
use tower_api_key::backend::{BackendErrorKind, KeyChange, KeyStore};
use tower_api_key::clock::ManualClock;
use tower_api_key::digest::Digester;
use tower_api_key::owner::Organization;
use tower_api_key::record::Disabling;
use tower_api_key::test_util::{Behaviour, Misbehaving};
use tower_api_key::{
    Authenticator, Environment, KeyId, MemoryStore, Owner, Principal, Reason, Record, Rejection, Timestamp,
};

use crate::properties::credentials::{Credential, Presented, TEXTS, headers, scheme, sources};
use crate::properties::reference::Reference;
use crate::properties::steps::{Change, Facts, Step};
use support::{START, build, revocation};

type Checked = Result<(), TestCaseError>;

pub(crate) struct World {
    authenticator: Authenticator,
    clock: Arc<ManualClock>,
    store: MemoryStore,
    backend: Misbehaving<MemoryStore>,
    behaviour: Behaviour,
    reference: Reference,
}

impl World {
    /// Whole seconds pass, and a jitter shortens a time to live by less than a tenth: of eight seconds, by less than one.
    /// So the reference knows at each second whether an entry is still valid.
    pub(crate) fn new() -> Self {
        let store = MemoryStore::new();
        let backend = Misbehaving::new(store.clone());
        let builder = Authenticator::builder(backend.clone())
            // The reference asks the store for each request and has no circuit breaker.
            .circuit_breaker(1, Duration::ZERO)
            .sources(sources())
            .environment(Environment::Live)
            .positive_ttl(Duration::from_secs(8));
        let (authenticator, clock) = build(builder);
        let behaviour = Behaviour::Behave;
        Self { authenticator, clock, store, backend, behaviour, reference: Reference::default() }
    }

    pub(crate) async fn take(&mut self, step: Step) -> Checked {
        match step {
            Step::Change(text, change) => self.change(text, change).await?,
            Step::Request(presented) => self.request(&presented).await?,
            Step::Overtaken(credential, change) => self.request_overtaken_by(credential, change).await?,
            Step::Pass { monotonic, wall } => {
                self.clock.advance_monotonic(Duration::from_secs(monotonic.unsigned_abs()));
                self.reference.monotonic += monotonic;
                self.set_wall(self.reference.wall + wall);
            }
            Step::Approach { text, seconds } => {
                let end = self.reference.keys[text].as_ref().and_then(|key| key.end);
                self.set_wall(end.map_or(self.reference.wall, |end| end - seconds));
            }
            Step::Store(behaviour) => {
                self.behaviour = behaviour;
                self.backend.set(behaviour);
            }
        }
        Ok(())
    }

    fn set_wall(&mut self, seconds: i64) {
        self.reference.wall = seconds;
        self.clock.set_wall(at(seconds));
    }

    async fn change(&mut self, text: usize, change: Change) -> Checked {
        match change {
            Change::Issue(mut facts) => {
                facts.end = facts.end.map(|end| self.reference.wall + end);
                let issued = self.store.change(KeyChange::insert(record(text, &facts))).await;
                if self.reference.keys[text].is_some() {
                    prop_assert_eq!(issued.unwrap_err().kind(), BackendErrorKind::Conflict);
                } else {
                    issued.unwrap();
                    self.reference.issue(text, facts);
                }
            }
            Change::Disable | Change::Enable => {
                let (disables, now) = (matches!(change, Change::Disable), at(self.reference.wall));
                let change = if disables {
                    KeyChange::disable(&id(text), Disabling::new(now, ""))
                } else {
                    KeyChange::enable(&id(text), now)
                };
                let changed = self.store.change(change).await;
                let expected = match &self.reference.keys[text] {
                    None => Err(BackendErrorKind::NotFound),
                    Some(key) if key.revoked => Err(BackendErrorKind::Conflict),
                    Some(key) if !disables && key.end.is_some_and(|end| end <= self.reference.wall) => {
                        Err(BackendErrorKind::Conflict)
                    }
                    Some(_) => Ok(()),
                };
                prop_assert_eq!(changed.map(drop).map_err(|error| error.kind()), expected);
                if expected.is_ok() {
                    self.reference.set_disabled(text, disables);
                }
            }
            Change::Revoke => {
                let revoked = self.store.change(KeyChange::revoke(&id(text), revocation())).await;
                if self.reference.keys[text].is_none() {
                    prop_assert_eq!(revoked.unwrap_err().kind(), BackendErrorKind::NotFound);
                } else {
                    revoked.unwrap();
                    self.reference.revoke(text);
                }
            }
        }
        Ok(())
    }

    fn store_answers(&self) -> bool {
        self.behaviour == Behaviour::Behave
    }

    async fn request(&mut self, presented: &Presented) -> Checked {
        let outcome = self.authenticator.authenticate(&headers(presented)).await;
        prop_assert_eq!(answer(outcome), self.reference.answer(presented, self.store_answers()));
        // A lookup outlives a request that timed out waiting for it.
        settle().await;
        Ok(())
    }

    /// A request during which its key changes may see the key before or after the change.
    async fn request_overtaken_by(&mut self, credential: Credential, change: Change) -> Checked {
        let text = credential.text;
        let presented = vec![credential];
        self.backend.set(Behaviour::Hold);
        let (authenticator, headers) = (self.authenticator.clone(), headers(&presented));
        let request = tokio::spawn(async move { authenticator.authenticate(&headers).await });
        settle().await;
        let mut allowed = vec![self.reference.answer(&presented, true)];
        let is_overtaken = !request.is_finished();
        self.change(text, change).await?;
        self.backend.set(self.behaviour);
        if is_overtaken {
            allowed.push(self.reference.answer(&presented, self.store_answers()));
        }
        let answer = answer(request.await.unwrap());
        prop_assert!(allowed.contains(&answer), "{answer:?} is none of {allowed:?}");
        settle().await;
        Ok(())
    }
}

/// Returns the text of the admitted key, or the reason for the rejection.
fn answer(outcome: Result<Principal, Rejection>) -> Result<usize, Reason> {
    match outcome {
        Ok(principal) => Ok(principal.key_id().as_str().parse().unwrap()),
        Err(rejection) => Err(rejection.reason().clone()),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(START.unix_millis() + seconds * 1_000)
}

fn id(text: usize) -> KeyId {
    KeyId::new(&text.to_string()).unwrap()
}

fn record(text: usize, facts: &Facts) -> Record {
    let mut organization = Organization::new("acme");
    organization.disabled = facts.closed;
    let owner = match facts.email {
        "" => Owner::Organization(organization),
        email => Owner::user(email, []),
    };
    let digest = Digester::sha256().digest(TEXTS[text].0.as_bytes());
    let mut record = Record::imported(id(text), digest, owner);
    record.expires_at = facts.end.map(at);
    record.environment = if facts.for_tests { Environment::Test } else { Environment::Live };
    record.sources = facts.ways.iter().copied().map(scheme).collect();
    record
}

/// Runs all tasks until each waits for the clock or for the store.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

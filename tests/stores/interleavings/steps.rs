//! A store in memory that yields to other tasks before and after each call, and records what took effect, and when.

use std::sync::{Arc, Mutex};

use tower_api_key::backend::{
    Actor, Backend, BackendError, ChangeOutcome, KeyChange, KeyFilter, KeyStore, OwnerChange, OwnerStore,
    Subscriber,
};
use tower_api_key::digest::Digest;
use tower_api_key::owner::{Organization, Project, User};
use tower_api_key::{KeyId, MemoryStore, Record};

use crate::interleavings::cast::{ANN, BOB};
use crate::interleavings::schedule::{run, step_aside};

/// A change of the store, in the order of their effects.
#[derive(Debug)]
pub(crate) struct Step<P> {
    pub(crate) party: P,
    /// Whether the change was rejected, and left the store unchanged.
    pub(crate) left_all: bool,
}

/// The store as one of two parties sees it.
#[derive(Clone)]
pub(crate) struct Stepping<P> {
    pub(crate) store: MemoryStore,
    pub(crate) steps: Arc<Mutex<Vec<Step<P>>>>,
    pub(crate) party: P,
    /// Treats every change as one by the application itself.
    pub(crate) strips: bool,
    /// Whether rejected changes are checked for traces.
    pub(crate) is_watched: bool,
}

impl<P: Copy> Stepping<P> {
    /// Records an effect outside the store.
    pub(crate) async fn note(&self, effect: impl FnOnce()) {
        step_aside().await;
        effect();
        self.push(false);
        step_aside().await;
    }

    fn push(&self, left_all: bool) {
        self.steps.lock().unwrap().push(Step { party: self.party, left_all });
    }

    async fn effect<T>(
        &self,
        change: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, BackendError> {
        step_aside().await;
        let before = self.is_watched.then(|| whole(&self.store));
        let outcome = change.await;
        let left_all = outcome.is_err() && before.is_some_and(|before| before == whole(&self.store));
        self.push(left_all);
        step_aside().await;
        outcome
    }

    async fn look<T>(&self, answer: impl Future<Output = T>) -> T {
        step_aside().await;
        let answer = answer.await;
        step_aside().await;
        answer
    }
}

/// The whole state of a store. Its debug text has all but the passwords.
fn whole(store: &MemoryStore) -> String {
    let hash = |email| {
        run(store.find_user(email))
            .unwrap()
            .and_then(|user| user.password_hash().map(|hash| hash.as_str().to_owned()))
    };
    format!("{store:?} {:?} {:?}", hash(ANN), hash(BOB))
}

impl<P: Copy + Send + Sync + 'static> Backend for Stepping<P> {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        self.look(self.store.find(digest)).await
    }

    async fn find_user(&self, email: &str) -> Result<Option<User>, BackendError> {
        self.look(self.store.find_user(email)).await
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.store.subscribe(subscriber);
    }
}

impl<P: Copy + Send + Sync + 'static> KeyStore for Stepping<P> {
    async fn change(&self, change: KeyChange) -> Result<ChangeOutcome, BackendError> {
        let change = if self.strips { KeyChange::from(change.action) } else { change };
        self.effect(self.store.change(change)).await
    }

    async fn get(&self, id: &KeyId) -> Result<Option<Record>, BackendError> {
        self.look(self.store.get(id)).await
    }

    async fn list(
        &self,
        filter: &KeyFilter,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<Record>, BackendError> {
        self.look(self.store.list(filter, after, limit)).await
    }
}

impl<P: Copy + Send + Sync + 'static> OwnerStore for Stepping<P> {
    async fn change_owner(&self, change: OwnerChange) -> Result<(), BackendError> {
        let change = if self.strips { change.by(Actor::system()) } else { change };
        self.effect(self.store.change_owner(change)).await
    }

    async fn organization(&self, id: &str) -> Result<Option<Organization>, BackendError> {
        self.look(self.store.organization(id)).await
    }

    async fn members(
        &self,
        organization: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<User>, BackendError> {
        self.look(self.store.members(organization, after, limit)).await
    }

    async fn project(&self, organization: &str, id: &str) -> Result<Option<Project>, BackendError> {
        self.look(self.store.project(organization, id)).await
    }

    async fn projects(
        &self,
        organization: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Project>, BackendError> {
        self.look(self.store.projects(organization, after, limit)).await
    }
}

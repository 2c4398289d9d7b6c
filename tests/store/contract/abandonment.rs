//! Whoever asks for a change may go away at any point, as the handler of a closed connection does. The change is then
//! made in full, authenticators included, or not at all.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{spawn_blocking, yield_now};
use tower_api_key::backend::KeyStore;
use tower_api_key::reject::Reason;

use crate::caller::Caller;
use crate::samples;

const POLLS: usize = 20;

pub(crate) async fn an_abandoned_revocation_is_made_in_full_or_not_at_all<S: KeyStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    for polls in 0..POLLS {
        let name = format!("key_{polls}");
        let id = samples::id(&name);
        store.insert(samples::plain(&name)).await.unwrap();
        assert_eq!(caller.warm(&name).await, Ok(id.clone()));

        let revocation = samples::revocation(1, "lost");
        let asked = (store.clone(), id.clone(), revocation.clone());
        let leftovers = abandon(async move { asked.0.revoke(&asked.1, asked.2).await }, polls).await;
        // Whatever is remembered of this answer may be out of date a moment later.
        caller.present(&name).await.ok();
        leftovers.settle().await;

        let answer = caller.present(&name).await;
        match store.get(&id).await.unwrap().unwrap().revoked {
            None => assert_eq!(answer, Ok(id), "{polls} polls"),
            Some(made) => {
                assert_eq!(made, revocation);
                assert_eq!(answer, Err(Reason::Revoked), "{polls} polls");
            }
        }
    }
}

pub(crate) async fn an_abandoned_insertion_is_made_in_full_or_not_at_all<S: KeyStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    for polls in 0..POLLS {
        let record = samples::plain(&format!("key_{polls}"));
        let name = record.id.as_str();
        assert_eq!(caller.warm(name).await, Err(Reason::Unknown));

        let asked = (store.clone(), record.clone());
        let leftovers = abandon(async move { asked.0.insert(asked.1).await }, polls).await;
        // Whatever is remembered of this answer may be out of date a moment later.
        caller.present(name).await.ok();
        leftovers.settle().await;

        let answer = caller.present(name).await;
        match store.find(&record.digest).await.unwrap() {
            None => assert_eq!(answer, Err(Reason::Unknown), "{polls} polls"),
            Some(made) => {
                assert_eq!(made, record);
                assert_eq!(answer, Ok(record.id), "{polls} polls");
            }
        }
    }
}

/// What a dropped future has set going. It stands still until it is settled.
pub(crate) struct Leftovers(Runtime);

/// Polls a future some times and drops it.
pub(crate) async fn abandon<F: Future + Send + 'static>(future: F, polls: usize) -> Leftovers {
    let work = spawn_blocking(move || {
        // On a runtime of its own, the only tasks are those that the future has spawned.
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(poll_times(future, polls));
        Leftovers(runtime)
    });
    work.await.unwrap()
}

impl Leftovers {
    /// Waits until all of it has come to its end.
    pub(crate) async fn settle(self) {
        let work = spawn_blocking(move || {
            self.0.block_on(async {
                while Handle::current().metrics().num_alive_tasks() > 0 {
                    yield_now().await;
                }
            });
        });
        work.await.unwrap();
    }
}

async fn poll_times<F: Future>(future: F, polls: usize) {
    let mut future = pin!(future);
    for _ in 0..polls {
        if future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return;
        }
        yield_now().await;
    }
}

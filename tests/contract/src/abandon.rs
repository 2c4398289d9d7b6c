//! Dropping a change at every point at which its caller has to wait.

use std::future::Future;
use std::sync::Arc;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Notify;
use tokio::task::{spawn_blocking, yield_now};
use tower_api_key::backend::{BackendError, BackendErrorKind};

/// More waits than any change takes.
const WAITS: usize = 200;

/// An answer may be ready before the caller has to wait for it, so that a point is skipped, though not each time.
const ROUNDS: usize = 4;

/// Makes numbered attempts that are dropped after no wait, after one, after two, until one completes.
pub async fn at_every_point(mut attempt: impl AsyncFnMut(usize, usize) -> bool) {
    let mut number = 0;
    for _ in 0..ROUNDS {
        let mut waits = 0;
        while !attempt(number, waits).await {
            assert!(waits < WAITS, "expected a change that takes fewer than {WAITS} waits");
            (number, waits) = (number + 1, waits + 1);
        }
        number += 1;
    }
}

/// The tasks of a dropped future. They are suspended until settled.
pub struct Leftovers {
    runtime: Runtime,
    completed: bool,
}

/// Drops a future once it and all its tasks have had to wait this many times for something from outside: for an
/// answer of the database.
pub async fn abandon<F: Future + Send + 'static>(future: F, waits: usize) -> Leftovers {
    let work = spawn_blocking(move || {
        let waited = Arc::new(Notify::new());
        let told = Arc::clone(&waited);
        // On a runtime of its own, the only tasks are those that the future has spawned.
        let runtime = Builder::new_current_thread()
            .enable_all()
            .on_thread_unpark(move || told.notify_one())
            .build()
            .unwrap();
        let completed = runtime.block_on(async {
            let enough = async {
                for _ in 0..waits {
                    waited.notified().await;
                }
            };
            tokio::select! {
                biased;
                () = enough => false,
                _ = future => true,
            }
        });
        Leftovers { runtime, completed }
    });
    work.await.unwrap()
}

impl Leftovers {
    /// Waits until all of it has ended, and returns whether the future had been completed before it was dropped.
    pub async fn settle(self) -> bool {
        let work = spawn_blocking(move || {
            self.runtime.block_on(async {
                while Handle::current().metrics().num_alive_tasks() > 0 {
                    yield_now().await;
                }
            });
            self.completed
        });
        work.await.unwrap()
    }
}

/// Makes enough requests to use every connection of a pool. Those of an ended runtime fail, and are not used again.
pub async fn wash(ask: impl AsyncFn(usize)) {
    for number in 0..16 {
        ask(number).await;
    }
}

/// Reads a store until it answers. A connection of the runtime that has gone may come back to its pool after a [wash], and fails one read.
pub async fn patiently<T>(read: impl AsyncFn() -> Result<T, BackendError>) -> T {
    for _ in 0..16 {
        match read().await {
            Err(error) if error.kind() == BackendErrorKind::Unavailable => {}
            answer => return answer.unwrap(),
        }
    }
    read().await.unwrap()
}

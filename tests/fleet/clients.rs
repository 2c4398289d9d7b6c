//! Clients that present keys continuously, and the answers they receive.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tower_api_key::Authenticator;

use crate::node::{Answer, present};

/// A request with its times, its key, and its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Observation {
    pub(crate) key: usize,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    pub(crate) answer: Answer,
}

/// The pause of a client between two requests.
const PAUSE: Duration = Duration::from_millis(10);

#[derive(Default)]
pub(crate) struct Clients {
    over: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<Observation>>>,
    tasks: JoinSet<()>,
}

impl Clients {
    /// Starts a client that presents a key to a node.
    pub(crate) fn spawn_client(&mut self, authenticator: Authenticator, key: usize) {
        let (over, seen) = (Arc::clone(&self.over), Arc::clone(&self.seen));
        self.tasks.spawn(async move {
            while !over.load(Ordering::SeqCst) {
                let began = now();
                let answer = present(&authenticator, key).await;
                seen.lock().unwrap().push(Observation { key, began, ended: now(), answer });
                pass(PAUSE).await;
            }
        });
    }

    /// Stops all clients, and returns their observations.
    pub(crate) async fn stop(self) -> Vec<Observation> {
        self.over.store(true, Ordering::SeqCst);
        self.tasks.join_all().await;
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

#[allow(clippy::disallowed_methods, reason = "servers and networks run in real time")]
pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

#[allow(clippy::disallowed_methods, reason = "servers and networks run in real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

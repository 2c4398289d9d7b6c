//! Clients that present a key all the time, and what they are answered.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tower_api_key::Authenticator;

use crate::node::{Answer, present};

/// A request: when it began and ended, with which key, and how it was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) key: usize,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    pub(crate) answer: Answer,
}

/// How long a client waits between two requests.
const PAUSE: Duration = Duration::from_millis(10);

#[derive(Default)]
pub(crate) struct Clients {
    over: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<Seen>>>,
    tasks: JoinSet<()>,
}

impl Clients {
    /// Lets a client come for a key at a node.
    pub(crate) fn come(&mut self, authenticator: Authenticator, key: usize) {
        let (over, seen) = (Arc::clone(&self.over), Arc::clone(&self.seen));
        self.tasks.spawn(async move {
            while !over.load(Ordering::SeqCst) {
                let began = now();
                let answer = present(&authenticator, key).await;
                seen.lock().unwrap().push(Seen { key, began, ended: now(), answer });
                pass(PAUSE).await;
            }
        });
    }

    /// Sends all clients away, and returns what they saw.
    pub(crate) async fn leave(self) -> Vec<Seen> {
        self.over.store(true, Ordering::SeqCst);
        self.tasks.join_all().await;
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

#[allow(clippy::disallowed_methods, reason = "servers and networks have a time of their own")]
pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

#[allow(clippy::disallowed_methods, reason = "servers and networks have a time of their own")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

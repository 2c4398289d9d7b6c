//! Word that something was changed. It only brings a poll forward, so it may be lost, and come twice.
//!
//! Whatever goes wrong with the connection is taken for its loss: it is given up and replaced, and whoever waits polls. A
//! connection that is gone without a word is found out by asking on it now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{Error, PgPool};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::random::Jitter;
use crate::select::select;

/// What is listened to, see `AFTER_CHANGES`.
const CHANNEL: &str = "tower_api_key";

/// After how long a silence the connection is tried, and how long it may take to answer.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait before the connection is replaced: at first, and at most.
const MIN_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// A task that listens for as long as this lives.
pub(super) struct Listener {
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    changed: Notify,
    is_listening: AtomicBool,
}

impl Listener {
    /// Listens on a connection of its own: one of the pool could not be given back.
    pub(super) fn start(pool: &PgPool) -> Self {
        let state = Arc::new(State::default());
        Self { task: tokio::spawn(keep_listening(pool.clone(), Arc::clone(&state))), state }
    }

    /// Waits for word of a change, or that some may have been missed.
    pub(super) async fn changed(&self) {
        self.state.changed.notified().await;
    }

    pub(super) fn is_listening(&self) -> bool {
        self.state.is_listening.load(Ordering::Relaxed)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep_listening(pool: PgPool, state: Arc<State>) {
    let mut backoff = Backoff::new();
    while !pool.is_closed() {
        if let Ok(mut listener) = connect(&pool.connect_options()).await {
            state.is_listening.store(true, Ordering::Relaxed);
            // What was announced while nobody listened is still to be read.
            state.changed.notify_one();
            select(pool.close_event(), listen(&mut listener, &state, &mut backoff)).await;
            state.is_listening.store(false, Ordering::Relaxed);
        }
        pause(backoff.next()).await;
    }
}

/// Passes on what it hears until something goes wrong. A connection that was of use is replaced without a long pause.
async fn listen(listener: &mut PgListener, state: &State, backoff: &mut Backoff) {
    loop {
        let alive = match timeout(KEEPALIVE_INTERVAL, listener.try_recv()).await {
            Ok(Ok(Some(_))) => {
                state.changed.notify_one();
                true
            }
            Ok(_) => false,
            Err(_) => is_alive(listener).await,
        };
        if !alive {
            return;
        }
        *backoff = Backoff::new();
    }
}

async fn is_alive(listener: &mut PgListener) -> bool {
    matches!(timeout(KEEPALIVE_TIMEOUT, sqlx::query("SELECT 1").execute(listener)).await, Ok(Ok(_)))
}

async fn connect(options: &PgConnectOptions) -> Result<PgListener, Error> {
    let own = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
    let own = own.acquire_timeout(KEEPALIVE_TIMEOUT).connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&own).await?;
    // Otherwise it would connect anew by itself, and say nothing of what it missed.
    listener.eager_reconnect(false);
    timeout(KEEPALIVE_TIMEOUT, listener.listen(CHANNEL)).await.map_err(|_| Error::PoolTimedOut)??;
    Ok(listener)
}

#[allow(
    clippy::disallowed_methods,
    reason = "how often to connect is the runtime's time, not that of leases"
)]
async fn pause(length: Duration) {
    sleep(length).await;
}

/// The backoff between attempts: twice as long each time, less up to half at random, so that the nodes of a fleet do not come back
/// to a server all at once.
struct Backoff {
    next: Duration,
    jitter: Jitter,
}

impl Backoff {
    fn new() -> Self {
        Self { next: MIN_BACKOFF, jitter: Jitter::default() }
    }

    fn next(&mut self) -> Duration {
        let pause = self.jitter.shorten(self.next, self.next.as_nanos() as u64);
        self.next = (self.next * 2).min(MAX_BACKOFF);
        pause
    }
}

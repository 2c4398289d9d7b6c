//! Listens for notifications of changes, in a task. They only bring a poll forward, so they may be lost or duplicated.
//!
//! Any error is treated as a lost connection: the connection is replaced, and a poll is triggered. An idle connection is checked
//! at intervals, since a server may vanish without closing it.

// Layer 3 of 10: storage.

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

/// The channel to listen on, see `after_changes` of the dialect.
const CHANNEL: &str = "tower_api_key";

/// When an idle connection is checked, and how long the check may take.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause before a connection is replaced: at first, and at most.
const MIN_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// A task that listens until this is dropped.
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
    /// Starts to listen on a connection outside the pool, which could not be returned to it.
    pub(super) fn start(pool: &PgPool) -> Self {
        let state = Arc::new(State::default());
        Self { task: tokio::spawn(keep_listening(pool.clone(), Arc::clone(&state))), state }
    }

    /// Waits until a change was notified, or notifications may have been missed.
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
            // Changes that were notified before are still to be polled.
            state.changed.notify_one();
            select(pool.close_event(), listen(&mut listener, &state, &mut backoff)).await;
            state.is_listening.store(false, Ordering::Relaxed);
        }
        pause(backoff.next()).await;
    }
}

/// Forwards notifications until the connection fails. A connection that has worked resets the backoff.
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
    let own = own.acquire_timeout(CONNECT_TIMEOUT).connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&own).await?;
    // Otherwise it would reconnect silently, and lose notifications.
    listener.eager_reconnect(false);
    timeout(CONNECT_TIMEOUT, listener.listen(CHANNEL)).await.map_err(|_| Error::PoolTimedOut)??;
    Ok(listener)
}

#[allow(
    clippy::disallowed_methods,
    reason = "how often to connect is the runtime's time, not that of leases"
)]
async fn pause(length: Duration) {
    sleep(length).await;
}

/// Exponential backoff with random jitter of up to half. The jitter keeps the nodes of a fleet from reconnecting to a server all
/// at once.
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

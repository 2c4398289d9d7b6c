//! Connections, divided by what they are for: what waits for one kind of work holds none of another.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use tokio::spawn;
use tokio::sync::{Mutex as AsyncMutex, Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::dialect::{CLOSE_TIMEOUT, ConnectOptions, Database, DatabaseConnection, LOOKUPS, Pool};
use crate::backend::{BackendError, BackendErrorKind};
use crate::race::unless;

/// How long whoever manages keys waits for an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The same where an answer is about many keys.
pub(super) const LONG_PATIENCE: Duration = Duration::from_secs(600);

/// How long a connection may take to go back to its pool. The pool tries it first, and would wait for a server that is gone without a
/// word, with one connection less to give away all the while.
const RETURN_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The pause after a connection that could not be made, where others were.
const CONNECT_PAUSE: Duration = Duration::from_secs(1);

/// Connections for lists, for changes, and for what a store notes by itself.
const READS: usize = 2;
const WRITES: usize = 2;
const BACKGROUND: usize = 1;

/// Requests that wait for a connection of management, and how long one waits.
const QUEUE_LENGTH: usize = 256;
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);

/// The connections of a store.
#[derive(Debug, Clone)]
pub(in super::super) struct Divided {
    /// For the records of credentials.
    pub(in super::super) lookups: Connections,
    /// For the change feed.
    pub(in super::super) polling: Connections,
    /// For lists and usage, which management asks for.
    pub(super) reads: Connections,
    /// For changes, which management makes.
    pub(in super::super) writes: Connections,
    /// For usage, first uses and hashes, which the store notes by itself.
    pub(in super::super) background: Connections,
}

impl Divided {
    /// Uses the connections of a pool for management. Lookups and polls have pools of their own, whose connections are made in the same
    /// way, so that nothing else can hold them.
    pub(in super::super) fn beside(pool: Pool) -> Self {
        let lookups = LOOKUPS.min(pool.options().get_max_connections());
        Self {
            lookups: Connections::like_those_of(&pool, lookups),
            polling: Connections::like_those_of(&pool, 1),
            ..Self::shared(pool)
        }
    }

    /// Uses one pool for everything: the connections of a database in memory, which others would not find.
    pub(in super::super) fn shared(pool: Pool) -> Self {
        let some = |connections| Connections::new(Pooled::of(pool.clone()), connections, None);
        let queued = |connections| Connections::new(Pooled::of(pool.clone()), connections, Some(QUEUE_LENGTH));
        Self {
            lookups: some(usize::MAX),
            polling: some(1),
            reads: queued(READS),
            writes: queued(WRITES),
            background: some(BACKGROUND),
        }
    }

    /// The connections of management's pool.
    pub(in super::super) const MANAGEMENT: u32 = (READS + WRITES + BACKGROUND) as u32;

    pub(in super::super) async fn close(&self) {
        // Those of management are of one pool.
        for connections in [&self.lookups, &self.polling, &self.writes] {
            connections.pool().close().await;
        }
    }
}

/// Connections of one kind. There is a permit for each connection that was had: where a server has fewer connections to give than a
/// pool may have, lookups wait for those that are there, and not for one that is refused.
#[derive(Debug, Clone)]
pub(in super::super) struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pool: Pooled,
    permits: Arc<Semaphore>,
    /// Permits, used or not.
    had: AtomicUsize,
    most: usize,
    /// Places for those that wait, where they are limited.
    queue: Option<Semaphore>,
    /// Held while a connection is made. One is made at a time.
    making: Arc<AsyncMutex<()>>,
    /// Word that a permit was given up.
    lost: Notify,
}

impl Connections {
    /// Uses all connections of a pool.
    #[allow(dead_code, reason = "not every database has replicas")]
    pub(in super::super) fn all_of(pool: Pool) -> Self {
        Self::new(Pooled::of(pool), usize::MAX, None)
    }

    /// Makes connections of its own as another pool makes its own.
    fn like_those_of(pool: &Pool, connections: u32) -> Self {
        Self::new(Pooled::beside(pool, connections), usize::MAX, None)
    }

    fn new(pool: Pooled, most: usize, queue: Option<usize>) -> Self {
        let most = most.min(pool.own.options().get_max_connections() as usize);
        Self(Arc::new(Shared {
            pool,
            permits: Arc::new(Semaphore::new(0)),
            had: AtomicUsize::new(0),
            most,
            queue: queue.map(Semaphore::new),
            making: Arc::default(),
            lost: Notify::new(),
        }))
    }

    pub(in super::super) fn pool(&self) -> &Pool {
        &self.0.pool.own
    }

    /// Returns the most connections that are used at a time.
    pub(super) fn most(&self) -> usize {
        self.0.most
    }

    /// Takes a connection for one question.
    pub(in super::super) async fn acquire(&self) -> Result<Borrowed, BackendError> {
        let mut permit = Permit { permit: Some(self.queue().await?), shared: Arc::clone(&self.0) };
        let connection = self.0.pool.acquire().await?;
        Ok(Borrowed { connection: Some(connection), permit: permit.permit.take(), is_settled: false })
    }

    async fn queue(&self) -> Result<OwnedSemaphorePermit, BackendError> {
        let Some(queue) = &self.0.queue else { return self.permit().await };
        let _place = queue.try_acquire().map_err(|_| BackendError::busy())?;
        timeout(QUEUE_TIMEOUT, self.permit()).await.map_err(|_| BackendError::busy())?
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, BackendError> {
        let Shared { permits, had, .. } = &*self.0;
        if let Ok(permit) = Arc::clone(permits).try_acquire_owned() {
            return Ok(permit);
        }
        let mut permit = pin!(Arc::clone(permits).acquire_owned());
        loop {
            let mut taken = None;
            let taking = async { taken = Some(permit.as_mut().await) };
            match unless(taking, self.make_one()).await {
                Some(Err(error)) if had.load(Ordering::Relaxed) == 0 => return Err(error),
                Some(_) => {}
                None => return taken.expect("a permit").map_err(BackendError::unavailable),
            }
        }
    }

    /// Makes a connection, or waits until one may be made.
    async fn make_one(&self) -> Result<(), BackendError> {
        let turn = Arc::clone(&self.0.making).lock_owned().await;
        let mut lost = pin!(self.0.lost.notified());
        lost.as_mut().enable();
        if self.0.had.load(Ordering::Relaxed) >= self.0.most {
            drop(turn);
            lost.await;
            return Ok(());
        }
        let shared = Arc::clone(&self.0);
        // A task, because a waiter that is served meanwhile, or gives up, must not waste a connection that is half made.
        let making = spawn(async move {
            let made = shared.make().await;
            drop(turn);
            made
        });
        making.await.unwrap_or_else(|panic| Err(BackendError::unavailable(panic)))
    }
}

impl Shared {
    #[allow(clippy::disallowed_methods, reason = "a server takes the time that it takes")]
    async fn make(&self) -> Result<(), BackendError> {
        match in_time(CONNECT_TIMEOUT, self.pool.acquire()).await {
            Ok(mut connection) => {
                let _ = timeout(RETURN_TIMEOUT, connection.return_to_pool()).await;
                self.had.fetch_add(1, Ordering::Relaxed);
                self.permits.add_permits(1);
                Ok(())
            }
            Err(error) => {
                if self.had.load(Ordering::Relaxed) > 0 {
                    sleep(CONNECT_PAUSE).await;
                }
                Err(error)
            }
        }
    }
}

/// A pool, and the one whose connections it imitates.
#[derive(Debug)]
struct Pooled {
    own: Pool,
    other: Option<Pool>,
    options: Mutex<Arc<ConnectOptions>>,
}

impl Pooled {
    fn of(pool: Pool) -> Self {
        Self { options: Mutex::new(pool.connect_options()), own: pool, other: None }
    }

    fn beside(pool: &Pool, connections: u32) -> Self {
        let options = pool.options().clone().min_connections(0).max_connections(connections);
        let own = options.connect_lazy_with((*pool.connect_options()).clone());
        Self { options: Mutex::new(pool.connect_options()), own, other: Some(pool.clone()) }
    }

    async fn acquire(&self) -> Result<PoolConnection<Database>, BackendError> {
        self.follow();
        self.own.acquire().await.map_err(BackendError::unavailable)
    }

    /// Takes over new options of the other pool, such as the next password of a role.
    fn follow(&self) {
        let Some(other) = &self.other else { return };
        let theirs = other.connect_options();
        let mut options = self.options.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&options, &theirs) {
            self.own.set_connect_options((*theirs).clone());
            *options = theirs;
        }
    }
}

/// A permit, which is given up if no connection comes of it.
#[derive(Debug)]
struct Permit {
    permit: Option<OwnedSemaphorePermit>,
    shared: Arc<Shared>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.forget();
            self.shared.had.fetch_sub(1, Ordering::Relaxed);
            self.shared.lost.notify_waiters();
        }
    }
}

/// A connection of the pool, for one question. It is closed unless the question was answered: whoever asked may have given up
/// on a server that is gone without a word, and the pool would wait for that server before it takes the connection back. SQLite
/// may have rolled back by itself, as on a full disk, and the driver would then take the connection to be within a transaction
/// for ever.
pub(in super::super) struct Borrowed {
    /// Always there, until this is dropped.
    connection: Option<PoolConnection<Database>>,
    permit: Option<OwnedSemaphorePermit>,
    is_settled: bool,
}

impl Borrowed {
    /// Gives the connection back, if the outcome does not speak against it.
    pub(in super::super) fn give_back<T>(
        mut self,
        outcome: Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let is_lost = |error: &BackendError| error.kind() == BackendErrorKind::Unavailable;
        self.is_settled = !outcome.as_ref().is_err_and(is_lost);
        outcome
    }
}

/// Asks one question on a connection. A function could not say of the question that it may be asked on any thread.
macro_rules! ask {
    ($connections:expr, |$connection:ident| $question:expr) => {
        async {
            let mut borrowed = $connections.acquire().await?;
            let $connection = &mut *borrowed;
            let answer = $question.await;
            borrowed.give_back(answer)
        }
    };
}

/// Reads for management, within a limit that the database keeps as well: a statement that nobody waits for any more must not go on.
macro_rules! limited {
    ($connections:expr, |$connection:ident| $question:expr) => {
        in_time(PATIENCE, ask!($connections, |borrowed| async {
            let mut transaction = begin_read(borrowed).await?;
            let $connection = &mut *transaction;
            let answer = $question.await?;
            // It has changed nothing.
            transaction.rollback().await.map_err(BackendError::unavailable)?;
            Ok(answer)
        }))
    };
}

pub(super) use {ask, limited};

/// Waits for an answer, and not until the operating system takes a server for gone that has not said so. Look-ups and polls have
/// deadlines of their own.
pub(super) async fn in_time<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, BackendError>>,
) -> Result<T, BackendError> {
    timeout(patience, answer).await.map_err(BackendError::unavailable)?
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        // The permit is free when the connection is.
        let (Some(mut connection), permit) = (self.connection.take(), self.permit.take()) else { return };
        if self.is_settled {
            let returning = connection.return_to_pool();
            spawn(async move {
                let _ = timeout(RETURN_TIMEOUT, returning).await;
                drop(permit);
            });
        } else {
            spawn(async move {
                let _ = timeout(CLOSE_TIMEOUT, connection.close()).await;
                drop(permit);
            });
        }
    }
}

impl Deref for Borrowed {
    type Target = DatabaseConnection;

    fn deref(&self) -> &DatabaseConnection {
        self.connection.as_ref().expect("a connection")
    }
}

impl DerefMut for Borrowed {
    fn deref_mut(&mut self) -> &mut DatabaseConnection {
        self.connection.as_mut().expect("a connection")
    }
}

//! The loads: requests and changes of a tenant, other clients and managers.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};
use tower::ServiceExt;
use tower_api_key::Owner;
use tower_api_key::backend::{Actor, AuditLog, KeyChange, KeyFilter, KeyStore, UsageStore};
use tower_api_key::clock::{Clock, SystemClock};
use tower_api_key::console::{Console, SignedIn};
use tower_api_key::manage::{KeyManager, NewKey, Permissions, Wait};

use crate::Size;
use crate::service::{Service, TENANT};

/// Owners of keys that are revoked, and of keys that have ended.
pub(crate) const MANY: &str = "many";
pub(crate) const ENDED: &str = "ended";

/// The owner of keys that pages show.
const PAGED: &str = "paged";

/// The pages that are requested in turn.
const PAGES: [&str; 6] = [
    "/keys",
    "/keys?organization=paged",
    "/keys?start=example_live_a1",
    "/usage?days=90",
    "/usage?days=90&organization=tenant",
    "/audit",
];

/// Returns the console of an operator.
fn console<S: KeyStore + UsageStore + AuditLog + Clone>(manager: &KeyManager<S>) -> Router {
    let permissions = Permissions::new().group("Notes", [("notes.read", "Read notes")]).unwrap();
    let operator = async |_: ()| Ok::<_, StatusCode>(SignedIn::operator(Actor::named("operator")).unwrap());
    let console = Console::new(manager.clone().with_permissions(permissions)).unwrap();
    console.routes(move |none: ()| Box::pin(operator(none)))
}

/// Direct access to the tables, as another process has it.
pub(crate) trait Database: Sync {
    type Store: KeyStore + UsageStore + AuditLog + Clone;

    const IS_FILE: bool;

    /// Adds keys of an organization, with an optional expiry in milliseconds.
    fn add_keys(&self, owner: &str, number: usize, end: Option<i64>) -> impl Future<Output = ()> + Send;
    /// Adds usage of the tenant's keys.
    fn add_usage(&self, rows: usize) -> impl Future<Output = ()> + Send;
    /// Locks a file against writes of others.
    fn lock(&self, length: Duration) -> impl Future<Output = ()> + Send + 'static;
    /// Lists a node that acknowledges nothing.
    fn add_silent_node(&self) -> impl Future<Output = ()> + Send;
    /// Returns a store with connections of its own.
    fn another_store(&self) -> impl Future<Output = Self::Store> + Send;
}

/// A load, with its size and its concurrency.
pub(crate) enum Load {
    None,
    Usage { rows: usize, at_a_time: usize },
    ExpiredKeys { keys: usize, at_a_time: usize },
    SignUps { at_a_time: usize },
    LockedFile { creates: usize },
    RevokeAll { keys: usize, creates: usize },
    Purge { keys: usize, creates: usize },
    WaitForFleet { at_a_time: usize },
    Pages { keys: usize, a_second: u32 },
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Usage { rows, at_a_time } => write!(f, "usage over {rows} rows, {at_a_time} at a time"),
            Self::ExpiredKeys { keys, at_a_time } => {
                write!(f, "lists of expired keys among {keys}, {at_a_time} at a time")
            }
            Self::SignUps { at_a_time } => write!(f, "sign-ups, {at_a_time} at a time"),
            Self::LockedFile { creates } => write!(f, "file locked by another process, {creates} creates"),
            Self::RevokeAll { keys, creates } => write!(f, "{keys} keys revoked at once, {creates} creates"),
            Self::Purge { keys, creates } => write!(f, "{keys} keys deleted elsewhere, {creates} creates"),
            Self::Pages { keys, a_second } => {
                write!(f, "{a_second} pages of the console a second, {keys} keys")
            }
            Self::WaitForFleet { at_a_time } => {
                write!(f, "revocations that wait for a silent node, {at_a_time} at a time")
            }
        }
    }
}

/// A load that runs until it is ended.
pub(crate) struct Running {
    tasks: JoinSet<()>,
    is_over: Arc<AtomicBool>,
}

impl Running {
    pub(crate) async fn end(self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.tasks.join_all().await;
    }

    /// Repeats an operation, with `at_a_time` concurrent tasks.
    fn repeat<F: Future<Output = ()> + Send>(
        &mut self,
        at_a_time: usize,
        once: impl Fn() -> F + Clone + Send + 'static,
    ) {
        for _ in 0..at_a_time {
            let (once, is_over) = (once.clone(), Arc::clone(&self.is_over));
            self.tasks.spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    once().await;
                }
            });
        }
    }

    fn create<S: KeyStore + Clone>(&mut self, at_a_time: usize, manager: &KeyManager<S>) {
        let manager = manager.clone();
        self.repeat(at_a_time, move || {
            let manager = manager.clone();
            async move {
                if manager.create(NewKey::new(Owner::organization(TENANT))).await.is_err() {
                    // Well before the second after which clients are asked to retry.
                    sleep(Duration::from_millis(100)).await;
                }
            }
        });
    }
}

impl Load {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        [
            Self::None,
            Self::Usage { rows: 108_000, at_a_time: 24 },
            Self::Usage { rows: 108_000, at_a_time: 6 },
            Self::Usage { rows: 360_000, at_a_time: 16 },
            Self::ExpiredKeys { keys: 100_000, at_a_time: 12 },
            Self::SignUps { at_a_time: 200 },
            Self::LockedFile { creates: 8 },
            Self::RevokeAll { keys: 200_000, creates: 6 },
            Self::Purge { keys: 100_000, creates: 10 },
            Self::WaitForFleet { at_a_time: 50 },
            Self::WaitForFleet { at_a_time: 200 },
            Self::Pages { keys: 200_000, a_second: 25 },
        ]
        .into_iter()
    }

    pub(crate) fn is_for<D: Database>(&self) -> bool {
        match self {
            Self::LockedFile { .. } => D::IS_FILE,
            Self::WaitForFleet { .. } => !D::IS_FILE,
            _ => true,
        }
    }

    /// Prepares the database, and starts the load on a service.
    pub(crate) async fn start<S, D>(&self, service: &Service<S>, database: &D, size: Size) -> Running
    where
        S: KeyStore + UsageStore + AuditLog + Clone,
        D: Database,
    {
        let mut running = Running { tasks: JoinSet::new(), is_over: Arc::default() };
        match *self {
            Self::None => {}
            Self::Usage { rows, at_a_time } => {
                database.add_usage(size.of(rows)).await;
                let from = tower_api_key::clock::Day::from(now()).plus(-360);
                get(&mut running, service, at_a_time, format!("/admin/usage?from={from}")).await;
            }
            Self::ExpiredKeys { keys, at_a_time } => {
                let later = now().unix_millis() + 3_600_000_000;
                database.add_keys(TENANT, size.of(keys), Some(later)).await;
                get(&mut running, service, at_a_time, "/admin/keys?state=expired".to_owned()).await;
            }
            Self::SignUps { at_a_time } => running.create(at_a_time, &service.manager),
            Self::LockedFile { creates } => {
                running.tasks.spawn(database.lock(size.phase));
                running.create(creates, &service.manager);
            }
            Self::RevokeAll { keys, creates } => {
                database.add_keys(MANY, size.of(keys), None).await;
                let manager = service.manager.clone();
                running.tasks.spawn(async move {
                    manager.revoke_all(&KeyFilter::of_organization(MANY), "left").await.unwrap();
                });
                running.create(creates, &service.manager);
            }
            Self::Purge { keys, creates } => {
                database.add_keys(ENDED, size.of(keys), Some(1)).await;
                let store = database.another_store().await;
                running.tasks.spawn(async move {
                    store.change(KeyChange::purge_ended(now())).await.unwrap();
                });
                running.create(creates, &service.manager);
            }
            Self::Pages { keys, a_second } => {
                database.add_keys(PAGED, size.of(keys), None).await;
                database.add_usage(size.of(keys)).await;
                let app = console(&service.manager);
                let is_over = Arc::clone(&running.is_over);
                running.tasks.spawn(async move {
                    let mut ticks = interval(Duration::from_secs(1) / a_second);
                    let mut pages = JoinSet::new();
                    for path in PAGES.iter().cycle() {
                        ticks.tick().await;
                        if is_over.load(Ordering::Relaxed) {
                            break;
                        }
                        let request = Request::get(*path).body(Body::empty()).unwrap();
                        let app = app.clone();
                        pages.spawn(async move {
                            let answer = app.oneshot(request).await.unwrap();
                            assert!(answer.status().is_success(), "{}", answer.status());
                            drop(answer.into_body().collect().await.unwrap());
                        });
                    }
                    pages.join_all().await;
                });
            }
            Self::WaitForFleet { at_a_time } => {
                database.add_silent_node().await;
                let new = NewKey::new(Owner::organization(TENANT));
                let (_, record) = service.manager.create(new).await.unwrap().into_parts();
                let manager = service.manager.clone();
                running.repeat(at_a_time, move || {
                    let (manager, id) = (manager.clone(), record.id.clone());
                    async move { drop(manager.revoke_and_wait(&id, "lost", Wait::new()).await) }
                });
            }
        }
        running
    }
}

/// Repeats a request of the tenant.
async fn get<S: KeyStore + UsageStore + AuditLog + Clone>(
    running: &mut Running,
    service: &Service<S>,
    at_a_time: usize,
    path: String,
) {
    let (app, key) = (service.app().await, service.admin.clone());
    running.repeat(at_a_time, move || {
        let request = Request::get(&path).header("x-api-key", &key).body(Body::empty()).unwrap();
        let app = app.clone();
        async move {
            let answer = app.oneshot(request).await.unwrap();
            let status = answer.status();
            drop(answer.into_body().collect().await.unwrap());
            assert!(status.is_success() || status.is_server_error(), "{status}");
        }
    });
}

fn now() -> tower_api_key::Timestamp {
    SystemClock::new().wall()
}

//! One node, played from the beginning to the end of a run.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::advance;
use tower_api_key::Authenticator;
use tower_api_key::backend::Invalidator;

use crate::clock::NodeClock;
use crate::feed::Cursor;
use crate::judge::Answer;
use crate::keys::Version;
use crate::plan::{Errand, Plan};
use crate::store::{Connection, Store};
use crate::time::{At, Span, Stopwatch, between};

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Played {
    pub(crate) answers: Vec<Answer>,
    /// What was answered when all faults had ended: for each key in turn, twice.
    pub(crate) in_the_end: Vec<Answer>,
    /// Requests that nobody waited for.
    pub(crate) left: u64,
    pub(crate) polls: u64,
    pub(crate) old_polls: u64,
}

/// Plays a node on a runtime of its own, whose time stands still while anyone has something to do.
pub(crate) fn play(plan: &Arc<Plan>, node: usize, cursor: Cursor) -> Played {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let node = Arc::new(Node::start(plan, node, cursor));
        let mut others = JoinSet::new();
        for errand in plan.errands.iter().filter(|errand| errand.node == node.connection.node) {
            others.spawn(Arc::clone(&node).run(errand.clone()));
        }
        for stop in &plan.faults[node.connection.node].stops {
            others.spawn(Arc::clone(&node).stand_still(*stop));
        }
        others.spawn(Arc::clone(&node).receive());
        node.connection.stopwatch.reach(plan.settings.end + plan.settings.recovery()).await;
        let in_the_end = node.ask_in_the_end().await;
        others.join_all().await;
        node.report(in_the_end)
    })
}

pub(crate) struct Node {
    pub(crate) connection: Arc<Connection>,
    pub(crate) authenticator: Authenticator,
    /// What is known of each key here.
    pub(crate) known: Mutex<Vec<Known>>,
    pub(crate) answers: Mutex<Vec<Answer>>,
    pub(crate) requests: AtomicU64,
    pub(crate) left: AtomicU64,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    pub(crate) asked_first: Option<At>,
    pub(crate) acknowledged: Option<Version>,
}

impl Node {
    fn start(plan: &Arc<Plan>, node: usize, cursor: Cursor) -> Self {
        let stopwatch = Stopwatch::start();
        let connection = Arc::new(Connection {
            plan: Arc::clone(plan),
            node,
            stopwatch,
            cursor,
            rng: Mutex::new(Rng::with_seed(plan.seed ^ (node as u64 + 1) << 32)),
            changes: Invalidator::new(),
            polls: AtomicU64::new(0),
            old_polls: AtomicU64::new(0),
        });
        let builder = Authenticator::builder(Store(Arc::clone(&connection)));
        let clock = NodeClock { plan: Arc::clone(plan), node, stopwatch };
        let authenticator = plan.settings.configure(builder).with_clock(clock).build().unwrap();
        let known = Mutex::new(vec![Known::default(); plan.history.keys.len()]);
        let (requests, left) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { connection, authenticator, known, answers: Mutex::default(), requests, left }
    }

    pub(crate) fn draw<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.connection.rng.lock().unwrap())
    }

    pub(crate) fn now(&self) -> At {
        self.connection.stopwatch.now()
    }

    /// Makes a change, and tries the key before and after. What is acknowledged here has to count from then on.
    async fn run(self: Arc<Self>, errand: Errand) {
        self.connection.stopwatch.reach(errand.sent).await;
        let mut requests = JoinSet::new();
        self.send(&mut requests, 3, Some(errand.key));
        if self.connection.run(&errand).await.is_ok() {
            self.acknowledge(&errand);
            self.send(&mut requests, 3, Some(errand.key));
        }
        requests.join_all().await;
    }

    fn acknowledge(&self, errand: &Errand) {
        let known = &mut self.known.lock().unwrap()[errand.key];
        known.acknowledged = known.acknowledged.max(Some(errand.version));
    }

    /// Lets time pass without anyone noticing. When the node goes on, requests are there already, before its timers are looked at.
    async fn stand_still(self: Arc<Self>, stop: Span) {
        self.connection.stopwatch.reach(stop.from).await;
        let mut requests = JoinSet::new();
        self.send(&mut requests, 6, None);
        advance(stop.to - self.now()).await;
        requests.join_all().await;
    }

    /// Receives requests until the end.
    async fn receive(self: Arc<Self>) {
        let settings = &self.connection.plan.settings;
        let mut requests = JoinSet::new();
        while self.now() < settings.end {
            self.send(&mut requests, 3, None);
            let pause = self.draw(|rng| between(rng, Duration::ZERO, settings.poll / 3));
            self.connection.stopwatch.reach(self.now() + pause).await;
        }
        requests.join_all().await;
    }

    async fn ask_in_the_end(&self) -> Vec<Answer> {
        let mut answers = Vec::new();
        for key in 0..self.connection.plan.history.keys.len() {
            for request in 0..2 {
                answers.push(self.ask(request, key).await);
            }
        }
        answers
    }

    fn report(&self, in_the_end: Vec<Answer>) -> Played {
        let mut answers = self.answers.lock().unwrap().clone();
        // Those who wait for the same read are woken in an order that the runtime draws by itself.
        answers.sort_by_key(|answer| answer.request);
        Played {
            answers,
            in_the_end,
            left: self.left.load(SeqCst),
            polls: self.connection.polls.load(SeqCst),
            old_polls: self.connection.old_polls.load(SeqCst),
        }
    }
}

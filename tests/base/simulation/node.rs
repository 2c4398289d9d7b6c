//! One node, run from the beginning to the end of a history.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::advance;
use tower_api_key::Authenticator;
use tower_api_key::backend::Invalidator;

use crate::simulation::clock::NodeClock;
use crate::simulation::feed::Flaw;
use crate::simulation::history::{Change, Changed};
use crate::simulation::judge::Answer;
use crate::simulation::keys::Version;
use crate::simulation::plan::{ChangeRequest, Plan};
use crate::simulation::store::{Connection, Store};
use crate::simulation::time::{At, Span, Stopwatch, between};

/// The results of one node.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NodeReport {
    pub(crate) answers: Vec<Answer>,
    /// The answers after all faults had ended, two for each key.
    pub(crate) after_faults: Vec<Answer>,
    /// The number of requests whose clients hung up.
    pub(crate) abandoned: u64,
    pub(crate) polls: u64,
    pub(crate) outdated_polls: u64,
}

/// Runs a node on a runtime of its own, whose time advances only while no task can run.
pub(crate) fn play(plan: &Arc<Plan>, node: usize, flaw: Flaw) -> NodeReport {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let node = Arc::new(Node::start(plan, node, flaw));
        let mut tasks = JoinSet::new();
        for change in plan.change_requests.iter().filter(|change| change.node == node.connection.node) {
            tasks.spawn(Arc::clone(&node).run(change.clone()));
        }
        for stop in &plan.faults[node.connection.node].stops {
            tasks.spawn(Arc::clone(&node).suspend(*stop));
        }
        tasks.spawn(Arc::clone(&node).receive());
        node.connection.stopwatch.reach(plan.settings.end + plan.settings.recovery()).await;
        let after_faults = node.ask_after_faults().await;
        tasks.join_all().await;
        node.report(after_faults)
    })
}

pub(crate) struct Node {
    pub(crate) connection: Arc<Connection>,
    pub(crate) authenticator: Authenticator,
    /// The known facts of each key on this node.
    pub(crate) known: Mutex<Vec<Known>>,
    /// The last version of the plan that this node has acknowledged.
    pub(crate) acknowledged_plan: AtomicU64,
    pub(crate) answers: Mutex<Vec<Answer>>,
    pub(crate) requests: AtomicU64,
    pub(crate) abandoned: AtomicU64,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    pub(crate) asked_first: Option<At>,
    pub(crate) acknowledged: Option<Version>,
}

impl Node {
    fn start(plan: &Arc<Plan>, node: usize, flaw: Flaw) -> Self {
        let stopwatch = Stopwatch::start();
        let connection = Arc::new(Connection {
            plan: Arc::clone(plan),
            node,
            stopwatch,
            flaw,
            rng: Mutex::new(Rng::with_seed(plan.seed ^ (node as u64 + 1) << 32)),
            changes: Invalidator::new(),
            polls: AtomicU64::new(0),
            outdated_polls: AtomicU64::new(0),
        });
        let builder = Authenticator::builder(Store(Arc::clone(&connection)));
        let clock = NodeClock { plan: Arc::clone(plan), node, stopwatch };
        let builder = plan.deployment.configure(node, builder);
        let authenticator = plan.settings.configure(builder).with_clock(clock).build().unwrap();
        let known = Mutex::new(vec![Known::default(); plan.history.keys.len()]);
        let [acknowledged_plan, requests, abandoned] = [0, 0, 0].map(AtomicU64::new);
        let answers = Mutex::default();
        Self { connection, authenticator, known, acknowledged_plan, answers, requests, abandoned }
    }

    pub(crate) fn draw<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.connection.rng.lock().unwrap())
    }

    pub(crate) fn now(&self) -> At {
        self.connection.stopwatch.now()
    }

    /// Makes a change, with requests before and after it. An acknowledged change must take effect at once on this node.
    async fn run(self: Arc<Self>, change: ChangeRequest) {
        self.connection.stopwatch.reach(change.sent).await;
        let mut requests = JoinSet::new();
        let key = match change.change {
            Changed::Key(change) => Some(change.key),
            Changed::Plan(_) => None,
        };
        self.send(&mut requests, 3, key);
        if self.connection.run(&change).await.is_ok() {
            match change.change {
                Changed::Key(change) => self.acknowledge(&change),
                Changed::Plan(version) => _ = self.acknowledged_plan.fetch_max(version, SeqCst),
            }
            self.send(&mut requests, 3, key);
        }
        requests.join_all().await;
    }

    fn acknowledge(&self, change: &Change) {
        let known = &mut self.known.lock().unwrap()[change.key];
        known.acknowledged = known.acknowledged.max(Some(change.version));
    }

    /// Suspends the node. Requests are waiting when it resumes, before its timers fire.
    async fn suspend(self: Arc<Self>, stop: Span) {
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

    async fn ask_after_faults(&self) -> Vec<Answer> {
        let mut answers = Vec::new();
        for key in 0..self.connection.plan.history.keys.len() {
            for request in 0..2 {
                answers.push(self.ask(request, key).await);
            }
        }
        answers
    }

    fn report(&self, after_faults: Vec<Answer>) -> NodeReport {
        let mut answers = self.answers.lock().unwrap().clone();
        // The runtime wakes the waiters of one lookup in an order of its own.
        answers.sort_by_key(|answer| answer.request);
        NodeReport {
            answers,
            after_faults,
            abandoned: self.abandoned.load(SeqCst),
            polls: self.connection.polls.load(SeqCst),
            outdated_polls: self.connection.outdated_polls.load(SeqCst),
        }
    }
}

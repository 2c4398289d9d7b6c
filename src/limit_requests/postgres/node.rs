//! A node that takes blocks: asks the database for them, one question for a count at a time, and gives them back.

// Layer 8 of 10: decision.

use std::error::Error;
use std::fmt;
use std::future::pending;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::block::{Answer, Refill, Room};
use super::blocks::Blocks;
use crate::backend::{BackendError, BackendErrorKind, BlockRequest, BlockReturn, QuotaTable};
use crate::clock::{Clock, Moment, Timestamp};
use crate::guarded_call::guarded_call;
use crate::limit::Period;
use crate::limit_requests::bucket::Now;
use crate::limit_requests::buckets::Buckets;
use crate::limit_requests::counters::{Count, CountersError};

/// How long giving blocks back may take, or deleting counts of former periods. No request waits for it.
const RETURN_TIMEOUT: Duration = Duration::from_secs(5);

/// The most requests that wait for a block of one quota: each answer wakes all of them, and is enough for a part.
const MOST_WAITING: usize = 1_000;

/// How often the last blocks of a process are given back, if other transactions have locked their counts.
const LOCKED_ATTEMPTS: usize = 25;

/// The time between two of these attempts. A node locks a count for a millisecond.
const LOCKED_PAUSE: Duration = Duration::from_millis(20);

const PURGE_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// How a node takes blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) largest_block: NonZeroU32,
    pub(super) lease: Duration,
    pub(super) timeout: Duration,
}

pub(super) struct Node {
    pub(super) table: QuotaTable,
    pub(super) settings: Settings,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) blocks: Blocks,
    /// The rates, which are counted here.
    pub(super) rates: Buckets,
    /// The time of the database less the monotonic time, in nanoseconds.
    offset: AtomicI64,
    has_returner: AtomicBool,
    /// Held while giving back, so that a shutdown waits for what has begun.
    returning: tokio::sync::Mutex<()>,
    /// Notified at the end.
    dropped: Arc<Notify>,
}

/// A request that was taken from a block. It is given back with this, unless it is kept.
pub(super) struct Reserved<'n> {
    node: &'n Node,
    id: &'n str,
    ends_at: Timestamp,
    cost: u64,
}

impl Node {
    pub(super) fn new(table: QuotaTable, settings: Settings, clock: Arc<dyn Clock>) -> Self {
        let offset = clock.wall().unix_millis().saturating_mul(1_000_000) - nanos(clock.monotonic());
        Self {
            table,
            settings,
            clock,
            blocks: Blocks::default(),
            rates: Buckets::new(),
            offset: AtomicI64::new(offset),
            has_returner: AtomicBool::new(false),
            returning: tokio::sync::Mutex::default(),
            dropped: Arc::default(),
        }
    }

    pub(super) fn now(&self) -> Now {
        Now::exact(&*self.clock)
    }

    /// Returns the time of the database, as of its last answer: late by the time of that answer at most, so that a client which waits for
    /// the end of a period does not come too early. Before the first answer, the wall clock.
    pub(super) fn time(&self, now: Now) -> Timestamp {
        let time = nanos(now.moment).saturating_add(self.offset.load(Ordering::Relaxed));
        Timestamp::from_unix_millis(time.div_euclid(1_000_000))
    }

    /// Takes a request from the block of a quota, for which it waits, or returns the end of the period in which there is no room.
    pub(super) async fn reserve<'n>(
        self: &'n Arc<Self>,
        count: &'n Count,
        period: Period,
        cost: u64,
    ) -> Result<Result<Reserved<'n>, Timestamp>, CountersError> {
        let (id, requests) = (count.id(), count.limit().requests());
        loop {
            let now = self.now();
            let mut question = None;
            let spent = self.blocks.change(id, |quota| match quota.spend(requests, cost, now) {
                Room::Held(ends_at) => Ok(Ok(Reserved { node: self, id, ends_at, cost })),
                Room::UsedUp(ends_at) => Ok(Err(ends_at)),
                Room::Short(least) => {
                    let refill = quota.refill.take().unwrap_or_else(|| {
                        // A free request takes nothing, and after a lost answer, the block may have been taken before.
                        let takes_block = cost > 0 && !quota.is_uncertain(now);
                        let largest =
                            if takes_block { self.settings.largest_block.get().into() } else { 0_u64 };
                        // What is left and what is added are together at most the largest block, or what the request costs.
                        let most = largest.saturating_sub(quota.rest(now));
                        let wanted = BlockRequest { id: id.into(), period, requests, least, most };
                        question.insert(Question::new(self, wanted)).sender.clone()
                    });
                    let refill = quota.refill.insert(refill);
                    Err((refill.receiver_count() < MOST_WAITING).then(|| refill.subscribe()))
                }
            });
            if let Some(question) = question {
                self.ask(question);
            }
            let mut outcome = match spent {
                Ok(decided) => return Ok(decided),
                Err(Some(outcome)) => outcome,
                Err(None) => return Err(CountersError::busy(format!("{MOST_WAITING} wait for the block"))),
            };
            let answer = outcome.wait_for(|answer| !matches!(answer, Answer::Pending)).await;
            match answer.as_deref() {
                Ok(Answer::Failed(error)) => return Err(failure(error.kind(), Arc::clone(error))),
                Ok(Answer::Locked(error)) => return Err(CountersError::locked(Arc::clone(error))),
                Ok(_) => {}
                Err(gone) => return Err(CountersError::unavailable(gone.clone())),
            }
        }
    }

    /// Asks for a block, in a task: an answer is not lost with the request that has asked. No lock is held, as a runtime that shuts down
    /// drops the question at once.
    fn ask(self: &Arc<Self>, question: Question) {
        self.ensure_returner();
        tokio::spawn(question.ask());
    }

    /// Spawns the task that gives blocks back, unless it runs.
    fn ensure_returner(self: &Arc<Self>) {
        if !self.has_returner.swap(true, Ordering::SeqCst) {
            tokio::spawn(Returner(Arc::downgrade(self)).run(Arc::clone(&self.dropped)));
        }
    }

    /// Gives back blocks whose lease or period has ended, or all. It forgets them only while the database answers: without it, they are used on.
    /// Blocks whose counts are locked are given back later.
    pub(super) async fn give_back(&self, all: bool) -> Result<(), CountersError> {
        let _guard = self.returning.lock().await;
        for _ in 0..LOCKED_ATTEMPTS {
            let has_locked = self.give_back_unlocked(all).await?;
            if !has_locked || !all {
                return Ok(());
            }
            let _ = timeout(LOCKED_PAUSE, pending::<()>()).await;
        }
        Err(CountersError::locked("other transactions have locked counts of blocks"))
    }

    /// Gives back blocks whose counts are not locked, and returns whether there are others. What one statement fails to give back does not
    /// keep the next ones from it.
    async fn give_back_unlocked(&self, all: bool) -> Result<bool, CountersError> {
        let mut locked = Locked { blocks: &self.blocks, returns: Vec::new() };
        let mut outcome = Ok(());
        loop {
            let now = self.now();
            if !self.blocks.has_returns(now, all) {
                // Forgets quotas without a block.
                self.blocks.release(now, all);
                return outcome.map(|()| !locked.returns.is_empty());
            }
            let probing = self.table.probe(RETURN_TIMEOUT);
            let given_back = match guarded_call("return of quotas", RETURN_TIMEOUT, probing).await {
                Ok(connection) => {
                    self.blocks.release(now, all);
                    let returns = self.blocks.next_returns();
                    let giving_back = connection.give_back(returns);
                    let given_back = guarded_call("return of quotas", RETURN_TIMEOUT, giving_back).await;
                    given_back.map(|not_given| locked.returns.extend(not_given))
                }
                Err(error) => {
                    let error = error.into_error(RETURN_TIMEOUT);
                    return outcome.and_then(|()| Err(failure(error.kind(), error)));
                }
            };
            outcome = outcome.and_then(|()| {
                given_back.map_err(|error| {
                    let error = error.into_error(RETURN_TIMEOUT);
                    failure(error.kind(), error)
                })
            });
        }
    }

    /// Waits until the questions under way have ended: their blocks can then be given back.
    pub(super) async fn finish_questions(&self) {
        let finishing = async {
            for mut outcome in self.blocks.outcomes() {
                let _ = outcome.wait_for(|answer| !matches!(answer, Answer::Pending)).await;
            }
        };
        let _ = timeout(RETURN_TIMEOUT, finishing).await;
    }

    async fn purge(&self) {
        while guarded_call("purge of quotas", RETURN_TIMEOUT, self.table.purge()).await.unwrap_or(false) {}
    }
}

/// Omits the ids of counts, which may have addresses of users.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.dropped.notify_one();
    }
}

impl Reserved<'_> {
    pub(super) fn keep(mut self) {
        self.cost = 0;
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.node.blocks.restore(self.id, self.ends_at, self.cost);
    }
}

/// Blocks whose counts are locked. They are kept to be given back later once this is dropped, be it with the request to give them back.
struct Locked<'n> {
    blocks: &'n Blocks,
    returns: Vec<BlockReturn>,
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        for BlockReturn { id, ends_at, requests } in self.returns.drain(..) {
            self.blocks.give_back(id, ends_at, requests);
        }
    }
}

/// A question for a block. Its outcome is told to all that wait once this is dropped, be it with its runtime.
struct Question {
    node: Arc<Node>,
    wanted: BlockRequest,
    stage: Stage,
    answer: Result<(), BackendError>,
    sender: Refill,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Unsent,
    Sent,
    /// The database has given a block, or has found the count locked.
    Answered,
}

impl Question {
    fn new(node: &Arc<Node>, wanted: BlockRequest) -> Self {
        let answer = Err(BackendError::unavailable("the question was given up"));
        let sender = Refill::new(Answer::Pending);
        Self { node: Arc::clone(node), wanted, stage: Stage::Unsent, answer, sender }
    }

    async fn ask(mut self) {
        // A failure is logged by the layer.
        self.answer = self.take_block().await;
    }

    async fn take_block(&mut self) -> Result<(), BackendError> {
        let Self { node, wanted, stage, .. } = self;
        let limit = node.settings.timeout;
        let connection = node.table.connect(limit).await?;
        // The time of the statement begins here: a wait for others says nothing of the database.
        let began = node.now();
        *stage = Stage::Sent;
        // A count that another transaction has locked is found to be so before the database is taken to be away. The time is that of
        // one lock, and a statement may wait for three in turn: the table, its place among those that wait for the row, and the row.
        let answered = timeout(limit, connection.take(wanted, limit / 4)).await;
        let no_answer = |_| BackendError::unavailable(format!("no answer within {limit:?}"));
        let answered = answered.map_err(no_answer)?;
        if answered.as_ref().err().is_none_or(|error| error.kind() == BackendErrorKind::Busy) {
            *stage = Stage::Answered;
        }
        let block = answered?;
        let ended = node.now();
        let offset = block.at_micros.saturating_mul(1_000).saturating_sub(nanos(ended.moment));
        node.offset.store(offset, Ordering::Relaxed);
        let lease = node.settings.lease;
        let former = node.blocks.change(&wanted.id, |quota| quota.fill(&block, began, ended, lease));
        if let Some((ends_at, rest)) = former {
            node.blocks.give_back(wanted.id.clone(), ends_at, rest);
        }
        Ok(())
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        let now = self.node.now();
        self.node.blocks.change(&self.wanted.id, |quota| {
            quota.refill = None;
            if self.stage == Stage::Sent {
                quota.lose_answer(self.wanted.period, now);
            }
        });
        self.sender.send_replace(match std::mem::replace(&mut self.answer, Ok(())) {
            Ok(()) => Answer::Given,
            Err(error) if self.stage == Stage::Answered => Answer::Locked(Arc::new(error)),
            Err(error) => Answer::Failed(Arc::new(error)),
        });
    }
}

/// The task that gives back blocks whose lease has ended. Another may be spawned once it is dropped, be it with its runtime.
struct Returner(Weak<Node>);

impl Returner {
    async fn run(self, dropped: Arc<Notify>) {
        let mut purge_at = Moment::from_nanos(0);
        while let Some(node) = self.0.upgrade() {
            let pause = node.settings.lease / 2;
            drop(node);
            let _ = timeout(pause, dropped.notified()).await;
            let Some(node) = self.0.upgrade() else { return };
            let now = node.now();
            // A failure was logged.
            let _ = node.give_back(false).await;
            if now.moment >= purge_at {
                node.purge().await;
                purge_at = now.moment.saturating_add(PURGE_INTERVAL);
            }
        }
    }
}

impl Drop for Returner {
    fn drop(&mut self) {
        if let Some(node) = self.0.upgrade() {
            node.has_returner.store(false, Ordering::SeqCst);
        }
    }
}

fn failure(kind: BackendErrorKind, error: impl Into<Box<dyn Error + Send + Sync>>) -> CountersError {
    match kind {
        BackendErrorKind::Corrupt => CountersError::corrupt(error),
        BackendErrorKind::Busy => CountersError::busy(error),
        _ => CountersError::unavailable(error),
    }
}

fn nanos(moment: Moment) -> i64 {
    i64::try_from(moment.nanos()).unwrap_or(i64::MAX)
}

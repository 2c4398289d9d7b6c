//! Counters that share quotas over a fleet in a PostgreSQL database.

// Layer 8 of 10: decision.
// Above `bucket`, `buckets` and `counters`. Bottom to top, a file importing only those before it:
// `block`, `blocks`, `node`, `self`.

mod block;
mod blocks;
mod node;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::bucket::{Bucket, Kind, Now, Terms};
use super::counters::{Count, Counters, CountersError, Left, Taken, Taking, UsedUp};
use crate::backend::PostgresStore;
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::error::{ConfigError, ConfigErrorKind};
use crate::limit::{Period, Span};
use crate::runtime::require_runtime;
use block::Room;
use node::{Node, Reserved, Settings};

const LONGEST_LEASE: Duration = Duration::from_secs(60 * 60);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Counters that share quotas over a fleet in the database of a [`PostgresStore`], and count rates in each process.
///
/// A node takes a quota in *blocks*: a tenth of what is left, at most [100 requests](Self::largest_block), with one statement. It spends a
/// block in memory, so most requests wait for nothing. So at most as many requests are admitted as the quota allows, over any number of
/// nodes, and the database sees one statement for many requests. A rate would cost one for each request, so each process has the whole rate: to share
/// rates, use Valkey or Redis.
///
/// ```no_run
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use tower_api_key::limit_requests::{Outage, PostgresCounters};
/// use tower_api_key::{LimitLayer, PostgresStore};
///
/// let store = PostgresStore::open("postgres://keys@localhost/keys").await?;
/// let counters = PostgresCounters::new(&store);
/// let limits = LimitLayer::new().counters(counters.clone(), Outage::Refuse);
/// // … serve, and after the last request:
/// counters.give_back().await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # What a block counts as
///
/// A block counts as used from when the database grants it until the node gives it back, which it does with what is left of a block once
/// the [lease](Self::lease) has ended, and at [`give_back`](Self::give_back). What errs, errs to fewer requests:
///
/// * The block of a node that is killed counts as used until the period ends, at most one for each key or owner with a quota: what the node
///   has admitted of it is not known. It does not come back with the end of its lease, as requests could then be admitted twice.
/// * So does a block whose answer is lost, and what was given back if that answer is lost.
/// * A node that was suspended still has its blocks, as no other node takes them away. It forgets them when the period has ended by its
///   monotonic or its wall clock.
/// * A database that loses what it has acknowledged, as in a failover to a replica that was behind or with `synchronous_commit = off`, forgets
///   the blocks that it has lost: that many requests may be admitted once more.
///
/// While blocks are held elsewhere, a node may refuse requests although the quota is not used up: a lease later, what is left of them is
/// back. `X-RateLimit-Remaining` is what the database had left with the last block, less what this node has used.
///
/// The clock of the database decides when a period ends. Where keys have different numbers for a quota of their owner, each is refused once all
/// together have used its own, where the blocks of other nodes count as used.
///
/// # While the database is away
///
/// Requests that fit into a block are admitted as before. For others, [`Outage`](super::Outage) says what happens. After a request without
/// room, the database is not asked again for a second. Leases do not end before the database answers.
///
/// A database in which another transaction has locked the row of a count for a quarter of the [timeout](Self::timeout) is not away:
/// [`Outage`](super::Outage) decides the requests that need a block of this count, and no others.
#[derive(Debug, Clone)]
pub struct PostgresCounters(Arc<Node>);

impl PostgresCounters {
    /// Creates counters with connections of the store, up to two, which are opened at the first use.
    ///
    /// Clones share their blocks. Change settings before the first request: counters with other settings have other blocks.
    pub fn new(store: &PostgresStore) -> Self {
        let settings = Settings {
            largest_block: NonZeroU32::MIN.saturating_add(99),
            lease: Duration::from_secs(30),
            timeout: Duration::from_millis(500),
        };
        Self(Arc::new(Node::new(store.quotas().clone(), settings, Arc::new(SystemClock::new()))))
    }

    /// Sets the most requests that a node takes at once. Default: 100. A request that costs more takes what it costs.
    ///
    /// Larger blocks cost the database less; smaller ones leave more to other nodes, and strand less when a node is killed.
    #[must_use]
    pub fn largest_block(self, requests: NonZeroU32) -> Self {
        self.with(Settings { largest_block: requests, ..self.0.settings })
    }

    /// Sets the time after which what is left of a block is given back, half of that late at most. Default: 30 s.
    ///
    /// # Errors
    ///
    /// When it is zero, or longer than an hour.
    pub fn lease(self, lease: Duration) -> Result<Self, ConfigError> {
        check("the lease of blocks", lease, LONGEST_LEASE)?;
        Ok(self.with(Settings { lease, ..self.0.settings }))
    }

    /// Sets how long a statement for a block may take, and how long it may wait for a connection before. Default: 500 ms.
    ///
    /// A request waits for all its blocks twice as long at most, and 1,000 requests for a block of one quota: further ones are decided
    /// at once, [as in an outage](super::Outage).
    ///
    /// # Errors
    ///
    /// When it is zero, or longer than a minute.
    pub fn timeout(self, timeout: Duration) -> Result<Self, ConfigError> {
        check("the timeout of blocks", timeout, LONGEST_TIMEOUT)?;
        Ok(self.with(Settings { timeout, ..self.0.settings }))
    }

    /// Sets the clock by which leases end, and rates are counted.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock) -> Self {
        let Node { table, settings, .. } = &*self.0;
        Self(Arc::new(Node::new(table.clone(), *settings, Arc::new(clock))))
    }

    /// Gives back what is left of all blocks, and returns when the database has it.
    ///
    /// Call it when the process ends, after its last request. Otherwise the blocks count as used until their periods end.
    ///
    /// # Errors
    ///
    /// When the database did not acknowledge a statement within 5 s. What the statement may have given back is not given back again. If the
    /// database cannot be written at all, the node keeps its blocks. Of kind [`Busy`](super::CountersErrorKind::Busy) if another
    /// transaction has locked a count for half a second: the node keeps what is left of its block, and has given back all others.
    ///
    /// # Panics
    ///
    /// When polled outside a Tokio runtime.
    pub async fn give_back(&self) -> Result<(), CountersError> {
        self.0.finish_questions().await;
        self.0.give_back(true).await
    }

    /// Counters with other settings have other blocks.
    fn with(&self, settings: Settings) -> Self {
        let Node { table, clock, .. } = &*self.0;
        Self(Arc::new(Node::new(table.clone(), settings, Arc::clone(clock))))
    }
}

impl Counters for PostgresCounters {
    fn take<'a>(&'a self, counts: &'a [Count], cost: u64) -> Taking<'a> {
        Box::pin(async move {
            require_runtime();
            let limit = self.0.settings.timeout.saturating_mul(2);
            let waited = |_| CountersError::busy(format!("no block within {limit:?}"));
            timeout(limit, take(&self.0, counts, cost)).await.map_err(waited)?
        })
    }

    fn holds(&self, counts: &[Count], cost: u64) -> bool {
        let now = self.0.now();
        let is_held = |count: &Count| match count.limit().span() {
            Span::Window(_) => true,
            Span::Period(_) => {
                let requests = count.limit().requests();
                let room = self.0.blocks.read(count.id(), |quota| quota.room(requests, cost, now));
                !matches!(room, Room::Short(_))
            }
        };
        // A request beyond one limit is refused whatever the others say.
        let is_used_up = |count: &Count| Part::of(count, &self.0).wait(&self.0, cost, now).is_some();
        counts.iter().all(is_held) || counts.iter().any(is_used_up)
    }
}

/// A count of a request, and how it is counted.
enum Part<'c> {
    Rate(Terms, Arc<Bucket>),
    Quota(&'c Count, Period),
}

impl<'c> Part<'c> {
    fn of(count: &'c Count, node: &Node) -> Self {
        match count.limit().span() {
            Span::Window(window) => {
                let bucket = node.rates.get(count, Kind::Rate(window), &*node.clock);
                Self::Rate(Terms::of(count.limit()), bucket)
            }
            Span::Period(period) => Self::Quota(count, period),
        }
    }

    /// Returns the time to wait if there is no room, as far as this node knows.
    fn wait(&self, node: &Node, cost: u64, now: Now) -> Option<Duration> {
        match self {
            _ if cost == 0 => None,
            Self::Rate(terms, bucket) => terms.take(bucket.word(), cost, now).err(),
            Self::Quota(count, _) => {
                let requests = count.limit().requests();
                match node.blocks.read(count.id(), |quota| quota.room(requests, cost, now)) {
                    Room::UsedUp(ends_at) => Some(ends_at.saturating_since(node.time(now))),
                    Room::Held(_) | Room::Short(_) => None,
                }
            }
        }
    }

    fn left(&self, node: &Node, now: Now, at: Timestamp) -> Left {
        match self {
            Self::Rate(terms, bucket) => terms.left(bucket.word(), now),
            Self::Quota(count, _) => {
                node.blocks.read(count.id(), |quota| quota.left(count.limit().requests(), now, at))
            }
        }
    }
}

/// Takes a request from all counts or from none.
async fn take(node: &Arc<Node>, counts: &[Count], cost: u64) -> Result<Taken, CountersError> {
    let parts: Vec<_> = counts.iter().map(|count| Part::of(count, node)).collect();
    let now = node.now();
    // First of all, so that requests beyond one limit neither take blocks of others nor hold requests of them.
    let used_up = parts
        .iter()
        .enumerate()
        .filter_map(|(index, part)| part.wait(node, cost, now).map(|wait| UsedUp::new(index, wait)));
    let mut used_up: Vec<_> = used_up.collect();
    let mut reserved = Vec::new();
    if used_up.is_empty() {
        for (index, part) in parts.iter().enumerate() {
            if let Part::Quota(count, period) = part {
                match node.reserve(count, *period, cost).await? {
                    Ok(taken) => reserved.push(taken),
                    Err(ends_at) => {
                        used_up.push(UsedUp::new(index, ends_at.saturating_since(node.time(node.now()))));
                    }
                }
            }
        }
    }
    if used_up.is_empty() && cost > 0 {
        used_up.extend(take_rates(node, &parts, cost));
    }
    let longest = used_up.into_iter().max_by_key(|used_up| used_up.wait);
    match longest {
        None => reserved.into_iter().for_each(Reserved::keep),
        Some(_) => drop(reserved),
    }
    let now = node.now();
    let at = node.time(now);
    let taken = Taken::new(at, parts.iter().map(|part| part.left(node, now, at)).collect::<Vec<_>>());
    Ok(match longest {
        None => taken,
        Some(used_up) => taken.refused(used_up),
    })
}

/// Takes a request from all rates, or returns the first without room, if another request has used it up since it was looked at.
fn take_rates(node: &Node, parts: &[Part<'_>], cost: u64) -> Option<UsedUp> {
    let now = node.now();
    let mut taken = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let Part::Rate(terms, bucket) = part else { continue };
        match bucket.spend(terms, cost, now) {
            Ok(word) => taken.push((terms, bucket, word)),
            Err(wait) => {
                for (terms, bucket, word) in taken {
                    bucket.give_back(terms, word, cost, &*node.clock);
                }
                return Some(UsedUp::new(index, wait));
            }
        }
    }
    None
}

fn check(what: &str, duration: Duration, longest: Duration) -> Result<(), ConfigError> {
    if duration.is_zero() || duration > longest {
        let message = format!("{what} must be above zero and at most {longest:?}, got {duration:?}");
        return Err(ConfigError::new(ConfigErrorKind::Limit, message));
    }
    Ok(())
}

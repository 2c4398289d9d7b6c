//! The settings of one run, and the bounds that follow from them.

use std::time::Duration;

use fastrand::Rng;
use tower_api_key::AuthenticatorBuilder;

use crate::simulation::network::MAX_ROUND_TRIP;
use crate::simulation::time::{At, between, millis};

/// The longest time between two requests to a node.
const MAX_REQUEST_GAP: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) nodes: usize,
    pub(crate) keys: usize,
    pub(crate) poll: Duration,
    pub(crate) lease: Duration,
    /// The stale grace.
    pub(crate) grace: Duration,
    /// The pause of the circuit breaker, after five failures.
    pub(crate) pause: Duration,
    pub(crate) deadline: Duration,
    positive_ttl: Duration,
    negative_ttl: Duration,
    /// The largest delay of the coarse clock readings.
    pub(crate) tick: Duration,
    /// When the last fault has ended and the last change was made.
    pub(crate) end: At,
}

impl Settings {
    /// Draws the defaults of the crate for every other run. The times to live exceed a run, because the maps behind the cache, which
    /// collect their garbage by the clock of the machine, must collect none within it.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let ms = Duration::from_millis;
        let (poll, lease, deadline) = if rng.bool() {
            (ms(1_000), ms(5_000), ms(500))
        } else {
            let poll = ms(rng.u64(50..=1_000));
            let lease = poll * rng.u32(2..=6);
            (poll, lease, between(rng, poll / 2, lease * 2))
        };
        Self {
            nodes: rng.usize(3..=10),
            keys: rng.usize(5..=12),
            poll,
            lease,
            grace: if rng.bool() { lease * rng.u32(1..=3) } else { Duration::ZERO },
            pause: if rng.bool() { ms(rng.u64(100..=1_000)) } else { Duration::ZERO },
            deadline,
            positive_ttl: ms(60_000),
            negative_ttl: ms(rng.u64(2_000..=5_000)),
            tick: ms(4 * rng.u64(0..=1)),
            end: lease * rng.u32(3..=6),
        }
    }

    /// How long after a commit a node may use the previous version: the bound that the crate promises.
    pub(crate) fn unnoticed(&self) -> Duration {
        self.lease + self.grace
    }

    /// How long a node may call a key unknown after its creation, if it received a request with it before: it may cache the
    /// absence, and further requests may wait for the same lookup.
    pub(crate) fn unknown(&self) -> Duration {
        (self.negative_ttl + self.tick).max(self.deadline).min(self.lease)
    }

    /// How long after a fault of the network a request may stay unanswered: it may join a lookup that was lost, or find the circuit
    /// open after that lookup, or wait while a later request probes.
    pub(crate) fn aftermath(&self) -> Duration {
        if self.pause.is_zero() {
            self.deadline
        } else {
            self.deadline + self.pause + MAX_REQUEST_GAP + MAX_ROUND_TRIP
        }
    }

    /// How long a node takes to recover once all faults have ended: a lost poll has to time out, and the next one has to be
    /// answered.
    pub(crate) fn recovery(&self) -> Duration {
        self.aftermath() + self.poll + MAX_ROUND_TRIP * 2
    }

    /// Returns when the coarse clocks were last updated.
    pub(crate) fn last_tick(&self, at: At) -> At {
        let tick = millis(self.tick).max(1);
        Duration::from_millis(millis(at) / tick * tick)
    }

    pub(crate) fn configure(&self, builder: AuthenticatorBuilder) -> AuthenticatorBuilder {
        builder
            .poll_interval(self.poll)
            .lease(self.lease)
            .deadline(self.deadline)
            .positive_ttl(self.positive_ttl)
            .negative_ttl(self.negative_ttl)
            .stale_grace(self.grace)
            .circuit_breaker(5, self.pause)
    }
}

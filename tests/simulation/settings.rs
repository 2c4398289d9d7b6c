//! The numbers of one run, and the bounds that follow from them.

use std::time::Duration;

use fastrand::Rng;
use tower_api_key::AuthenticatorBuilder;

use crate::network::CALM;
use crate::time::{At, between, millis};

/// How far requests to a node are apart, at most.
const SILENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) nodes: usize,
    pub(crate) keys: usize,
    pub(crate) poll: Duration,
    pub(crate) lease: Duration,
    /// For how long a record may be used after the lease where the store gives no answer.
    pub(crate) grace: Duration,
    /// For how long the store is left alone that has given no answer five times.
    pub(crate) pause: Duration,
    pub(crate) deadline: Duration,
    positive_ttl: Duration,
    negative_ttl: Duration,
    /// By how much the coarse readings of the clocks are late.
    pub(crate) tick: Duration,
    /// When the last fault has ended and the last change is made.
    pub(crate) end: At,
}

impl Settings {
    /// Draws the defaults of the crate for every other run. The times to live are long enough for the maps behind the cache, which
    /// collect their garbage by the clock of the machine, to have none in a run.
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

    /// For how long a node may go by what was true before a change, counted from its commit: what the crate promises.
    pub(crate) fn unnoticed(&self) -> Duration {
        self.lease + self.grace
    }

    /// For how long a node may call a key unknown that was created after someone had asked for it there: what a read of the store
    /// found may be remembered, and others may wait for the same read.
    pub(crate) fn unknown(&self) -> Duration {
        (self.negative_ttl + self.tick).max(self.deadline).min(self.lease)
    }

    /// For how long after trouble on the way to the store a request may be without an answer: it may join a read that was lost, or
    /// come while the store is left alone after that read, or while the first request that comes later tries again.
    pub(crate) fn aftermath(&self) -> Duration {
        if self.pause.is_zero() { self.deadline } else { self.deadline + self.pause + SILENCE + CALM }
    }

    /// How long it takes a node to be right again when all faults have ended: a poll that was lost has to be given up, and the
    /// next one to be answered.
    pub(crate) fn recovery(&self) -> Duration {
        self.aftermath() + self.poll + CALM * 2
    }

    /// Returns when the coarse clocks were set last.
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

//! Randomness that need not be hard to guess.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Makes a name that nobody else has, out of 128 random bits.
pub(crate) fn unique_name() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

/// Pauses that differ from one process to the next, so that those who wait for the same do not all come back at one moment.
#[derive(Debug, Default)]
pub(crate) struct Jitter(RandomState);

impl Jitter {
    /// Returns the duration, less up to half of it: in another way for each turn.
    pub(crate) fn shorten(&self, duration: Duration, turn: u64) -> Duration {
        let part = (self.0.hash_one(turn) >> 32) as f64 / f64::from(u32::MAX);
        duration.mul_f64(1.0 - part / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_leaves_half_of_a_duration_and_adds_nothing() {
        let (second, jitter) = (Duration::from_secs(1), Jitter::default());
        let mut pauses: Vec<_> = (0..1_000).map(|turn| jitter.shorten(second, turn)).collect();
        pauses.sort();
        assert!(pauses[0] >= second / 2 && pauses[999] <= second);
        assert!(pauses[0] < second * 11 / 20 && pauses[999] > second * 19 / 20, "they are spread");
    }

    #[test]
    fn names_differ() {
        assert_ne!(unique_name(), unique_name());
    }
}

//! Random values that need not be unpredictable. It imports nothing of this crate.

// Layer 1 of 10: words.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Returns a unique name of 128 random bits.
pub(crate) fn unique_name() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

/// Jitter that differs between processes, so that their retries do not coincide.
#[derive(Debug, Default)]
pub(crate) struct Jitter(RandomState);

impl Jitter {
    /// Returns the duration, shortened by up to half of it. Each attempt differs.
    pub(crate) fn shorten(&self, duration: Duration, attempt: u64) -> Duration {
        let part = (self.0.hash_one(attempt) >> 32) as f64 / f64::from(u32::MAX);
        duration.mul_f64(1.0 - part / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_keeps_half_of_a_duration_and_adds_nothing() {
        let (second, jitter) = (Duration::from_secs(1), Jitter::default());
        let mut pauses: Vec<_> = (0..1_000).map(|attempt| jitter.shorten(second, attempt)).collect();
        pauses.sort();
        assert!(pauses[0] >= second / 2 && pauses[999] <= second);
        assert!(pauses[0] < second * 11 / 20 && pauses[999] > second * 19 / 20, "they are spread");
    }

    #[test]
    fn names_differ() {
        assert_ne!(unique_name(), unique_name());
    }
}

//! The memory that the flood may use.

use std::fmt;

/// The bytes that the flood may use: a generous estimate of the cache's limits, and overhead of the allocator.
const BOUND: u64 = UNKNOWN_KEYS * 512 + PENDING * 8_192 + (16 << 20);

/// The default capacity of the negative cache.
const UNKNOWN_KEYS: u64 = 10_000;

/// The default limit of running and waiting lookups.
const PENDING: u64 = 64 * 16;

/// The resident memory of this process, in bytes.
pub(crate) struct Memory {
    before: u64,
    most: u64,
}

impl Memory {
    /// Reads the memory for the first time.
    pub(crate) fn before() -> Self {
        Self { before: resident(), most: 0 }
    }

    /// Reads the memory again.
    pub(crate) fn sample(&mut self) {
        self.most = self.most.max(resident());
    }

    /// Returns whether it never exceeded the bound.
    pub(crate) fn is_within_bound(&self) -> bool {
        self.most > 0 && self.most < self.before + BOUND
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        write!(
            f,
            "Memory: {:.1} MiB before, {:.1} MiB at most (bound: {:.1} MiB more than before)",
            megabytes(self.before),
            megabytes(self.most),
            megabytes(BOUND),
        )
    }
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kibibytes: u64 = line.split_whitespace().next().unwrap().parse().unwrap();
    kibibytes * 1_024
}

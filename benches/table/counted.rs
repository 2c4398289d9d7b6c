//! The counts of the binary `counted`: allocations of a request, and bytes of a cached key.

use std::process::Command;

use tower_api_key_benches::KEPT;
use tower_api_key_benches::markdown::{self, thousands};

use crate::output;

/// Lines of group, subject and number.
pub(crate) struct Counted(String);

impl Counted {
    /// Runs the binary.
    pub(crate) fn take() -> Self {
        Self(output(&mut Command::new(env!("CARGO_BIN_EXE_counted"))))
    }

    /// Returns the count for a stack of a group.
    pub(crate) fn get(&self, group: &str, subject: &str) -> Option<f64> {
        let line = self.0.lines().find_map(|line| line.strip_prefix(&format!("{group}\t{subject}\t")))?;
        Some(line.parse().unwrap())
    }

    /// Prints the bytes of a cached key.
    pub(crate) fn print_bytes(&self) {
        let kept = self.0.lines().filter_map(|line| line.strip_prefix(KEPT)?.trim_start().split_once('\t'));
        let lines: Vec<_> =
            kept.map(|(stack, bytes)| [stack.into(), thousands(bytes.parse().unwrap())]).collect();
        markdown::print(["cache of 100,000 keys", "bytes a key, beyond its record"], 1, &lines);
    }
}

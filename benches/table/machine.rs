//! What the figures depend on: the machine, the compiler and the commit.

use std::fs::read_to_string;
use std::process::Command;
use std::thread::available_parallelism;

/// Describes them in a line.
pub(crate) fn describe() -> String {
    let information = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let cores = available_parallelism().map_or(0, usize::from);
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{}, {cores} cores, Linux {}, {}, commit {}, load {} at the start",
        model.trim_start_matches([' ', '\t', ':']),
        kernel.trim(),
        first_line(Command::new("rustc").arg("--version")),
        first_line(Command::new("git").args(["describe", "--always", "--dirty"])),
        load.split(' ').next().unwrap_or_default(),
    )
}

pub(crate) fn first_line(command: &mut Command) -> String {
    let output = command.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    output.unwrap_or_default().lines().next().unwrap_or("unknown").into()
}

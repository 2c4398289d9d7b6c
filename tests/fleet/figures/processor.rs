//! The processor time that a server has taken.

use std::fs;
use std::time::Duration;

/// Returns the processor time of a process of this machine and of all that it has started, by what Linux tells of them.
pub(super) fn time_of(process: u32) -> Option<Duration> {
    let numbers =
        fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let processes: Vec<_> = numbers.filter_map(Process::read).collect();
    let own = processes.iter().filter(|other| other.number == process || other.parent == process);
    Some(Duration::from_millis(own.map(|other| other.ticks).sum::<u64>() * 10))
}

/// Returns the process that has started another one.
pub(super) fn parent_of(process: u32) -> Option<u32> {
    Some(Process::read(process)?.parent)
}

struct Process {
    number: u32,
    parent: u32,
    /// Hundredths of a second.
    ticks: u64,
}

impl Process {
    fn read(number: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
        // Behind the name, which may hold anything.
        let (_, fields) = text.rsplit_once(')')?;
        let field = |index| fields.split_whitespace().nth(index);
        let time = |index| field(index)?.parse::<u64>().ok();
        // Also of those it started that are gone.
        let ticks = [11, 12, 13, 14].into_iter().map(time).sum::<Option<u64>>()?;
        Some(Self { number, parent: field(1)?.parse().ok()?, ticks })
    }
}

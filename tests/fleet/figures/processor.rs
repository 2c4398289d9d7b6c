//! The processor time of a server.

use std::fs;
use std::time::Duration;

/// Returns the processor time of a local process and of its children, from `/proc`.
pub(super) fn time_of(process: u32) -> Option<Duration> {
    let numbers =
        fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let processes: Vec<_> = numbers.filter_map(Process::read).collect();
    let own = processes.iter().filter(|other| other.number == process || other.parent == process);
    Some(Duration::from_millis(own.map(|other| other.ticks).sum::<u64>() * 10))
}

/// Returns the parent of a process.
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
        // The fields follow the name, which may contain any character.
        let (_, fields) = text.rsplit_once(')')?;
        let field = |index| fields.split_whitespace().nth(index);
        let time = |index| field(index)?.parse::<u64>().ok();
        // Includes children that have ended.
        let ticks = [11, 12, 13, 14].into_iter().map(time).sum::<Option<u64>>()?;
        Some(Self { number, parent: field(1)?.parse().ok()?, ticks })
    }
}

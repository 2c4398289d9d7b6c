//! Instructions of a request, which do not depend on the machine's other load.
//!
//! Valgrind's callgrind emulates a processor without SHA instructions and without the kernel's clocks in user space.
//! Single steps under ptrace count the instructions of this processor, but take far longer; they are for one figure.

use std::io::{BufRead, BufReader, Write, stdin, stdout};
use std::process::{Command, Stdio};

use nix::sys::ptrace;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use tower_api_key_benches::groups::Group;

use crate::{myself, output};

/// Requests before the count, so that caches have settled.
const SETTLE: u64 = 2_000;

/// Returns the instructions of a request as callgrind counts them, or `None` without valgrind.
pub(crate) fn by_callgrind(group: &Group, subject: &str) -> Option<f64> {
    // Caches do some work once in many requests.
    const REQUESTS: u64 = 6_400;
    if !has_valgrind() {
        return None;
    }
    let few = collected(group, subject, 0);
    let many = collected(group, subject, REQUESTS);
    Some((many - few) / REQUESTS as f64)
}

/// Returns whether valgrind is installed.
pub(crate) fn has_valgrind() -> bool {
    Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_ok()
}

fn collected(group: &Group, subject: &str, requests: u64) -> f64 {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg(myself().get_program());
    valgrind.args(["repeat", group.name, subject, &requests.to_string()]);
    let report = output(&mut valgrind);
    let (_, collected) = report.split_once("Collected :").unwrap();
    collected.split_whitespace().next().unwrap().parse().unwrap()
}

/// Runs requests under callgrind.
pub(crate) fn repeat(group: &Group, subject: &str, requests: u64) {
    group.build(group.find(subject).unwrap())(SETTLE + requests);
}

/// The instructions of a request, as this processor executes them.
#[derive(Clone, Copy)]
pub(crate) struct Steps {
    pub(crate) all: f64,
    /// Those that change memory atomically. Beside the changes of memory that no other thread writes, they are the writes that threads on
    /// other processors wait for.
    pub(crate) locked: f64,
}

/// Counts the instructions of a request, or returns `None` where processes may not be traced.
pub(crate) fn by_steps(group: &Group, subject: &str) -> Option<Steps> {
    const FEW: u64 = 4;
    const MANY: u64 = 36;
    let (few, few_locked) = steps(group, subject, FEW)?;
    let (many, many_locked) = steps(group, subject, MANY)?;
    let each = |few: u64, many: u64| (many as f64 - few as f64) / (MANY - FEW) as f64;
    Some(Steps { all: each(few, many), locked: each(few_locked, many_locked) })
}

#[cfg(not(target_arch = "x86_64"))]
fn steps(_: &Group, _: &str, _: u64) -> Option<(u64, u64)> {
    None
}

#[cfg(target_arch = "x86_64")]
fn steps(group: &Group, subject: &str, requests: u64) -> Option<(u64, u64)> {
    let mut child = myself()
        .args(["wait", group.name, subject, &requests.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    let process = Pid::from_raw(child.id() as i32);
    let counted = ptrace::attach(process).is_ok().then(|| {
        waitpid(process, None).unwrap();
        child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        let (mut steps, mut locked) = (0, 0);
        loop {
            let next = ptrace::getregs(process).unwrap().rip;
            let code = ptrace::read(process, next as ptrace::AddressType).unwrap();
            locked += u64::from(is_locked(code.to_le_bytes()));
            ptrace::step(process, None).unwrap();
            match waitpid(process, None).unwrap() {
                WaitStatus::Stopped(..) => steps += 1,
                _ => return (steps, locked),
            }
        }
    });
    // An untraced process continues once its standard input is closed.
    drop(child.stdin.take());
    let _ = child.wait();
    counted
}

/// Returns whether an instruction locks memory: by a prefix, or as an exchange does without one.
#[cfg(target_arch = "x86_64")]
fn is_locked(code: [u8; 8]) -> bool {
    let is_prefix =
        |byte: u8| matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x40..=0x4f | 0x64..=0x67 | 0xf2 | 0xf3);
    let mut rest = code.into_iter().skip_while(|byte| is_prefix(*byte));
    match rest.next() {
        Some(0xf0) => true,
        Some(0x86 | 0x87) => rest.next().is_some_and(|operands| operands < 0xc0),
        _ => false,
    }
}

/// Runs requests after a line on standard input, for a tracer.
pub(crate) fn wait(group: &Group, subject: &str, requests: u64) {
    let mut run = group.build(group.find(subject).unwrap());
    run(SETTLE);
    println!("ready");
    stdout().flush().unwrap();
    stdin().read_line(&mut String::new()).unwrap();
    run(requests);
    std::process::exit(0);
}

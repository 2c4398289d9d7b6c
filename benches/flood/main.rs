//! One good key among as many bad ones as the machine can make.
//!
//! `cargo bench --manifest-path benches/Cargo.toml --bench flood`; `FLOOD_SECONDS` says how long
//! each phase takes in all, 30 if it is not set.
//! It fails if the good key was read again, was not admitted, or if the flood fills the memory. What the flood does to
//! the time of a request is printed and no reason to fail, as on a busy machine it says more of the machine.

#![allow(clippy::print_stdout, reason = "it talks to whoever started it")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on should stop")]

mod hot;
mod memory;
mod strangers;

use std::env;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use hot::{Hot, Latencies};
use memory::Memory;
use strangers::{Answers, Kind};
use tower::Layer;
use tower_api_key::AuthenticateLayer;
use tower_api_key_benches::counting::Counting;
use tower_api_key_benches::drive::runtime;
use tower_api_key_benches::keys;
use tower_api_key_benches::markdown::{self, thousands};
use tower_api_key_benches::stacks::{Body, Stack, inner, layer};
use tower_api_key_benches::statistics::median;

/// A part of the run.
struct Phase {
    says: &'static str,
    threads: usize,
    kind: Kind,
}

/// By how much the median of the good key may grow while there is a processor for each thread.
const GROWTH: f64 = 1.25;

/// The phases take turns so often, and are compared within a round: machines are faster at one time than at another.
const ROUNDS: u32 = 15;

/// The phase without a flood.
const QUIET: usize = 0;

/// The phase that says what it costs a thread that others have work to do as well.
const CONTROL: usize = 1;

/// What was seen of a phase.
#[derive(Default)]
struct Seen {
    medians: Vec<f64>,
    high: Vec<f64>,
    /// The median as a part of those of the first two phases in the same round.
    of_quiet: Vec<f64>,
    of_control: Vec<f64>,
    answers: Vec<Answers>,
}

fn main() -> ExitCode {
    let seconds: f64 = env::var("FLOOD_SECONDS").map_or(30.0, |seconds| seconds.parse().unwrap());
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let phases = [
        Phase { says: "quiet", threads: 0, kind: Kind::OnlyMade },
        Phase { says: "control: strangers are made, and not sent", threads: 1, kind: Kind::OnlyMade },
        Phase { says: "good checksums", threads: 1, kind: Kind::GoodChecksum },
        Phase { says: "bad checksums", threads: 1, kind: Kind::BadChecksum },
        Phase { says: "good checksums, too few processors", threads: processors, kind: Kind::GoodChecksum },
    ];

    let texts = keys::texts(1);
    let store = runtime().block_on(keys::store(&texts));
    let store = Counting::new(store, keys::record(0, &texts[0]).digest);
    let authenticator = layer::builder(store.clone()).build().unwrap();
    let stack = AuthenticateLayer::new(authenticator).layer(inner::<Body>());
    // So that a read of the good key is told as such, rather than that there is no runtime to read it on.
    let runtime = runtime();
    let _entered = runtime.enter();
    let mut hot = Hot::new(stack.clone(), &texts, seconds);
    let mut memory = Memory::before();

    let length = Duration::from_secs_f64(seconds) / ROUNDS;
    let mut seen: Vec<Seen> = phases.iter().map(|_| Seen::default()).collect();
    for _ in 0..ROUNDS {
        for (phase, seen) in phases.iter().zip(&mut seen) {
            let (latencies, answers) = run(phase, length, &stack, &mut hot, &mut memory);
            seen.medians.push(latencies.median);
            seen.high.push(latencies.high);
            seen.answers.push(answers);
        }
        let [quiet, control] = [QUIET, CONTROL].map(|phase| *seen[phase].medians.last().unwrap());
        for seen in &mut seen {
            let median = *seen.medians.last().unwrap();
            seen.of_quiet.push(median / quiet);
            seen.of_control.push(median / control);
        }
    }

    let mut lines = Vec::new();
    for (phase, seen) in phases.iter().zip(seen) {
        let answers: Answers = seen.answers.into_iter().sum();
        let of_control = median(seen.of_control);
        lines.push([
            phase.says.to_owned(),
            phase.threads.to_string(),
            thousands(answers.all() as f64 / (length * ROUNDS).as_secs_f64()),
            thousands(answers.unavailable as f64),
            thousands(median(seen.medians)),
            thousands(median(seen.high)),
            format!("{:.2}", median(seen.of_quiet)),
            format!("{of_control:.2}"),
        ]);
        if phase.threads == 1 && of_control > GROWTH {
            println!("The median grew by more than a quarter: {}.\n", phase.says);
        }
    }

    let heads = [
        "phase",
        "flooding threads",
        "strangers a second",
        "503s",
        "good key, median ns",
        "99.9 %",
        "of quiet",
        "of control",
    ];
    markdown::print(heads, 1, &lines);
    println!("- Reads of the good key: {} (bound: 1)", store.reads());
    println!("- {memory}");
    if store.reads() == 1 && memory.is_within_bound() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Asks with the good key, here, while other threads ask with bad ones.
fn run(
    phase: &Phase,
    length: Duration,
    stack: &impl Stack<Body>,
    hot: &mut Hot<impl Stack<Body>>,
    memory: &mut Memory,
) -> (Latencies, Answers) {
    static FLOODS: AtomicU64 = AtomicU64::new(0);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let end = End(&over);
        let flood = |_| {
            let (stack, over) = (stack.clone(), &over);
            let number = FLOODS.fetch_add(1, Ordering::Relaxed);
            scope.spawn(move || strangers::flood(stack, phase.kind, number, over))
        };
        let floods: Vec<_> = (0..phase.threads).map(flood).collect();
        let latencies = hot.ask(length, || memory.look());
        drop(end);
        let answers = floods.into_iter().map(|flood| flood.join().unwrap()).sum();
        (latencies, answers)
    })
}

/// Ends the flood when it is dropped: also when the good key is not admitted, which panics.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

//! One valid key during a flood of unknown and malformed keys.
//!
//! `cargo bench --manifest-path benches/Cargo.toml --bench flood`; `FLOOD_SECONDS` sets the duration of each phase, 30 by default.
//! It fails if the valid key was read again, was not admitted, or if the flood fills the memory. The effect of the flood on
//! latencies is printed but no reason to fail, as it depends mostly on the machine's other load.

#![allow(clippy::print_stdout, reason = "it prints to the terminal")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot continue should stop")]

mod hot;
mod memory;
mod unknown;

use std::env;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use hot::{Hot, Latencies};
use memory::Memory;
use tower::Layer;
use tower_api_key::AuthenticateLayer;
use tower_api_key_benches::counting::Counting;
use tower_api_key_benches::drive::runtime;
use tower_api_key_benches::keys;
use tower_api_key_benches::markdown::{self, thousands};
use tower_api_key_benches::stacks::{Body, Stack, inner, layer};
use tower_api_key_benches::statistics::median;
use unknown::{Answers, Kind};

/// A phase of the run.
struct Phase {
    name: &'static str,
    threads: usize,
    kind: Kind,
}

/// The allowed growth of the valid key's median while each thread has a processor.
const GROWTH: f64 = 1.25;

/// The number of rounds. Phases alternate and are compared within a round, as the speed of a machine varies.
const ROUNDS: u32 = 15;

/// The phase without a flood.
const QUIET: usize = 0;

/// The phase that measures the cost of a busy second thread alone.
const CONTROL: usize = 1;

/// The measurements of a phase.
#[derive(Default)]
struct Measurements {
    medians: Vec<f64>,
    high: Vec<f64>,
    /// The median relative to those of the first two phases in the same round.
    of_quiet: Vec<f64>,
    of_control: Vec<f64>,
    answers: Vec<Answers>,
}

fn main() -> ExitCode {
    let seconds: f64 = env::var("FLOOD_SECONDS").map_or(30.0, |seconds| seconds.parse().unwrap());
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let phases = [
        Phase { name: "quiet", threads: 0, kind: Kind::OnlyMade },
        Phase { name: "control: unknown keys are made, and not sent", threads: 1, kind: Kind::OnlyMade },
        Phase { name: "good checksums", threads: 1, kind: Kind::GoodChecksum },
        Phase { name: "bad checksums", threads: 1, kind: Kind::BadChecksum },
        Phase { name: "good checksums, too few processors", threads: processors, kind: Kind::GoodChecksum },
    ];

    let texts = keys::texts(1);
    let store = runtime().block_on(keys::store(&texts));
    let store = Counting::new(store, keys::record(0, &texts[0]).digest);
    let authenticator = layer::builder(store.clone()).build().unwrap();
    let stack = AuthenticateLayer::new(authenticator).layer(inner::<Body>());
    // Without a runtime, a lookup of the valid key would panic before it is counted.
    let runtime = runtime();
    let _entered = runtime.enter();
    let mut hot = Hot::new(stack.clone(), &texts, seconds);
    let mut memory = Memory::before();

    let length = Duration::from_secs_f64(seconds) / ROUNDS;
    let mut seen: Vec<Measurements> = phases.iter().map(|_| Measurements::default()).collect();
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
            phase.name.to_owned(),
            phase.threads.to_string(),
            thousands(answers.all() as f64 / (length * ROUNDS).as_secs_f64()),
            thousands(answers.unavailable as f64),
            thousands(median(seen.medians)),
            thousands(median(seen.high)),
            format!("{:.2}", median(seen.of_quiet)),
            format!("{of_control:.2}"),
        ]);
        if phase.threads == 1 && of_control > GROWTH {
            println!("The median grew by more than a quarter: {}.\n", phase.name);
        }
    }

    let heads = [
        "phase",
        "flooding threads",
        "unknown keys a second",
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

/// Sends requests with the valid key on this thread, while other threads flood.
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
            scope.spawn(move || unknown::flood(stack, phase.kind, number, over))
        };
        let floods: Vec<_> = (0..phase.threads).map(flood).collect();
        let latencies = hot.ask(length, || memory.sample());
        drop(end);
        let answers = floods.into_iter().map(|flood| flood.join().unwrap()).sum();
        (latencies, answers)
    })
}

/// Ends the flood when it is dropped, also by a panic because the valid key was not admitted.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

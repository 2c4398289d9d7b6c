//! Time, by criterion.
//!
//! The load and the clock rate of a machine vary. So the stacks of a group alternate in several rounds, and only figures of the
//! same round are compared. With one thread, its processor time is measured, which excludes other processes; with several threads
//! it is the elapsed time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::Criterion;
use nix::time::{ClockId, clock_gettime};
use tower_api_key_benches::groups::Group;

use crate::{myself, output};

fn rounds(quick: bool) -> usize {
    if quick { 1 } else { 7 }
}

/// Measures a group in a process of its own. Returns the median nanoseconds of each subject in each round.
pub(crate) fn of(group: &Group, quick: bool) -> Vec<Vec<f64>> {
    output(myself().args(["time", group.name, if quick { "quick" } else { "thorough" }]));
    let median = |subject, round| read_median(&folder(), &id(group, subject, round));
    let subjects = 0..group.subjects.len();
    subjects.map(|subject| (0..rounds(quick)).map(|round| median(subject, round)).collect()).collect()
}

/// Measures a group in this process; criterion writes the figures to files.
pub(crate) fn take(group: &Group, quick: bool) {
    let mut runs: Vec<_> = group.subjects.iter().map(|subject| group.build(subject)).collect();
    let (warm_up, measurement) = if quick { (5, 20) } else { (50, 200) };
    let mut criterion = Criterion::default()
        .without_plots()
        .sample_size(10)
        .nresamples(1_001)
        .warm_up_time(Duration::from_millis(warm_up))
        .measurement_time(Duration::from_millis(measurement))
        .output_directory(&folder());
    let clock = if group.is_one_thread { ClockId::CLOCK_THREAD_CPUTIME_ID } else { ClockId::CLOCK_MONOTONIC };
    for round in 0..rounds(quick) {
        for (subject, run) in runs.iter_mut().enumerate() {
            criterion.bench_function(&id(group, subject, round), |bencher| {
                bencher.iter_custom(|times| {
                    let start = now(clock);
                    run(times);
                    now(clock) - start
                });
            });
        }
    }
}

fn now(clock: ClockId) -> Duration {
    clock_gettime(clock).unwrap().into()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/criterion")
}

/// Returns the name of a measurement, without characters that criterion would replace in a folder's name.
fn id(group: &Group, subject: usize, round: usize) -> String {
    let name: String = group.name.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{name}-{subject}-{round}")
}

fn read_median(folder: &Path, id: &str) -> f64 {
    let file = folder.join(id).join("new/estimates.json");
    let estimates: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    estimates["median"]["point_estimate"].as_f64().unwrap()
}

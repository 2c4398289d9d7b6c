//! Prints the cost of authentication for a request, as Markdown.
//!
//! `cargo bench --manifest-path benches/Cargo.toml` measures everything; `-- --quick` only verifies that everything runs,
//! and `-- basic` measures the cases whose names contain that. `-- --baseline` compares instructions and allocations with
//! `baseline.txt`, and `-- --renew-baseline` writes it anew.
//! The binary starts itself again for each measurement, so that they do not disturb one another.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it prints to the terminal")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot continue should stop")]

mod baseline;
mod counted;
mod figures;
mod hits;
mod instructions;
mod loopback;
mod machine;
mod report;
mod targets;
mod time;
mod waiters;
mod whole;

use std::env;
use std::process::Command;

use counted::Counted;
use figures::{Row, Section};
use report::Figures;
use tower_api_key_benches::groups::admissions::THOUSAND;
use tower_api_key_benches::groups::{self, Group};
use whole::Whole;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let group = |name| groups::find(name).unwrap();
    match arguments[..] {
        ["time", name, effort] => time::take(&group(name), effort == "quick"),
        ["repeat", name, subject, requests] => {
            instructions::repeat(&group(name), subject, requests.parse().unwrap());
        }
        ["wait", name, subject, requests] => {
            instructions::wait(&group(name), subject, requests.parse().unwrap());
        }
        ["serve", stack] => loopback::serve(stack),
        // Cargo adds `--bench`.
        ["--baseline", ..] => baseline::check(),
        ["--renew-baseline", ..] => baseline::renew(),
        _ => {
            let (flags, names): (Vec<_>, Vec<_>) = arguments.iter().partition(|text| text.starts_with("--"));
            report(flags.contains(&&"--quick"), names.first().copied().copied());
        }
    }
}

/// Returns a command that runs this binary.
fn myself() -> Command {
    Command::new(env::current_exe().unwrap())
}

/// Returns the standard output and standard error of a command, and panics if it fails.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(output.status.success(), "{command:?} failed:\n{text}");
    text
}

fn report(quick: bool, wanted: Option<&str>) {
    println!("{}\n", machine::describe());
    if quick {
        println!("A quick run: it only verifies that everything runs.\n");
    }
    if !instructions::has_valgrind() {
        println!("Instructions are not counted: valgrind is not installed.\n");
    }
    let counted = Counted::take();
    let is_wanted = |group: &Group| match wanted {
        Some(wanted) => group.name.to_lowercase().contains(&wanted.to_lowercase()),
        // A million keys take a minute to create.
        None => !quick || group.keys() < 100_000,
    };
    let chosen = groups::all().into_iter().filter(is_wanted);
    let sections = chosen.map(|group| section(&group, &counted, quick)).collect();
    let figures = Figures { sections, counted, whole: wanted.is_none().then(|| Whole::measure(quick)) };
    figures.print();
}

fn section(group: &Group, counted: &Counted, quick: bool) -> Section {
    eprintln!("{}", group.name);
    let rounds = time::of(group, quick);
    let is_counted = group.is_countable() && (!quick || group.name == THOUSAND);
    let rows = group.subjects.iter().zip(rounds).map(|(subject, rounds)| Row {
        name: subject.name,
        threads: subject.threads,
        rounds,
        instructions: is_counted.then(|| instructions::by_callgrind(group, subject.name)).flatten(),
        steps: (is_counted && !quick).then(|| instructions::by_steps(group, subject.name)).flatten(),
        allocations: counted.get(group.name, subject.name),
    });
    Section { name: group.name, rows: rows.collect() }
}

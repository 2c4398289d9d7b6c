//! The black-box cases of `tests/conformance-cases.yaml`, over real sockets.
//!
//! No case is skipped silently: a case that is neither run nor listed in [`SKIPPED`], an unknown field and an unknown check fail
//! the test.
mod actions;
mod answer;
mod backend;
mod cases;
mod challenge;
mod checks;
mod expect;
mod fixtures;
mod frames;
mod http1;
mod http2;
mod in_process;
mod message;
mod other_node;
mod run;
mod timing;
mod variation;
mod world;

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};
use std::panic;
use std::time::Duration;

use serde_norway::{Mapping, Value};

use cases::{Case, Config, Table};
use variation::Variation;
use world::World;

/// Cases of features that this crate does not have.
const SKIPPED: &[(&str, &[&str])] =
    &[("stream revalidation", &["G09"]), ("introspection", &["I01", "I02", "I03", "I04", "I05"])];

/// Longer than any case takes.
const TIMEOUT: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread")]
async fn every_case_of_the_table_holds() {
    hide_wanted_panics();
    let table: Table = serde_norway::from_str(include_str!("../../conformance-cases.yaml")).unwrap();
    assert_eq!(table.cases.len(), table.meta.count, "cases in the table");
    let ids: HashSet<&str> = table.cases.iter().map(id).collect();
    assert_eq!(ids.len(), table.cases.len(), "an id is used twice");
    let skipped: HashSet<&str> = SKIPPED.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
    assert!(skipped.is_subset(&ids), "a skipped case does not exist");

    let mut groups: BTreeMap<(&str, Variation), (usize, usize)> = BTreeMap::new();
    let mut failures = Vec::new();
    for case in table.cases.iter().filter(|case| !skipped.contains(id(case))) {
        for variation in Variation::of(&id(case)[..1]) {
            let (passed, total) = groups.entry((&id(case)[..1], *variation)).or_default();
            *total += 1;
            match holds(case, *variation, &table.meta.default_config).await {
                Ok(()) => *passed += 1,
                Err(failure) => failures.push(failure),
            }
        }
    }

    report(&groups).unwrap();
    assert!(failures.is_empty(), "failed cases:\n{}", failures.join("\n"));
}

/// Prints no backtrace of a panic that a case asks for: on a busy machine, that takes longer than a request waits for its store.
fn hide_wanted_panics() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if panic.payload().downcast_ref() != Some(&"told to panic") {
            print(panic);
        }
    }));
}

/// Prints the counts past the capture of the test harness, so that a passing run shows them as well.
fn report(groups: &BTreeMap<(&str, Variation), (usize, usize)>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "conformance, passed / total")?;
    for ((group, variation), (passed, total)) in groups {
        writeln!(out, "{group:>5} {passed:>4} / {total} {variation}")?;
    }
    let sum = |counts: fn(&(usize, usize)) -> usize| groups.values().map(counts).sum::<usize>();
    writeln!(out, "  all {:>4} / {}", sum(|(passed, _)| *passed), sum(|(_, total)| *total))?;
    for (reason, ids) in SKIPPED {
        writeln!(out, "skipped, {reason}: {}", ids.join(" "))?;
    }
    out.flush()
}

fn id(case: &Value) -> &str {
    case["id"].as_str().expect("an id")
}

/// Runs a case, and returns its failure.
async fn holds(value: &Value, variation: Variation, defaults: &Mapping) -> Result<(), String> {
    let case: Case = serde_norway::from_value(value.clone())
        .map_err(|error| format!("{}: cannot parse the case: {error}", id(value)))?;
    let case = variation.apply(case);
    // Other load on the machine may break a limit in milliseconds, but not repeatedly.
    let attempts = if case.expect.max_ms.is_some() { 3 } else { 1 };
    let mut outcome = Ok(());
    for _ in 0..attempts {
        outcome = attempt(&case, defaults).await;
        if outcome.is_ok() {
            break;
        }
    }
    outcome.map_err(|failure| format!("{} ({}: {}) {variation}: {failure}", case.id, case.clause, case.title))
}

/// Runs a case in a task of its own, so that a failed assertion ends only that case.
async fn attempt(case: &Case, defaults: &Mapping) -> Result<(), String> {
    let (case, defaults) = (case.clone(), defaults.clone());
    let task = tokio::spawn(tokio::time::timeout(TIMEOUT, async move {
        match World::start(&case, Config::new(&defaults, &case)).await {
            Ok(world) => expect::judge(&case, &run::run(&case, world).await).await,
            Err(error) => expect::judge_build_error(&case, &error),
        }
    }));
    match task.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(format!("no end within {TIMEOUT:?}")),
        Err(error) => Err(panic_message(error.into_panic().as_ref())),
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message").to_owned()
}

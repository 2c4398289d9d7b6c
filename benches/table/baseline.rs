//! The baseline of instructions and allocations, which a change may exceed by little. Times depend on the machine and its load; these do not.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, exit};

use tower_api_key_benches::groups::admissions::THOUSAND;
use tower_api_key_benches::groups::{self, BARE, CRATE, FLOOR, Group};

use crate::counted::Counted;
use crate::instructions::{by_callgrind, by_steps};
use crate::machine::first_line;

/// The share by which instructions may differ.
const TOLERANCE: f64 = 0.02;

/// The number by which allocations a request may differ: some happen once in many requests.
const ALLOCATIONS: f64 = 0.25;

/// What a request costs beyond a bare service.
struct Cost {
    group: String,
    instructions: f64,
    allocations: f64,
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("baseline.txt")
}

/// Names what the instructions depend on.
fn tools() -> String {
    let versions = [("rustc", "--version"), ("valgrind", "--version"), ("ldd", "--version")];
    versions.map(|(program, version)| first_line(Command::new(program).arg(version))).join(", ")
}

fn measure() -> Vec<Cost> {
    let counted = Counted::take();
    let cost = |group: &Group| {
        group.find(CRATE)?;
        let beyond_bare = |number: &dyn Fn(&str) -> Option<f64>| {
            Some(number(CRATE)? - group.find(BARE).and_then(|_| number(BARE)).unwrap_or_default())
        };
        eprintln!("{}", group.name);
        Some(Cost {
            group: group.name.into(),
            instructions: beyond_bare(&|subject| by_callgrind(group, subject))?,
            allocations: beyond_bare(&|subject| counted.get(group.name, subject))?,
        })
    };
    groups::all().iter().filter(|group| group.is_countable()).filter_map(cost).collect()
}

/// Writes the baseline anew.
pub(crate) fn renew() {
    let mut text = tools() + "\n";
    for Cost { group, instructions, allocations } in measure() {
        writeln!(text, "{instructions:.0}\t{allocations:.2}\t{group}").unwrap();
    }
    fs::write(file(), text).unwrap();
}

/// Compares with the baseline, and fails if a cost differs. With other tools, it only prints both.
pub(crate) fn check() {
    let text = fs::read_to_string(file()).unwrap();
    let (measured_with, rows) = text.split_once('\n').unwrap();
    let before: Vec<Cost> = rows.lines().map(parse).collect();
    let now = measure();
    let is_same = measured_with == tools();
    let mut differs = before.len() != now.len();
    for cost in &now {
        let Some(before) = before.iter().find(|before| before.group == cost.group) else {
            println!("{}: not in the baseline", cost.group);
            differs = true;
            continue;
        };
        let share = cost.instructions / before.instructions - 1.0;
        let is_within =
            share.abs() <= TOLERANCE && (cost.allocations - before.allocations).abs() <= ALLOCATIONS;
        println!(
            "{} {:>8.0} instructions ({:+.1} %), {:>5.2} allocations (before: {:.0}, {:.2})  {}",
            if is_within { "  " } else { "! " },
            cost.instructions,
            share * 100.0,
            cost.allocations,
            before.instructions,
            before.allocations,
            cost.group,
        );
        differs |= !is_within;
    }
    differs |= !writes_no_more_than_the_floor();
    const RENEW: &str = "cargo bench --manifest-path benches/Cargo.toml --bench table -- --renew-baseline";
    if !is_same {
        println!("The baseline is of {measured_with}; these are of {}. Renew it: {RENEW}", tools());
    } else if differs {
        println!(
            "Costs differ from the baseline. Undo that, or give the reason in the commit that renews it: {RENEW}"
        );
        exit(1);
    }
}

/// Returns whether an admission has no more locked instructions than the floor, which counts the references of its record up and down, and
/// changes memory of its own thread in the map.
fn writes_no_more_than_the_floor() -> bool {
    let group = groups::find(THOUSAND).unwrap();
    let Some((own, floor)) = by_steps(&group, CRATE).zip(by_steps(&group, FLOOR)) else {
        println!("Locked instructions are not counted: processes may not be traced here.");
        return true;
    };
    println!("   {:.1} locked instructions (floor: {:.1})  {THOUSAND}", own.locked, floor.locked);
    own.locked < floor.locked + 0.5
}

fn parse(row: &str) -> Cost {
    let mut columns = row.splitn(3, '\t');
    let mut number = || columns.next().unwrap().parse().unwrap();
    let (instructions, allocations) = (number(), number());
    Cost { group: columns.next().unwrap().into(), instructions, allocations }
}

//! Counts the allocations of a request, and the bytes of a cached key. Prints lines of group, subject and number.

#![allow(clippy::print_stdout, reason = "the table reads it")]

use std::hint::black_box;
use std::mem::size_of;

use allocation_counter::measure;
use tower_api_key::Record;
use tower_api_key_benches::groups::admissions::HUNDRED_THOUSAND;
use tower_api_key_benches::groups::{self, Group};
use tower_api_key_benches::{KEPT, keys};

fn main() {
    for group in groups::all().iter().filter(|group| group.is_countable()) {
        count_allocations(group);
    }
    count_bytes(&groups::find(HUNDRED_THOUSAND).expect("the group"));
}

fn count_allocations(group: &Group) {
    const REQUESTS: u64 = 6_400;
    for subject in &group.subjects {
        let mut run = group.build(subject);
        run(REQUESTS);
        let allocations = measure(|| run(REQUESTS)).count_total;
        println!("{}\t{}\t{}", group.name, subject.name, allocations as f64 / REQUESTS as f64);
    }
}

/// Prints the live bytes of a full cache, less those without a cache, less the records, per key.
fn count_bytes(group: &Group) {
    let keep = |subject: usize| alive(|| group.build(&group.subjects[subject]));
    // The first call also creates the keys and the store.
    keep(0);
    let without = keep(0);
    for (index, subject) in group.subjects.iter().enumerate().skip(1) {
        let each = (keep(index) - without) as f64 / group.keys() as f64;
        println!("{KEPT}\t{}\t{}", subject.name, each - bytes_of_record());
    }
}

fn bytes_of_record() -> f64 {
    let record = keys::record(1, &keys::texts(1)[0]);
    (alive(|| record.clone()) as usize + size_of::<Record>()) as f64
}

/// Returns the bytes on the heap that the result of `make` keeps alive.
fn alive<T>(make: impl Fn() -> T) -> i64 {
    let mut kept = None;
    let bytes = measure(|| kept = Some(black_box(make()))).bytes_current;
    drop(kept);
    bytes
}

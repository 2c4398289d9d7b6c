//! The targets, with the measurements.

use tower_api_key_benches::KEPT;
use tower_api_key_benches::groups::admissions::{
    AXUM, BASIC, HUNDRED_THOUSAND, MILLION, THOUSAND, THREADS, THREADS_ONE_KEY, UNIFORM, USED, X_API_KEY,
    ZIPF,
};
use tower_api_key_benches::groups::limits::{ALONE, LIMITED};
use tower_api_key_benches::groups::misses::{self, MISS, SQLITE};
use tower_api_key_benches::groups::parts::SCOPES;
use tower_api_key_benches::groups::rejections::{self, CHECKSUM, MISSING};
use tower_api_key_benches::groups::{BY_HAND, CRATE, FLOOR, HEADERS, METERED};
use tower_api_key_benches::markdown::{self, thousands};
use tower_api_key_benches::statistics::median;

use crate::figures::{Row, Section};
use crate::instructions::Steps;
use crate::report::Figures;
use crate::{loopback, waiters};

type Line = [String; 3];

/// Prints each target with its measurement, and whether it was met.
pub(crate) fn print(figures: &Figures) {
    let lines = [
        figures.admissions(),
        figures.rejections_and_misses(),
        figures.threads(),
        figures.cache(),
        figures.further(),
    ];
    markdown::print(["target", "measured", "kept?"], 3, &lines.concat());
}

impl Figures {
    fn admissions(&self) -> Vec<Line> {
        let of_by_hand = |name: &str, group, most| {
            at_most(&format!("{name}, ≤ {most} of by hand"), self.part(group), most, part)
        };
        let steps = |name, group, most| {
            at_most(
                &format!("{name}, ≤ {} steps", thousands(most)),
                self.steps(group, CRATE).map(|steps| steps.all),
                most,
                thousands,
            )
        };
        let basic =
            self.over(BASIC, CRATE).zip(self.over(THOUSAND, CRATE)).map(|(basic, bearer)| basic / bearer);
        let basic_steps = self.steps(BASIC, CRATE).zip(self.steps(THOUSAND, CRATE));
        let headers = self.steps(THOUSAND, HEADERS).zip(self.steps(THOUSAND, CRATE));
        let header_allocations = self.allocations(THOUSAND, HEADERS).zip(self.allocations(THOUSAND, CRATE));
        vec![
            of_by_hand("Bearer, 1,000 keys", THOUSAND, 0.42),
            steps("the same", THOUSAND, 2_000.0),
            at_most("the same, ≤ 3 allocations", self.allocations(THOUSAND, CRATE), 3.0, part),
            of_by_hand("extensions in use", USED, 0.38),
            steps("the same", USED, 1_550.0),
            at_most("the same, ≤ 1 allocation", self.allocations(USED, CRATE), 1.0, part),
            of_by_hand("axum", AXUM, 0.36),
            of_by_hand("X-API-Key", X_API_KEY, 0.6),
            at_most("Basic, ≤ 1.4 of Bearer", basic, 1.4, part),
            at_most(
                "the same by steps",
                basic_steps.map(|(basic, bearer)| basic.all / bearer.all),
                1.4,
                part,
            ),
            of_by_hand("10,000 keys by Zipf", ZIPF, 0.47),
            of_by_hand("10,000 keys uniformly", UNIFORM, 0.55),
            of_by_hand("100,000 keys uniformly", HUNDRED_THOUSAND, 0.6),
            of_by_hand("1,000,000 keys uniformly", MILLION, 0.52),
            at_most(
                "cache headers, ≤ 250 steps",
                headers.map(|(with, without)| with.all - without.all),
                250.0,
                thousands,
            ),
            at_most(
                "the same, no allocation",
                header_allocations.map(|(with, without)| with - without),
                0.0,
                part,
            ),
        ]
    }

    fn rejections_and_misses(&self) -> Vec<Line> {
        let of_by_hand = |name: &str, group, most| {
            at_most(&format!("{name}, ≤ {most} of by hand"), self.part(group), most, part)
        };
        let missing = self.steps(MISSING, CRATE).map(|steps| steps.all);
        vec![
            at_most("no credential, ≤ 2,200 steps", missing, 2_200.0, thousands),
            at_most("the same, ≤ 6 allocations", self.allocations(MISSING, CRATE), 6.0, part),
            of_by_hand("a bad checksum", CHECKSUM, 0.65),
            of_by_hand("known to be unknown", rejections::UNKNOWN, 1.25),
            of_by_hand("miss in memory", MISS, 1.0),
            of_by_hand("unknown key", misses::UNKNOWN, 1.9),
        ]
    }

    fn threads(&self) -> Vec<Line> {
        let growth = |group: &str| {
            let section = self.section(group)?;
            let added = |threads| Some(section.over(section.row(CRATE, threads)?));
            Some(added(2)? / added(1)?)
        };
        let shared = |stack| {
            let (own, floor) = (self.steps(THOUSAND, stack)?, self.steps(THOUSAND, FLOOR)?);
            Some(own.locked - floor.locked)
        };
        vec![
            at_most("two threads, one key, adds ≤ 1.15 of one thread's", growth(THREADS_ONE_KEY), 1.15, part),
            at_most("two threads, 1,000 keys, adds ≤ 1.1 of one thread's", growth(THREADS), 1.1, part),
            at_most(
                "no more locked instructions than the floor, which has two shared ones",
                shared(CRATE),
                0.0,
                part,
            ),
            at_most("the same with usage, one more", shared(METERED), 1.0, part),
        ]
    }

    fn cache(&self) -> Vec<Line> {
        let hits = |scan: usize| self.whole.as_ref().map(|whole| whole.hits.of_crate[scan]);
        vec![
            at_most(
                "≤ 165 bytes a cached key beyond the record",
                self.counted.get(KEPT, CRATE),
                165.0,
                thousands,
            ),
            at_least("hits by Zipf, room for a tenth, ≥ 0.73", hits(0), 0.73, part),
            at_least("the same beside a scan, ≥ 0.70", hits(1), 0.7, part),
        ]
    }

    fn further(&self) -> Vec<Line> {
        let sqlite = self.section(SQLITE).and_then(|section| {
            let row = section.row(CRATE, 1)?;
            Some(median(row.rounds.iter().zip(&section.first(row).rounds).map(|(own, query)| own / query)))
        });
        let loopback = self.whole.as_ref().map(|whole| loopback::parts_of_bare(&whole.loopback)[1]);
        let reads = self.whole.as_ref().map(|whole| whole.reads as f64);
        let target = format!("one read, however many wait ({} here)", thousands(waiters::WAITERS as f64));
        vec![
            at_most("a limit alone, ≤ 25 ns", self.over(ALONE, LIMITED), 25.0, part),
            at_most("the same, no allocation", self.allocations(ALONE, LIMITED), 0.0, part),
            at_most("`require_scope`, 14 scopes, no allocation", self.allocations(SCOPES, CRATE), 0.0, part),
            at_most("over loopback, server's processor, ≤ 1.06 of no layer", loopback, 1.06, part),
            at_most("miss on SQLite, ≤ 1.3 of the bare query", sqlite, 1.3, part),
            at_most(&target, reads, 1.0, thousands),
        ]
    }

    fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    fn found(&self, group: &str, stack: &str) -> Option<(&Section, &Row)> {
        let section = self.section(group)?;
        Some((section, section.row(stack, 1)?))
    }

    fn over(&self, group: &str, stack: &str) -> Option<f64> {
        self.found(group, stack).map(|(section, row)| section.over(row))
    }

    fn steps(&self, group: &str, stack: &str) -> Option<Steps> {
        self.found(group, stack).and_then(|(section, row)| section.steps(row))
    }

    fn allocations(&self, group: &str, stack: &str) -> Option<f64> {
        self.found(group, stack).and_then(|(section, row)| section.allocations(row))
    }

    /// Returns the time that the crate adds, relative to the hand-written layer.
    fn part(&self, group: &str) -> Option<f64> {
        self.found(group, CRATE).and_then(|(section, row)| section.part_of(row, BY_HAND))
    }
}

fn part(figure: f64) -> String {
    format!("{figure:.2}")
}

fn at_most(target: &str, measured: Option<f64>, most: f64, write: fn(f64) -> String) -> Line {
    line(target, measured.map(|figure| (write(figure), figure <= most)))
}

fn at_least(target: &str, measured: Option<f64>, least: f64, write: fn(f64) -> String) -> Line {
    line(target, measured.map(|figure| (write(figure), figure >= least)))
}

fn line(target: &str, measured: Option<(String, bool)>) -> Line {
    let (figure, kept) = match measured {
        Some((figure, true)) => (figure, "yes"),
        Some((figure, false)) => (figure, "**no**"),
        None => ("not measured".into(), "·"),
    };
    [target.into(), figure, kept.into()]
}

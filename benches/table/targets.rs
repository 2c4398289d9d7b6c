//! The targets, with the measurements.

use tower_api_key_benches::KEPT;
use tower_api_key_benches::groups::admissions::{
    BASIC, MILLION, THOUSAND, THREADS, THREADS_ONE_KEY, UNIFORM, USED, ZIPF,
};
use tower_api_key_benches::groups::misses::SQLITE;
use tower_api_key_benches::groups::parts::SCOPES;
use tower_api_key_benches::groups::rejections::CHECKSUM;
use tower_api_key_benches::groups::{ANSWER, BARE, BY_HAND, CRATE};
use tower_api_key_benches::markdown::{self, thousands};
use tower_api_key_benches::statistics::median;

use crate::figures::Section;
use crate::report::Figures;
use crate::{loopback, waiters};

type Line = [String; 3];

/// Prints each target with its measurement, and whether it was met.
pub(crate) fn print(figures: &Figures) {
    let lines = [
        figures.headline(),
        figures.among_many_keys(),
        figures.allocations(),
        figures.threads(),
        figures.parts(),
        figures.whole(),
    ];
    markdown::print(["target", "measured", "kept?"], 3, &lines.concat());
}

impl Figures {
    fn headline(&self) -> Vec<Line> {
        vec![
            at_most(
                "cached admission, Bearer, 1,000 keys in turn, adds ≤ 240 ns",
                self.over(THOUSAND, CRATE),
                240.0,
                ns,
            ),
            at_most(
                "the same, ≤ 1,800 instructions of this processor",
                self.whole.as_ref().and_then(|whole| whole.steps),
                1_800.0,
                thousands,
            ),
            at_most("the same, ≤ 0.4 of by hand", self.part(THOUSAND, 1), 0.4, part),
        ]
    }

    fn among_many_keys(&self) -> Vec<Line> {
        let line = |target, group| at_most(target, self.part(group, 1), 0.5, part);
        vec![
            line("10,000 keys by Zipf, ≤ 0.5 of by hand", ZIPF),
            line("10,000 keys uniformly, ≤ 0.5 of by hand", UNIFORM),
            line("1,000,000 keys uniformly, ≤ 0.5 of by hand", MILLION),
        ]
    }

    fn allocations(&self) -> Vec<Line> {
        let added = |group| {
            let section = self.section(group)?;
            section.allocations(section.row(CRATE, 1)?)
        };
        vec![
            at_most("allocations, into empty extensions, ≤ 3", added(THOUSAND), 3.0, part),
            at_most("allocations, into used extensions, ≤ 1", added(USED), 1.0, part),
        ]
    }

    /// The throughput of the bare service is shown beside, as the machine itself scales imperfectly with two threads.
    fn threads(&self) -> Vec<Line> {
        let throughput = |name| {
            let section = self.section(THREADS)?;
            let (one, two) = (&section.row(name, 1)?.rounds, &section.row(name, 2)?.rounds);
            Some(median(one.iter().zip(two).map(|(one, two)| 2.0 * one / two)))
        };
        let latency = self.section(THREADS_ONE_KEY).and_then(|section| {
            Some(section.over(section.row(CRATE, 2)?) / section.over(section.row(CRATE, 1)?))
        });
        let target = match throughput(BARE) {
            Some(bare) => {
                format!("two threads, 1,000 keys, ≥ 1.8 of one thread's throughput (bare: {bare:.2})")
            }
            None => "two threads, 1,000 keys, ≥ 1.8 of one thread's throughput".into(),
        };
        vec![
            at_least(&target, throughput(CRATE), 1.8, part),
            at_most("two threads, one key, ≤ 2 of what one thread adds", latency, 2.0, part),
        ]
    }

    fn parts(&self) -> Vec<Line> {
        let decision = self.section(CHECKSUM).and_then(|section| {
            let (whole, answer) = (section.row(CRATE, 1)?, section.row(ANSWER, 1)?);
            Some(median(whole.rounds.iter().zip(&answer.rounds).map(|(whole, answer)| whole - answer)))
        });
        let basic =
            self.over(BASIC, CRATE).zip(self.over(THOUSAND, CRATE)).map(|(basic, bearer)| basic / bearer);
        let scopes = self.section(SCOPES).and_then(|section| section.allocations(section.row(CRATE, 1)?));
        vec![
            at_most("rejection of a bad checksum, ≤ 100 ns beyond its answer", decision, 100.0, ns),
            at_most("Basic, cached, ≤ 1.4 of Bearer", basic, 1.4, part),
            at_most("`require_scope`, 14 scopes, ≤ 40 ns", self.over(SCOPES, CRATE), 40.0, ns),
            at_most("the same, no allocation", scopes, 0.0, part),
        ]
    }

    fn whole(&self) -> Vec<Line> {
        let sqlite = self.section(SQLITE).and_then(|section| {
            let row = section.row(CRATE, 1)?;
            Some(median(row.rounds.iter().zip(&section.first(row).rounds).map(|(own, query)| own / query)))
        });
        let loopback = self.whole.as_ref().map(|whole| loopback::parts_of_bare(&whole.loopback)[1]);
        let reads = self.whole.as_ref().map(|whole| whole.reads as f64);
        let target = format!("one read, however many wait ({} here)", thousands(waiters::WAITERS as f64));
        vec![
            at_most("over loopback, server's processor, ≤ 1.06 of no layer", loopback, 1.06, part),
            at_most("miss on SQLite, ≤ 1.3 of the bare query", sqlite, 1.3, part),
            at_most(&target, reads, 1.0, thousands),
            at_most(
                "≤ 165 bytes per cached key beyond the record",
                self.counted.get(KEPT, CRATE),
                165.0,
                thousands,
            ),
        ]
    }

    fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    fn over(&self, group: &str, name: &str) -> Option<f64> {
        let section = self.section(group)?;
        Some(section.over(section.row(name, 1)?))
    }

    /// Returns the time that the crate adds, relative to the hand-written layer.
    fn part(&self, group: &str, threads: usize) -> Option<f64> {
        let section = self.section(group)?;
        section.part_of(section.row(CRATE, threads)?, BY_HAND)
    }
}

fn ns(figure: f64) -> String {
    format!("{figure:.0} ns")
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

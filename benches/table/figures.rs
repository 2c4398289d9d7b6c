//! The figures of a run.

use tower_api_key_benches::groups::{BY_HAND, FLOOR};
use tower_api_key_benches::markdown::thousands;
use tower_api_key_benches::statistics::median;

use crate::instructions::Steps;

/// The measurements of a group.
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) rows: Vec<Row>,
}

/// The measurements of one stack.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) threads: usize,
    /// Median nanoseconds of a request, in each round.
    pub(crate) rounds: Vec<f64>,
    pub(crate) instructions: Option<f64>,
    pub(crate) steps: Option<Steps>,
    pub(crate) allocations: Option<f64>,
}

impl Section {
    /// Finds a row.
    pub(crate) fn row(&self, name: &str, threads: usize) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name && row.threads == threads)
    }

    /// Returns the baseline: the first row with as many threads.
    pub(crate) fn first<'f>(&'f self, row: &'f Row) -> &'f Row {
        self.rows.iter().find(|first| first.threads == row.threads).unwrap_or(row)
    }

    /// Returns the nanoseconds over the baseline.
    pub(crate) fn over(&self, row: &Row) -> f64 {
        median(self.over_by_round(row))
    }

    fn over_by_round(&self, row: &Row) -> Vec<f64> {
        row.rounds.iter().zip(&self.first(row).rounds).map(|(own, first)| own - first).collect()
    }

    /// Returns the nanoseconds over the baseline, relative to those of another stack.
    pub(crate) fn part_of(&self, row: &Row, other: &str) -> Option<f64> {
        let other = self.row(other, row.threads)?;
        Some(median(
            self.over_by_round(row).iter().zip(self.over_by_round(other)).map(|(own, other)| own / other),
        ))
    }

    /// Returns the instructions over the baseline.
    pub(crate) fn instructions(&self, row: &Row) -> Option<f64> {
        Some(row.instructions? - self.first(row).instructions?)
    }

    /// Returns the instructions of this processor over the baseline.
    pub(crate) fn steps(&self, row: &Row) -> Option<Steps> {
        let (row, first) = (row.steps?, self.first(row).steps?);
        Some(Steps { all: row.all - first.all, locked: row.locked - first.locked })
    }

    /// Returns the allocations over the baseline.
    pub(crate) fn allocations(&self, row: &Row) -> Option<f64> {
        Some(row.allocations? - self.first(row).allocations?)
    }

    /// Returns the lines of the section in the table.
    pub(crate) fn lines(&self) -> Vec<[String; 10]> {
        let line = |(number, row): (usize, &Row)| {
            let threads = if row.threads > 1 { format!(", {} threads", row.threads) } else { String::new() };
            let is_first = std::ptr::eq(self.first(row), row);
            let compared = |figure: Option<String>| figure.filter(|_| !is_first).unwrap_or_else(nothing);
            let whole = |figure: f64| thousands(figure);
            [
                if number == 0 { self.name.into() } else { String::new() },
                format!("{}{threads}", row.name),
                thousands(median(row.rounds.iter().copied())),
                compared(Some(whole(self.over(row)))),
                compared(self.part_of(row, BY_HAND).map(|part| format!("{part:.2}"))),
                compared(self.part_of(row, FLOOR).map(|part| format!("{part:.2}"))),
                compared(self.instructions(row).map(whole)),
                compared(self.steps(row).map(|steps| whole(steps.all))),
                compared(self.steps(row).map(|steps| format!("{:.1}", steps.locked))),
                compared(self.allocations(row).map(|each| format!("{each:.2}"))),
            ]
        };
        self.rows.iter().enumerate().map(line).collect()
    }
}

fn nothing() -> String {
    "·".into()
}

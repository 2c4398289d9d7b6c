//! Measurements that are made once, rather than for each case.

use tower_api_key_benches::groups::admissions::THOUSAND;
use tower_api_key_benches::groups::{self, BARE, CRATE};

use crate::{instructions, loopback, waiters};

/// Measurements that are made once.
pub(crate) struct Whole {
    /// Instructions of a cached admission over the bare service, as this processor executes them.
    pub(crate) steps: Option<f64>,
    /// Time on the server's processor, for each stack in each round.
    pub(crate) loopback: Vec<Vec<f64>>,
    /// The lookups of a key that many requests waited for.
    pub(crate) reads: u64,
}

impl Whole {
    /// Makes the measurements.
    pub(crate) fn measure(quick: bool) -> Self {
        eprintln!("step by step");
        let steps = if quick { None } else { steps() };
        eprintln!("over loopback");
        Self { steps, loopback: loopback::measure(quick), reads: waiters::reads() }
    }
}

fn steps() -> Option<f64> {
    let group = groups::find(THOUSAND)?;
    Some(instructions::by_steps(&group, CRATE)? - instructions::by_steps(&group, BARE)?)
}

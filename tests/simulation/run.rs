//! One run: a fleet on one store, from one seed.

use std::fmt;
use std::sync::Arc;

use crate::feed::Cursor;
use crate::judge::{Answer, Breach, judge, judge_in_the_end};
use crate::node::{Played, play};
use crate::plan::Plan;
use crate::tally::Tally;

pub(crate) struct Run {
    pub(crate) plan: Arc<Plan>,
    pub(crate) nodes: Vec<Played>,
    pub(crate) tally: Tally,
    pub(crate) breaches: Vec<(Breach, Answer)>,
}

impl Run {
    pub(crate) fn new(seed: u64, cursor: Cursor) -> Self {
        let plan = Arc::new(Plan::draw(seed));
        let nodes: Vec<_> = (0..plan.settings.nodes).map(|node| play(&plan, node, cursor)).collect();
        let mut tally = Tally::of_plan(&plan);
        let mut breaches = Vec::new();
        for played in &nodes {
            tally.count(&plan, played);
            let answers = played.answers.iter().map(|answer| (judge(&plan, answer), answer));
            let in_the_end = played.in_the_end.iter().zip([false, true].into_iter().cycle());
            let in_the_end =
                in_the_end.map(|(answer, is_second)| (judge_in_the_end(&plan, answer, is_second), answer));
            breaches
                .extend(answers.chain(in_the_end).filter_map(|(breach, answer)| Some((breach?, *answer))));
        }
        Self { plan, nodes, tally, breaches }
    }

    pub(crate) fn breaks(&self, breach: Breach) -> bool {
        self.breaches.iter().any(|(other, _)| *other == breach)
    }
}

/// What went wrong, and how to have it again.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seed = self.plan.seed;
        writeln!(f, "seed {seed} breaks {} rules; alone: SIMULATION_SEED={seed}", self.breaches.len())?;
        for (breach, answer) in self.breaches.iter().take(3) {
            let (key, faults) = (&self.plan.history.keys[answer.key], &self.plan.faults[answer.node]);
            writeln!(
                f,
                "{breach:?} by {answer:?}\n  of a key with {:?}, which expires {:?}",
                key.versions, key.expires
            )?;
            writeln!(f, "  with {faults:?}")?;
        }
        writeln!(f, "{:?}", self.plan.settings)
    }
}

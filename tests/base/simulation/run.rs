//! One run: a fleet on one store, from one seed.

use std::fmt;
use std::sync::Arc;

use crate::simulation::feed::Flaw;
use crate::simulation::judge::{Answer, Breach, judge, judge_recovered};
use crate::simulation::node::{NodeReport, play};
use crate::simulation::plan::Plan;
use crate::simulation::tally::Tally;

pub(crate) struct Run {
    pub(crate) plan: Arc<Plan>,
    pub(crate) nodes: Vec<NodeReport>,
    pub(crate) tally: Tally,
    pub(crate) breaches: Vec<(Breach, Answer)>,
}

impl Run {
    pub(crate) fn new(seed: u64, flaw: Flaw) -> Self {
        let plan = Arc::new(Plan::draw(seed));
        let nodes: Vec<_> = (0..plan.settings.nodes).map(|node| play(&plan, node, flaw)).collect();
        let mut tally = Tally::of_plan(&plan);
        let mut breaches = Vec::new();
        for report in &nodes {
            tally.count(&plan, report);
            let answers = report.answers.iter().map(|answer| (judge(&plan, answer), answer));
            let after_faults = report.after_faults.iter().zip([false, true].into_iter().cycle());
            let after_faults =
                after_faults.map(|(answer, is_second)| (judge_recovered(&plan, answer, is_second), answer));
            breaches
                .extend(answers.chain(after_faults).filter_map(|(breach, answer)| Some((breach?, *answer))));
        }
        Self { plan, nodes, tally, breaches }
    }

    pub(crate) fn breaks(&self, breach: Breach) -> bool {
        self.breaches.iter().any(|(other, _)| *other == breach)
    }
}

/// The broken rules, with the command that repeats the run.
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

//! The counts over many runs, which show that each case was covered.

use std::fmt;

use crate::simulation::faults::NetworkFault;
use crate::simulation::judge::{Answer, Outcome, unnoticed};
use crate::simulation::keys::Version;
use crate::simulation::network::Traffic;
use crate::simulation::node::NodeReport;
use crate::simulation::peppers::Held;
use crate::simulation::plan::Plan;

macro_rules! tally {
    ($($name:ident: $what:literal),* $(,)?) => {
        #[derive(Debug, Default, Clone)]
        pub(crate) struct Tally {
            $(pub(crate) $name: u64,)*
            /// The longest time that a revocation went unnoticed, in thousandths of the bound.
            pub(crate) closest: u64,
        }

        impl Tally {
            pub(crate) fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
                self.closest = self.closest.max(other.closest);
            }

            /// Returns the cases that were never covered.
            pub(crate) fn missing(&self) -> Vec<&'static str> {
                let counts = [$((self.$name, $what)),*];
                counts.into_iter().filter(|(count, _)| *count == 0).map(|(_, what)| what).collect()
            }
        }

        impl fmt::Display for Tally {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $(writeln!(f, "  {:>10} {}", self.$name, $what)?;)*
                write!(f, "  {:>9}% of the bound is the longest that a revocation went unnoticed", self.closest as f64 / 10.0)
            }
        }
    };
}

tally! {
    runs: "runs",
    nodes: "nodes",
    changes: "changes of keys and plans",
    plan_changes: "changes of plans among them",
    revocations: "revocations among them",
    disablings: "disablings among them",
    additions: "further digests of keys",
    retirements: "retired digests",
    rolling: "fleets of which some nodes have the new pepper",
    change_requests: "changes sent through a node",
    reorderings: "neighbours in the log that were committed in the other order",
    outages: "outages of the store",
    windows: "network faults of single nodes",
    stops: "processes that stood still for longer than the lease",
    wall_steps: "steps of wall clocks",
    polls: "polls",
    outdated_polls: "of them answers that were outdated when they arrived",
    requests: "requests",
    abandoned: "requests whose clients hung up",
    admitted: "admissions",
    cached: "of them from the cache",
    cut_off: "of them while the node was cut off",
    outdated: "admissions by an outdated version",
    outdated_plans: "admissions by an outdated plan",
    unnoticed: "admissions of keys that were revoked already",
    disabled: "rejections as disabled",
    enabled: "admissions of keys that had been disabled",
    revoked: "rejections as revoked",
    unknown: "rejections as unknown",
    expired: "rejections as expired",
    unavailable: "unavailable",
    was_suspended: "requests during which the process was suspended",
    after_faults: "answers when all faults had ended",
}

impl Tally {
    pub(crate) fn of_plan(plan: &Plan) -> Self {
        let lease = plan.settings.lease;
        let count = |number: usize| number as u64;
        let single = |windows: usize| count(windows - plan.outages.len());
        let keys = || plan.history.keys.iter();
        let versions =
            || plan.history.keys.iter().flat_map(|key| key.versions.iter().map(|(_, version)| *version));
        Self {
            runs: 1,
            nodes: count(plan.faults.len()),
            plan_changes: count(plan.history.plans.len()),
            changes: count(plan.history.transactions.iter().filter(|t| t.change.is_some()).count()),
            revocations: count(plan.history.keys.iter().filter(|key| key.revoked().is_some()).count()),
            disablings: count(versions().filter(|version| version.is_disabled()).count()),
            additions: count(keys().filter(|key| key.was_held(Held::Both)).count()),
            retirements: count(
                keys().filter(|key| key.was_held(Held::Both) && key.was_held(Held::New)).count(),
            ),
            rolling: u64::from(plan.deployment.has_begun() && !plan.deployment.is_complete()),
            change_requests: count(plan.change_requests.len()),
            reorderings: count(plan.history.reorderings()),
            outages: count(plan.outages.len()),
            windows: plan.faults.iter().map(|faults| single(faults.windows.len())).sum(),
            stops: {
                let stops = plan.faults.iter().flat_map(|faults| &faults.stops);
                count(stops.filter(|stop| stop.to - stop.from > lease).count())
            },
            wall_steps: plan.faults.iter().map(|faults| count(faults.wall_steps())).sum(),
            ..Self::default()
        }
    }

    pub(crate) fn count(&mut self, plan: &Plan, report: &NodeReport) {
        self.polls += report.polls;
        self.outdated_polls += report.outdated_polls;
        self.abandoned += report.abandoned;
        self.after_faults += report.after_faults.len() as u64;
        for answer in &report.answers {
            self.count_answer(plan, answer);
        }
    }

    fn count_answer(&mut self, plan: &Plan, answer: &Answer) {
        let faults = &plan.faults[answer.node];
        self.requests += 1;
        self.was_suspended += u64::from(faults.was_suspended(answer.began, answer.ended));
        match answer.outcome {
            Outcome::Admitted(_) => self.count_admission(plan, answer),
            Outcome::Unknown => self.unknown += 1,
            Outcome::Disabled => self.disabled += 1,
            Outcome::Revoked => self.revoked += 1,
            Outcome::Expired => self.expired += 1,
            Outcome::Unavailable => self.unavailable += 1,
        }
    }

    fn count_admission(&mut self, plan: &Plan, answer: &Answer) {
        let network_fault = plan.faults[answer.node].network_fault(answer.ended, Traffic::Lookup);
        let is_cut_off = matches!(network_fault, Some(NetworkFault::Cut | NetworkFault::Refuse));
        self.admitted += 1;
        self.cached += u64::from(answer.is_cached);
        self.cut_off += u64::from(answer.is_cached && is_cut_off);
        self.outdated += u64::from(is_outdated(plan, answer));
        self.outdated_plans += u64::from(answer.plan < Some(plan.history.plan_at(answer.began)));
        self.enabled += u64::from(was_disabled(plan, answer));
        if let Some(unnoticed) = unnoticed(plan, answer) {
            let share = unnoticed.as_millis() * 1_000 / plan.settings.unnoticed().as_millis();
            self.unnoticed += 1;
            self.closest = self.closest.max(share as u64);
        }
    }
}

/// Returns whether the admitted version followed one that was disabled.
fn was_disabled(plan: &Plan, answer: &Answer) -> bool {
    let versions = plan.history.keys[answer.key].versions.iter().map(|(_, version)| *version);
    versions.take_while(|version| Outcome::of(*version) != answer.outcome).any(Version::is_disabled)
}

/// Returns whether a later version of the key existed when it was admitted.
fn is_outdated(plan: &Plan, answer: &Answer) -> bool {
    let now = plan.history.keys[answer.key].at(answer.began);
    now.is_some_and(|now| Outcome::of(now) != answer.outcome)
}

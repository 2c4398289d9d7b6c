//! The events of one run, drawn from its seed: in the store, the network, the nodes, and the keys.

use std::time::Duration;

use fastrand::Rng;

use crate::simulation::faults::{Faults, Window};
use crate::simulation::history::{Change, Changed, History, Transaction};
use crate::simulation::keys::{Key, Version};
use crate::simulation::network::{End, Link, Traffic};
use crate::simulation::peppers::{Deployment, Held};
use crate::simulation::settings::Settings;
use crate::simulation::time::{At, between, one_in};

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) settings: Settings,
    pub(crate) outages: Vec<Window>,
    pub(crate) history: History,
    pub(crate) faults: Vec<Faults>,
    pub(crate) deployment: Deployment,
    pub(crate) change_requests: Vec<ChangeRequest>,
}

/// A change that is made through a node.
#[derive(Debug, Clone)]
pub(crate) struct ChangeRequest {
    pub(crate) node: usize,
    pub(crate) sent: At,
    pub(crate) change: Changed,
    /// The result that the node sees. The change may be made regardless.
    pub(crate) end: End,
}

impl Plan {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let settings = Settings::draw(&mut rng);
        let outages = Faults::outages(&mut rng, &settings);
        let faults: Vec<_> =
            (0..settings.nodes).map(|_| Faults::draw(&mut rng, &settings, &outages)).collect();
        let deployment = Deployment::draw(&mut rng, settings.nodes);
        let (transactions, change_requests) = (Vec::new(), Vec::new());
        let mut planner = Planner { rng, settings, faults, deployment, transactions, change_requests };
        let keys = (0..planner.settings.keys).map(|number| planner.live(number)).collect();
        planner.unrelated_transactions();
        planner.change_plan();
        let Planner { settings, faults, deployment, transactions, change_requests, .. } = planner;
        let history = History::new(keys, transactions);
        Self { seed, settings, outages, history, faults, deployment, change_requests }
    }
}

struct Planner {
    rng: Rng,
    settings: Settings,
    faults: Vec<Faults>,
    deployment: Deployment,
    transactions: Vec<Transaction>,
    change_requests: Vec<ChangeRequest>,
}

impl Planner {
    /// Draws the life of a key. One transaction at a time changes it, as the store locks its row. Some keys are never created,
    /// but used regardless.
    fn live(&mut self, number: usize) -> Key {
        let expires =
            one_in(&mut self.rng, 4).then(|| self.rng.i64(0..2 * self.settings.end.as_millis() as i64));
        let mut key = Key::new(number, expires);
        let is_new = self.deployment.is_complete() && one_in(&mut self.rng, 4);
        let held = if is_new { Held::New } else { Held::Old };
        let mut state = Change { key: number, version: Version::in_force(0), held, announced: held };
        let mut at = match self.rng.u32(0..10) {
            0 => return key,
            1..=5 => {
                key.change(Duration::ZERO, &state);
                Duration::ZERO
            }
            _ => {
                let at = self.pause(Duration::ZERO);
                match self.change(Changed::Key(state), at) {
                    Some(created) => created,
                    None => return key,
                }
            }
        };
        let mut scopes = 1;
        loop {
            at = self.pause(at);
            let change = match self.next_held(&state) {
                Some(held) => Change { held, announced: Held::Both, ..state },
                None => {
                    let version = match self.rng.u32(0..4) {
                        0 => Version::Revoked,
                        1 => Version::Standing { number: scopes, is_disabled: true },
                        _ => Version::in_force(scopes),
                    };
                    Change { version, announced: state.held, ..state }
                }
            };
            match self.change(Changed::Key(change), at) {
                Some(committed) if change.version != Version::Revoked => (at, state) = (committed, change),
                _ => return key,
            }
            scopes += 1;
        }
    }

    /// Draws whether a key gets a new digest, or loses its old one.
    fn next_held(&mut self, state: &Change) -> Option<Held> {
        let next = match state.held {
            Held::Old if self.deployment.has_begun() && !state.version.is_disabled() => Held::Both,
            Held::Both if self.deployment.is_complete() => Held::New,
            _ => return None,
        };
        one_in(&mut self.rng, 3).then_some(next)
    }

    fn pause(&mut self, at: At) -> At {
        at + between(&mut self.rng, Duration::from_millis(1), self.settings.lease * 2)
    }

    /// Makes a change directly or through a node, and returns when it was committed: never, if it was lost on the way or would be
    /// committed after the end.
    fn change(&mut self, change: Changed, at: At) -> Option<At> {
        let lasts = self.lasts();
        let began = if self.rng.bool() { at } else { self.send(change, at, lasts)? };
        let ended = began + lasts;
        (ended <= self.settings.end).then(|| {
            self.transact(began, ended, Some(change));
            ended
        })
    }

    /// Sends a change through a random node, and returns when it arrived at the store.
    fn send(&mut self, change: Changed, sent: At, lasts: Duration) -> Option<At> {
        let node = self.rng.usize(..self.settings.nodes);
        let faults = &self.faults[node];
        if faults.stops.iter().any(|stop| stop.meets(sent, sent)) {
            return Some(sent);
        }
        let mut link = Link { faults, deadline: self.settings.deadline, rng: &mut self.rng };
        let trip = link.ask(sent, Traffic::Change, lasts);
        if trip.arrived.is_none_or(|arrived| arrived + lasts <= self.settings.end) {
            self.change_requests.push(ChangeRequest { node, sent, change, end: trip.end });
        }
        trip.arrived
    }

    /// Draws the duration of a transaction, mostly a short one.
    fn lasts(&mut self) -> Duration {
        let most = if one_in(&mut self.rng, 3) { self.settings.lease } else { Duration::from_millis(20) };
        between(&mut self.rng, Duration::ZERO, most)
    }

    /// Draws transactions that change no key or are rolled back.
    fn unrelated_transactions(&mut self) {
        for _ in 0..self.settings.keys {
            let began = between(&mut self.rng, Duration::ZERO, self.settings.end);
            let ended = (began + self.lasts()).min(self.settings.end);
            self.transact(began, ended, None);
        }
    }

    /// Draws the versions of the plan. In most runs it has one: a change invalidates everything, which would hide that of a key was missed.
    fn change_plan(&mut self) {
        if !one_in(&mut self.rng, 3) {
            return;
        }
        let mut at = Duration::ZERO;
        for version in 1..=self.rng.u64(1..=3) {
            at = self.pause(at);
            match self.change(Changed::Plan(version), at) {
                Some(committed) => at = committed,
                None => return,
            }
        }
    }

    fn transact(&mut self, began: At, ended: At, change: Option<Changed>) {
        let wrote = between(&mut self.rng, began, ended);
        self.transactions.push(Transaction { number: 0, sequence: 0, began, wrote, ended, change });
    }
}

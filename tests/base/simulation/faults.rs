//! The faults of one node: of its network, its process, and its wall clock.

use std::time::Duration;

use fastrand::Rng;

use crate::simulation::network::Traffic;
use crate::simulation::settings::Settings;
use crate::simulation::time::{At, Span, between, millis, one_in};

/// A fault of the network between a node and the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NetworkFault {
    /// Connections are refused.
    Refuse,
    /// Messages are lost without an error.
    Cut,
    /// Half of the messages are lost.
    Lose,
    /// Both directions are slow.
    Slow,
    /// The store answers at once, but the answer arrives late and outdated.
    SlowBack,
}

impl NetworkFault {
    pub(crate) const ALL: [Self; 5] = [Self::Refuse, Self::Cut, Self::Lose, Self::Slow, Self::SlowBack];
}

#[derive(Debug, Clone)]
pub(crate) struct Window {
    pub(crate) span: Span,
    pub(crate) network_fault: NetworkFault,
    pub(crate) polls_only: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    pub(crate) windows: Vec<Window>,
    /// The times at which the process is suspended while its clocks run.
    pub(crate) stops: Vec<Span>,
    /// The errors of the wall clock in milliseconds, each with its start.
    wall: Vec<(At, i64)>,
}

impl Faults {
    /// Draws the faults of a node, in addition to the outages of the store, which all nodes share.
    pub(crate) fn draw(rng: &mut Rng, settings: &Settings, outages: &[Window]) -> Self {
        let windows = spans(rng, settings).into_iter().map(|span| window(rng, span));
        let windows = outages.iter().cloned().chain(windows.collect::<Vec<_>>()).collect();
        let stops = if one_in(rng, 2) { spans(rng, settings) } else { Vec::new() };
        let steps = spans(rng, settings).into_iter().flat_map(|span| [(span.from, step(rng)), (span.to, 0)]);
        Self { windows, stops, wall: steps.collect() }
    }

    /// Draws the times at which no node can reach the store.
    pub(crate) fn outages(rng: &mut Rng, settings: &Settings) -> Vec<Window> {
        let spans = spans(rng, settings).into_iter().take(1);
        spans.map(|span| Window { polls_only: false, ..window(rng, span) }).collect()
    }

    pub(crate) fn network_fault(&self, at: At, traffic: Traffic) -> Option<NetworkFault> {
        let concerned = |window: &&Window| traffic == Traffic::Poll || !window.polls_only;
        let window = self.windows.iter().filter(concerned).find(|window| window.span.contains(at));
        window.map(|window| window.network_fault)
    }

    /// Returns whether a request in this time may stay unanswered.
    pub(crate) fn excuses(&self, from: At, to: At) -> bool {
        let network = self.windows.iter().filter(|window| !window.polls_only).map(|window| &window.span);
        network.chain(&self.stops).any(|span| span.meets(from, to))
    }

    /// Returns whether a suspension of the process lies in this time.
    pub(crate) fn was_suspended(&self, from: At, to: At) -> bool {
        self.stops.iter().any(|stop| stop.is_within(from, to))
    }

    /// Returns the wall clock's time, in milliseconds since the run began.
    pub(crate) fn wall(&self, at: At) -> i64 {
        let error = self.wall.iter().rev().find(|(from, _)| *from <= at).map_or(0, |(_, by)| *by);
        millis(at) as i64 + error
    }

    pub(crate) fn wall_steps(&self) -> usize {
        self.wall.len()
    }
}

/// Draws spans between the beginning and the end, most of them shorter than the lease.
fn spans(rng: &mut Rng, settings: &Settings) -> Vec<Span> {
    let (lease, end) = (settings.lease, settings.end);
    let mut spans = Vec::new();
    let mut from = between(rng, Duration::ZERO, lease * 2);
    while from < end {
        let most = if one_in(rng, 3) { lease * 3 } else { lease };
        let to = (from + between(rng, Duration::from_millis(1), most)).min(end);
        spans.push(Span { from, to });
        from = to + between(rng, Duration::from_millis(1), lease * 2);
    }
    spans
}

fn window(rng: &mut Rng, span: Span) -> Window {
    let network_fault = NetworkFault::ALL[rng.usize(..NetworkFault::ALL.len())];
    Window { span, network_fault, polls_only: one_in(rng, 3) }
}

/// Draws a jump by seconds or hours, in either direction.
fn step(rng: &mut Rng) -> i64 {
    let most = if rng.bool() { 20_000 } else { 10_000_000 };
    rng.i64(-most..=most)
}

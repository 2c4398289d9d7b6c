//! What goes wrong with one node: its way to the store, its process, its wall clock.

use std::time::Duration;

use fastrand::Rng;

use crate::network::Traffic;
use crate::settings::Settings;
use crate::time::{At, Span, between, millis, one_in};

/// What is wrong with the way to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Connections are refused.
    Refuse,
    /// Whatever is sent is lost, and nobody says so.
    Cut,
    /// Some of what is sent is lost.
    Lose,
    /// Both ways take long.
    Slow,
    /// The store answers at once, and the answer takes long: it is old when it arrives.
    SlowBack,
}

impl Trouble {
    pub(crate) const ALL: [Self; 5] = [Self::Refuse, Self::Cut, Self::Lose, Self::Slow, Self::SlowBack];
}

#[derive(Debug, Clone)]
pub(crate) struct Window {
    pub(crate) span: Span,
    pub(crate) trouble: Trouble,
    pub(crate) polls_only: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    pub(crate) windows: Vec<Window>,
    /// When the process stands still while its clocks go on.
    pub(crate) stops: Vec<Span>,
    /// By how many milliseconds the wall clock is wrong, from when on.
    wall: Vec<(At, i64)>,
}

impl Faults {
    /// Draws what goes wrong with a node, beside the outages of the store, which all nodes have in common.
    pub(crate) fn draw(rng: &mut Rng, settings: &Settings, outages: &[Window]) -> Self {
        let windows = spans(rng, settings).into_iter().map(|span| window(rng, span));
        let windows = outages.iter().cloned().chain(windows.collect::<Vec<_>>()).collect();
        let stops = if one_in(rng, 2) { spans(rng, settings) } else { Vec::new() };
        let steps = spans(rng, settings).into_iter().flat_map(|span| [(span.from, step(rng)), (span.to, 0)]);
        Self { windows, stops, wall: steps.collect() }
    }

    /// Draws the times at which no node reaches the store.
    pub(crate) fn outages(rng: &mut Rng, settings: &Settings) -> Vec<Window> {
        let spans = spans(rng, settings).into_iter().take(1);
        spans.map(|span| Window { polls_only: false, ..window(rng, span) }).collect()
    }

    pub(crate) fn trouble(&self, at: At, traffic: Traffic) -> Option<Trouble> {
        let concerned = |window: &&Window| traffic == Traffic::Poll || !window.polls_only;
        let window = self.windows.iter().filter(concerned).find(|window| window.span.contains(at));
        window.map(|window| window.trouble)
    }

    /// Tells whether a request in this time may be without an answer.
    pub(crate) fn excuse(&self, from: At, to: At) -> bool {
        let on_the_way = self.windows.iter().filter(|window| !window.polls_only).map(|window| &window.span);
        on_the_way.chain(&self.stops).any(|span| span.meets(from, to))
    }

    /// Tells whether the process stood still at some time in between.
    pub(crate) fn stood_still(&self, from: At, to: At) -> bool {
        self.stops.iter().any(|stop| stop.is_within(from, to))
    }

    /// Returns what the wall clock shows, in milliseconds since the run began.
    pub(crate) fn wall(&self, at: At) -> i64 {
        let wrong = self.wall.iter().rev().find(|(from, _)| *from <= at).map_or(0, |(_, by)| *by);
        millis(at) as i64 + wrong
    }

    pub(crate) fn wall_steps(&self) -> usize {
        self.wall.len()
    }
}

/// Draws some whiles between the beginning and the end, mostly shorter than the lease and sometimes longer.
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
    let trouble = Trouble::ALL[rng.usize(..Trouble::ALL.len())];
    Window { span, trouble, polls_only: one_in(rng, 3) }
}

/// Draws seconds or hours, in either direction.
fn step(rng: &mut Rng) -> i64 {
    let most = if rng.bool() { 20_000 } else { 10_000_000 };
    rng.i64(-most..=most)
}

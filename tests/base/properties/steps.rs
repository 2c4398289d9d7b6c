//! The steps of a history, with their probabilities.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use tower_api_key::test_util::Behaviour;

use crate::properties::credentials::{Credential, Presented, TEXTS, WAYS, Way};

/// One step.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Change(usize, Change),
    Request(Presented),
    /// A request during which its key changes.
    Overtaken(Credential, Change),
    /// Seconds by which each of the clocks moves.
    Pass {
        monotonic: i64,
        wall: i64,
    },
    /// Sets the wall clock to this long before the expiry of a key.
    Approach {
        text: usize,
        seconds: i64,
    },
    Store(Behaviour),
}

/// A change of a key.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Issue(Facts),
    Disable,
    Enable,
    Revoke,
}

/// The properties of a key.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// The second of its expiry; while it is only planned, counted from its issue.
    pub(crate) end: Option<i64>,
    pub(crate) for_tests: bool,
    /// The ways it may be presented in; empty allows any way.
    pub(crate) ways: Vec<Way>,
    /// The email of its owner; empty for an organization, which may be closed.
    pub(crate) email: &'static str,
    pub(crate) closed: bool,
    pub(crate) disabled: bool,
    pub(crate) revoked: bool,
}

/// A few keys, followed by any steps.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let keys = vec((text(), issue()).prop_map(|(text, issue)| Step::Change(text, issue)), 0..6);
    (keys, vec(step(), 1..50)).prop_map(|(keys, steps)| [keys, steps].concat())
}

fn step() -> impl Strategy<Value = Step> {
    let clocks = prop_oneof![
        2 => (0..12_i64).prop_map(|passed| (passed, passed)),
        1 => (0..12_i64).prop_map(|monotonic| (monotonic, 0)),
        1 => (-30..30_i64).prop_map(|wall| (0, wall)),
    ];
    let behaviours = vec![Behaviour::Behave, Behaviour::Behave, Behaviour::Fail, Behaviour::Hang];
    prop_oneof![
        12 => presented().prop_map(Step::Request),
        2 => (credential(), change()).prop_map(|(credential, change)| Step::Overtaken(credential, change)),
        2 => (text(), change()).prop_map(|(text, change)| Step::Change(text, change)),
        3 => clocks.prop_map(|(monotonic, wall)| Step::Pass { monotonic, wall }),
        1 => (text(), 0..3_i64).prop_map(|(text, seconds)| Step::Approach { text, seconds }),
        3 => select(behaviours).prop_map(Step::Store),
    ]
}

/// Mostly a text that can be presented in most ways.
fn text() -> impl Strategy<Value = usize> {
    prop_oneof![9 => 0..4_usize, 1 => 0..TEXTS.len()]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => issue(),
        1 => Just(Change::Disable),
        1 => Just(Change::Enable),
        1 => Just(Change::Revoke),
    ]
}

fn issue() -> impl Strategy<Value = Change> {
    let end = prop_oneof![2 => Just(None), 1 => (-1..2_i64).prop_map(Some), 3 => (2..20_i64).prop_map(Some)];
    let ways = prop_oneof![4 => Just(Vec::new()), 1 => subsequence(WAYS.to_vec(), 1..3)];
    let seldom = || prop::bool::weighted(0.1);
    let facts = (end, seldom(), ways, email(), seldom());
    facts.prop_map(|(end, for_tests, ways, email, closed)| {
        Change::Issue(Facts { end, for_tests, ways, email, closed, disabled: false, revoked: false })
    })
}

fn presented() -> impl Strategy<Value = Presented> {
    prop_oneof![30 => vec(credential(), 1), 1 => vec(credential(), 2), 1 => Just(Vec::new())]
}

fn credential() -> impl Strategy<Value = Credential> {
    let user = prop_oneof![4 => email(), 1 => Just("Ann@Example.COM")];
    let ways = (0..WAYS.len(), prop::bool::weighted(0.1));
    (text(), ways, user).prop_map(|(text, (way, may_be_wrong), user)| {
        let ways = if may_be_wrong { &WAYS } else { TEXTS[text].1 };
        Credential { way: ways[way % ways.len()], text, user }
    })
}

fn email() -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => Just("ann@example.com"), 1 => Just("bob@example.com"), 2 => Just("")]
}

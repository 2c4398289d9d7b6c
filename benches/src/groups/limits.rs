//! A limit of each key, beside a hand-written one: within admissions, and alone.

use http::StatusCode;
use tower::Layer;
use tower_api_key::LimitLayer;

use super::{BARE, Fixture, Group};
use crate::drive::{Run, at_once, runtime};
use crate::order::Order;
use crate::requests::Requests;
use crate::stacks::governed::Governed;
use crate::stacks::{Body, Stack, inner, layer};

/// A limit inside the layer that admits keys.
pub const ADMITTED: &str = "Bearer with a limit, 1,000 keys in turn";
/// A limit without that layer.
pub const ALONE: &str = "a limit, one key that was admitted";

/// The layer that admits keys, alone.
pub const WITHOUT: &str = "this crate, no limit";
/// The layer of this crate, without headers.
pub const LIMITED: &str = "this crate, a limit";
/// The same with `X-RateLimit-…` in responses.
pub const TOLD: &str = "this crate, a limit and its headers";
/// The hand-written limiter.
pub const GOVERNOR: &str = "`governor`, keyed by id";

pub(super) fn all() -> Vec<Group> {
    vec![admitted(), alone()]
}

fn admitted() -> Group {
    fn run<S: Stack<Body>>(fixture: &Fixture, inner: S) -> Run {
        let layer = layer::new(fixture.store(), fixture.room());
        let requests = Requests::bearer(fixture.texts(), Order::InTurn);
        at_once(layer.layer(inner), requests, StatusCode::OK)
    }
    Group::new(ADMITTED, 1_000)
        .subject(WITHOUT, |fixture| run(fixture, inner()))
        .subject(LIMITED, |fixture| run(fixture, limit().without_headers().layer(inner())))
        .subject(TOLD, |fixture| run(fixture, limit().layer(inner())))
        .subject(GOVERNOR, |fixture| run(fixture, Governed::new(inner())))
}

fn alone() -> Group {
    fn run<S: Stack<Body>>(fixture: &Fixture, stack: S) -> Run {
        let authenticator = layer::builder(fixture.store()).build().unwrap();
        let request = Requests::bearer(fixture.texts(), Order::InTurn).make::<Body>();
        let principal = runtime().block_on(authenticator.authenticate(request.headers())).unwrap();
        at_once(stack, Requests::anonymous().of(principal), StatusCode::OK)
    }
    Group::new(ALONE, 1)
        .subject(BARE, |fixture| run(fixture, inner()))
        .subject(LIMITED, |fixture| run(fixture, limit().without_headers().layer(inner())))
        .subject(TOLD, |fixture| run(fixture, limit().layer(inner())))
        .subject(GOVERNOR, |fixture| run(fixture, Governed::new(inner())))
}

/// Creates a layer with a limit that refuses no request of a bench.
fn limit() -> LimitLayer {
    LimitLayer::new().default_limits("burst=2678400000000/2678400s".parse().unwrap())
}

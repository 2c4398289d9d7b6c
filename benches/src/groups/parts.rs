//! The layer for scopes, and the largest part of an admission.

use std::hint::black_box;

use http::StatusCode;
use sha2::{Digest, Sha256};
use tower::Layer;
use tower_api_key::{Principal, RequireScopeLayer, Requirement, Scopes};

use super::{BARE, CRATE, Fixture, Group};
use crate::drive::{Run, at_once, runtime};
use crate::order::Order;
use crate::requests::Requests;
use crate::stacks::{Body, Stack, inner, layer};

/// The baseline of the hash.
pub const NOTHING: &str = "nothing";
/// The hash alone.
pub const SHA256: &str = "SHA-256";

/// The layer that requires a scope.
pub const SCOPES: &str = "`require_scope`, the last of 14 scopes";

/// The hash of each admission.
pub const HASH: &str = "SHA-256 of a key of 51 characters";

pub(super) fn all() -> Vec<Group> {
    vec![scopes(), hash()]
}

fn scopes() -> Group {
    fn run(fixture: &Fixture, stack: impl Stack<Body>) -> Run {
        let requests = Requests::anonymous().of(principal(fixture));
        at_once(stack, requests, StatusCode::OK)
    }
    Group::new(SCOPES, 1).subject(BARE, |fixture| run(fixture, inner())).subject(CRATE, |fixture| {
        let requirement = Requirement::all_of(["webhook.write"]).unwrap();
        run(fixture, RequireScopeLayer::new(requirement).layer(inner()))
    })
}

fn principal(fixture: &Fixture) -> Principal {
    // The owner of the keys is a user without organizations.
    let of_users = Scopes::parse("*").unwrap();
    let authenticator = layer::builder(fixture.store()).user_scopes(of_users).build().unwrap();
    let request = Requests::bearer(fixture.texts(), Order::InTurn).make::<Body>();
    runtime().block_on(authenticator.authenticate(request.headers())).unwrap()
}

fn hash() -> Group {
    fn run(fixture: &Fixture, work: fn(&str)) -> Run {
        let text = fixture.texts()[0].clone();
        Box::new(move |times| (0..times).for_each(|_| work(black_box(&text))))
    }
    Group::new(HASH, 1).subject(NOTHING, |fixture| run(fixture, |_| ())).subject(SHA256, |fixture| {
        run(fixture, |text| {
            black_box(Sha256::digest(text));
        })
    })
}

//! The requirements of routes, and the repeated check with each change: the body of a request may arrive long after its head, and the
//! caller may have lost its key or its role by then.

use std::sync::LazyLock;

use tower_api_key::backend::Actor;
use tower_api_key::principal::Resource;
use tower_api_key::reject::Rejection;
use tower_api_key::{Owner, Principal, Requirement};

use crate::place::Place;

/// A scope that a layer requires for routes, and the handlers for each change.
pub(crate) type Needed = LazyLock<Requirement>;

pub(crate) static OWN_KEY: Needed = LazyLock::new(|| scope("account.key"));
pub(crate) static OWN_PASSWORD: Needed = LazyLock::new(|| scope("account.password"));
pub(crate) static MANAGE: Needed = LazyLock::new(|| scope("organization.manage"));
pub(crate) static UPLOAD: Needed = LazyLock::new(|| scope("project.upload"));
pub(crate) static CYCLE_KEY: Needed = LazyLock::new(|| scope("project.key"));
pub(crate) static DEPLOY: Needed = LazyLock::new(|| scope("project.deploy"));

fn scope(scope: &str) -> Requirement {
    // OK because these are constants, parsed when the routes are created.
    Requirement::all_of([scope]).expect("a scope")
}

/// Returns the caller as the actor of a change of itself, which the store checks with the change.
pub(crate) fn of_own(caller: &Principal, needed: &Requirement) -> Actor {
    caller.actor().requires(needed.clone())
}

/// Returns the caller as the actor of a change that managers of an organization may make.
pub(crate) fn of_organization(caller: &Principal, organization: &str) -> Actor {
    caller.actor().requires_for(MANAGE.clone(), Resource::Organization(organization))
}

/// Returns the caller as the actor of a change of a project.
pub(crate) fn of_project(caller: &Principal, needed: &Requirement, place: &Place) -> Actor {
    caller.actor().requires_for(needed.clone(), place.resource())
}

/// Checks the caller again, right before data is kept outside the store of keys, where no transaction includes the check.
pub(crate) async fn still_may(
    caller: &Principal,
    needed: &Requirement,
    place: &Place,
) -> Result<(), Rejection> {
    let caller = caller.recheck().await?;
    match caller.owner() {
        // Devices need no scope: the key of a project is limited to that project.
        Owner::Project(own) if *own.organization.id == *place.organization && *own.id == *place.project => {
            Ok(())
        }
        _ => caller.authorize(needed, place.resource()),
    }
}

//! Checks a caller again right before an irreversible change: the body of a request may arrive long after its head.

use std::sync::LazyLock;

use tower_api_key::reject::Rejection;
use tower_api_key::{Principal, Requirement};

/// The requirement of a route, which its handler checks again.
pub(crate) type Needed = LazyLock<Requirement>;

/// Returns a requirement of one scope.
pub(crate) fn scope(scope: &str) -> Requirement {
    // OK because all scopes are constants, parsed when the routes are created.
    Requirement::all_of([scope]).expect("a scope")
}

/// Returns the current state of the caller, if it still meets the requirement.
pub(crate) async fn again(caller: &Principal, needed: &Requirement) -> Result<Principal, Rejection> {
    let caller = caller.recheck().await?;
    caller.require(needed)?;
    Ok(caller)
}

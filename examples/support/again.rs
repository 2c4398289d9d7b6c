//! Judging a caller once more, right before something is done that cannot be undone: its body may have arrived long after its head.

use std::sync::LazyLock;

use tower_api_key::reject::{Reason, Rejection};
use tower_api_key::{Principal, Requirement};

/// What a route asks for, and its handler once more.
pub(crate) type Needed = LazyLock<Requirement>;

/// Returns a requirement of one scope.
pub(crate) fn scope(scope: &str) -> Requirement {
    // OK because all scopes stand in the code, and are read when the routes are made.
    Requirement::all_of([scope]).expect("a scope")
}

/// Returns the caller as it is now, if it still meets what is needed.
pub(crate) async fn again(caller: &Principal, needed: &Requirement) -> Result<Principal, Rejection> {
    let caller = caller.recheck().await?;
    if caller.meets(needed) {
        return Ok(caller);
    }
    Err(caller.reject(Reason::MissingScope(needed.clone())))
}

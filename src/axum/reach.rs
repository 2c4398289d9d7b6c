//! Who may go where: what the path of a route names, against what the caller reaches.

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::principal::{Principal, Resource};
use crate::reject::{Addressee, Forbidden, Reason, Rejection};
use crate::scope::Requirement;

/// Middleware that lets a caller pass who [may do](Principal::can) what is required to the organization of the path, or to its
/// project if it names one: to the segments that are called `{organization}` and `{project}`.
///
/// Whether there is such a project is for the handler to ask: an organization reaches whatever is in it. A route without such a
/// segment is closed, and so is a path of which any segment is not UTF-8.
///
/// ```
/// use axum::{Router, middleware::from_fn_with_state, routing::get};
/// use tower_api_key::axum::reach;
/// use tower_api_key::{AuthenticateLayer, Authenticator, MemoryStore, Requirement};
///
/// let read = from_fn_with_state(Requirement::all_of(["project.read"])?, reach);
/// let app: Router = Router::new()
///     .route("/organizations/{organization}/projects/{project}", get("A smart sink.").route_layer(read))
///     .layer(AuthenticateLayer::new(Authenticator::builder(MemoryStore::new()).build()?));
/// # Ok::<(), tower_api_key::ConfigError>(())
/// ```
pub async fn reach(
    State(needed): State<Requirement>,
    caller: Principal,
    path: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Response {
    match judge(&caller, &needed, path.ok().as_ref()) {
        Ok(()) => next.run(request).await,
        Err(reason) => Rejection::of(&caller, reason).answer(Addressee::of(&request)),
    }
}

fn judge(caller: &Principal, needed: &Requirement, path: Option<&RawPathParams>) -> Result<(), Reason> {
    // What cannot be read names nothing that anyone reaches.
    let path = path.ok_or(Reason::Forbidden(Forbidden::Organization))?;
    let segment = |name| path.iter().find_map(|(key, value)| (key == name).then_some(value));
    let organization = segment("organization").ok_or(Reason::Forbidden(Forbidden::Undeclared))?;
    let resource = match segment("project") {
        Some(project) => Resource::Project { organization, project },
        None => Resource::Organization(organization),
    };
    Ok(caller.can(needed, resource)?)
}

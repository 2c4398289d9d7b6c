//! Who may go where: what the path of a route names, against what the caller reaches.

use std::pin::Pin;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::middleware::{FromFn, Next, from_fn_with_state};
use axum::response::Response;
use tower_layer::Layer;

use crate::error::ConfigError;
use crate::principal::{Principal, Resource};
use crate::reject::{Forbidden, Reason, Rejection, RequestProtocol};
use crate::scope::Requirement;

/// Layer that lets a caller pass who [may do](Principal::authorize) what is required to the organization of the path, or to its
/// project if it names one: to the segments that are called `{organization}` and `{project}`.
///
/// It belongs around routes, by `route_layer`, as the segments are not known before. Whether there is such a project is for the
/// handler to ask: an organization reaches whatever is in it. A route without such a segment is closed, and so is a path of
/// which any segment is not UTF-8.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_api_key::axum::RequireResourceLayer;
/// use tower_api_key::{AuthenticateLayer, Authenticator, MemoryStore};
///
/// let app: Router = Router::new()
///     .route("/organizations/{organization}/projects/{project}", get("A smart sink."))
///     .route_layer(RequireResourceLayer::scope("project.read")?)
///     .layer(AuthenticateLayer::new(Authenticator::builder(MemoryStore::new()).build()?));
/// # Ok::<(), tower_api_key::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct RequireResourceLayer {
    needed: Requirement,
}

/// What is read of a request, before the request itself.
type Read = (State<Requirement>, Principal, Path, Request);
type Path = Result<RawPathParams, RawPathParamsRejection>;
type Guard = fn(State<Requirement>, Principal, Path, Request, Next) -> Guarded;
type Guarded = Pin<Box<dyn Future<Output = Response> + Send>>;

impl RequireResourceLayer {
    /// Creates a layer that asks for this.
    pub fn new(needed: Requirement) -> Self {
        Self { needed }
    }

    /// Creates a layer that asks for one scope.
    ///
    /// # Errors
    ///
    /// When `scope` is not a scope token.
    pub fn scope(scope: &str) -> Result<Self, ConfigError> {
        Ok(Self::new(Requirement::all_of([scope])?))
    }
}

impl<S: Clone> Layer<S> for RequireResourceLayer {
    type Service = FromFn<Guard, Requirement, S, Read>;

    fn layer(&self, inner: S) -> Self::Service {
        let guard: Guard =
            |State(needed), caller, path, request, next| Box::pin(reach(needed, caller, path, request, next));
        from_fn_with_state(self.needed.clone(), guard).layer(inner)
    }
}

async fn reach(needed: Requirement, caller: Principal, path: Path, request: Request, next: Next) -> Response {
    match judge(&caller, &needed, path.ok().as_ref()) {
        Ok(()) => next.run(request).await,
        Err(reason) => Rejection::of(&caller, reason).answer(RequestProtocol::of(&request)),
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
    Ok(caller.authorize(needed, resource)?)
}

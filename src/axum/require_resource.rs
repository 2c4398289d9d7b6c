//! Authorization by the organization or project in the path of a route. A rejection is reported when it is answered.

// Layer 10 of 10: rim.

use std::pin::Pin;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::middleware::{FromFn, Next, from_fn_with_state};
use axum::response::Response;
use tower_layer::Layer;

use crate::error::ConfigError;
use crate::principal::Principal;
use crate::reason::Forbidden;
use crate::reject::Rejection;
use crate::rights::Resource;
use crate::scope::Requirement;

/// Layer that [authorizes](Principal::authorize) the caller for the organization in the path, or its project if present: for the
/// segments `{organization}` and `{project}`.
///
/// It belongs around routes, by `route_layer`, as the segments are not known before. The handler has to check that the project exists:
/// an organization may access every project in it. A route without such a segment is closed, and so is a path with a segment that
/// is not UTF-8.
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

/// The extractors of the guard, before the request itself.
type Read = (State<Requirement>, Principal, Path, Request);
type Path = Result<RawPathParams, RawPathParamsRejection>;
type Guard = fn(State<Requirement>, Principal, Path, Request, Next) -> Guarded;
type Guarded = Pin<Box<dyn Future<Output = Response> + Send>>;

impl RequireResourceLayer {
    /// Creates a layer with a requirement.
    pub fn new(needed: Requirement) -> Self {
        Self { needed }
    }

    /// Creates a layer that requires one scope.
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
        let function: Guard =
            |State(needed), caller, path, request, next| Box::pin(guard(needed, caller, path, request, next));
        from_fn_with_state(self.needed.clone(), function).layer(inner)
    }
}

async fn guard(needed: Requirement, caller: Principal, path: Path, request: Request, next: Next) -> Response {
    match check(&caller, &needed, path.ok().as_ref()) {
        Ok(()) => next.run(request).await,
        Err(rejection) => rejection.into_response_to(&request),
    }
}

fn check(caller: &Principal, needed: &Requirement, path: Option<&RawPathParams>) -> Result<(), Rejection> {
    // A path that cannot be read names no organization of any caller.
    let path = path.ok_or_else(|| caller.reject(Forbidden::Organization))?;
    let segment = |name| path.iter().find_map(|(key, value)| (key == name).then_some(value));
    let organization = segment("organization").ok_or_else(|| caller.reject(Forbidden::Undeclared))?;
    let resource = match segment("project") {
        Some(project) => Resource::Project { organization, project },
        None => Resource::Organization(organization),
    };
    caller.authorize(needed, resource)
}

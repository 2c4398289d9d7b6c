//! The layer.

use std::sync::Arc;

use tower_layer::Layer;

use super::RequireScope;
use super::rules::Rules;
use crate::error::ConfigError;
use crate::scope::Requirement;

/// Layer that applies [`RequireScope`].
///
/// It belongs inside an [`AuthenticateLayer`](crate::AuthenticateLayer). See the [module](super) for an example.
///
/// It decides as [`Principal::require`](crate::Principal::require) does: by the scopes of the key, and for a key of a user also by what the
/// user may do, for itself or by the role in one of its organizations. It does not look at the resource of a request: where one names an
/// organization, `axum::RequireResourceLayer` or [`Principal::authorize`](crate::Principal::authorize) asks for the role in that one.
#[derive(Debug, Clone)]
pub struct RequireScopeLayer {
    rules: Arc<Rules>,
}

impl RequireScopeLayer {
    /// Creates a layer with one requirement for every request.
    pub fn new(requirement: Requirement) -> Self {
        Self { rules: Arc::new(Rules::One(requirement)) }
    }

    /// Creates a layer that requires one scope for every request.
    ///
    /// # Errors
    ///
    /// When `scope` is not a scope token.
    pub fn scope(scope: &str) -> Result<Self, ConfigError> {
        Ok(Self::new(Requirement::all_of([scope])?))
    }

    /// Creates a layer with requirements by path, which forbids paths that are not declared.
    ///
    /// The path is the whole one, as the client sent it. The path of a gRPC method is `/package.Service/Method`.
    ///
    /// ```
    /// use tower_api_key::RequireScopeLayer;
    /// use tower_api_key::scope::Requirement;
    ///
    /// let layer = RequireScopeLayer::by_path([
    ///     ("/grpc.health.v1.Health/Check", Requirement::all_of(["health.read"])?),
    ///     ("/grpc.health.v1.Health/Watch", Requirement::all_of(["health.watch"])?),
    /// ])?;
    /// # Ok::<(), tower_api_key::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When a path does not start with `/`, or is declared twice.
    pub fn by_path<P>(rules: impl IntoIterator<Item = (P, Requirement)>) -> Result<Self, ConfigError>
    where
        P: Into<Box<str>>,
    {
        Ok(Self { rules: Arc::new(Rules::by_path(rules)?) })
    }
}

impl<S> Layer<S> for RequireScopeLayer {
    type Service = RequireScope<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireScope::new(inner, Arc::clone(&self.rules))
    }
}

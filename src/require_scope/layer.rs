//! The layer: its rules. It decides nothing.

// Layer 8 of 10: decision.

use std::sync::Arc;

use tower_layer::Layer;

use super::RequireScope;
use super::service::{Needs, ScopeCheck};
use crate::error::ConfigError;
use crate::rules::{Access, PathRules, Rules};
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
    check: Arc<ScopeCheck>,
}

impl RequireScopeLayer {
    /// Creates a layer with one requirement for every request, except those whose path the layer outside calls public,
    /// and preflights that it admitted.
    pub fn new(requirement: Requirement) -> Self {
        Self::of(Needs::One(requirement))
    }

    /// Creates a layer that requires one scope for every request.
    ///
    /// # Errors
    ///
    /// When `scope` is not a scope token.
    pub fn scope(scope: &str) -> Result<Self, ConfigError> {
        Ok(Self::new(Requirement::all_of([scope])?))
    }

    /// Creates a layer with rules by the whole path, which forbids paths that are not declared: [`rules`](Self::rules) with
    /// [`PathRules`].
    ///
    /// The path of a gRPC method is `/package.Service/Method`.
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
    /// As for [`PathRules::new`].
    pub fn by_path<P, A>(rules: impl IntoIterator<Item = (P, A)>) -> Result<Self, ConfigError>
    where
        P: AsRef<str>,
        A: TryInto<Access, Error: Into<ConfigError>>,
    {
        Ok(Self::rules(PathRules::new(rules)?))
    }

    /// Creates a layer with [rules](crate::rules), which forbids routes that are not declared.
    ///
    /// A route that is [public](Access::Public) here needs no principal, but the layer that authenticates has to let its requests pass: give
    /// the rules to [`AuthenticateLayer::rules`](crate::AuthenticateLayer::rules) instead, where it suffices to declare it once.
    pub fn rules(rules: impl Into<Rules>) -> Self {
        Self::of(Needs::ByRule(rules.into()))
    }

    fn of(needs: Needs) -> Self {
        Self { check: Arc::new(ScopeCheck::new(needs)) }
    }
}

impl<S> Layer<S> for RequireScopeLayer {
    type Service = RequireScope<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireScope::new(inner, Arc::clone(&self.check))
    }
}

//! Rules by the path itself.

// Layer 8 of 10: decision.

use super::access::Access;
use super::matching::{By, Rules};
use super::plain::{check_exact, check_path, refuse_template};
use super::table::Table;
use crate::error::ConfigError;

/// Rules by the whole path as the client sent it, compared byte for byte.
///
/// The path of a gRPC method is `/package.Service/Method`. Inside a nested axum router the path is the whole one, such as `/api/notes`. See
/// the [module](super) for an example over HTTP.
///
/// ```
/// use tower_api_key::rules::{Access, PathRules};
///
/// let rules = PathRules::new([
///     ("/grpc.health.v1.Health/Check", Access::Public),
///     ("/notes.v1.Notes/List", Access::scope("notes.read")?),
/// ])?;
///
/// // Where all routes require scopes, their text suffices.
/// let rules = PathRules::new([("/notes.v1.Notes/List", "notes.read"), ("/notes.v1.Notes/Add", "notes.write")])?;
///
/// // A template would never match, and is an error.
/// let error = PathRules::new([("/notes/{id}", Access::AnyKey)]).unwrap_err();
/// assert!(error.to_string().contains("use `axum::RouteRules`"), "{error}");
/// # Ok::<(), tower_api_key::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct PathRules(Rules);

impl PathRules {
    /// Creates rules, each for a route `/path` or `METHOD /path` with an [`Access`] or the text of the scopes that it requires.
    ///
    /// # Errors
    ///
    /// When a route is declared twice, or its scopes are none; when a path does not start with `/`, could never match, or is a template; and
    /// when a public path could never match, as for [`AuthenticateLayer::public`](crate::AuthenticateLayer::public).
    pub fn new<P, A>(rules: impl IntoIterator<Item = (P, A)>) -> Result<Self, ConfigError>
    where
        P: AsRef<str>,
        A: TryInto<Access, Error: Into<ConfigError>>,
    {
        let table = Table::new(rules, |path, access| match access {
            Access::Public => check_exact(path).map(drop),
            _ => refuse_template(path).and_then(|()| check_path(path)),
        })?;
        Ok(Self(Rules::new(table, By::Path)))
    }
}

impl From<PathRules> for Rules {
    fn from(rules: PathRules) -> Self {
        rules.0
    }
}

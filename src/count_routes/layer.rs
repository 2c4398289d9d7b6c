//! The layer: the paths that are routes. It counts nothing.

// Layer 8 of 10: decision.

use std::collections::HashSet;
use std::sync::Arc;

use tower_layer::Layer;

use super::CountRoutes;
use crate::error::{ConfigError, ConfigErrorKind};

/// Layer that applies [`CountRoutes`].
///
/// It belongs inside an [`AuthenticateLayer`](crate::AuthenticateLayer) that has a [meter](crate::AuthenticatorBuilder::usage), once. See
/// the [module](super) for an example.
#[derive(Debug, Clone, Default)]
pub struct CountRoutesLayer {
    paths: Arc<HashSet<Box<str>>>,
}

impl CountRoutesLayer {
    /// Creates a layer that counts by the routes of axum.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a layer that also counts by these paths, where axum has matched no route: for services without axum. The path of a gRPC method
    /// is `/package.Service/Method`.
    ///
    /// ```
    /// use tower_api_key::CountRoutesLayer;
    ///
    /// let layer = CountRoutesLayer::paths(["/notes.v1.Notes/List", "/notes.v1.Notes/Add"])?;
    /// # Ok::<(), tower_api_key::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When a path could never match, or is a template.
    pub fn paths<P: AsRef<str>>(paths: impl IntoIterator<Item = P>) -> Result<Self, ConfigError> {
        let paths = paths.into_iter().map(|path| check(path.as_ref()).map(Into::into));
        Ok(Self { paths: Arc::new(paths.collect::<Result<_, _>>()?) })
    }
}

fn check(path: &str) -> Result<&str, ConfigError> {
    let found = match path.as_bytes() {
        [b'/', rest @ ..] if !rest.iter().any(|byte| matches!(byte, b'{' | b'}' | b'?' | b'#')) => {
            return Ok(path);
        }
        [b'/', ..] => "a template, a query or a fragment",
        _ => "another start",
    };
    let rule = "the path of a route must start with `/` and be the whole path of its requests";
    Err(ConfigError::new(ConfigErrorKind::Path, format!("{rule}, got {found}")))
}

impl<S> Layer<S> for CountRoutesLayer {
    type Service = CountRoutes<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CountRoutes::new(inner, Arc::clone(&self.paths))
    }
}

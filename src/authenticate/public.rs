//! Routes that need no key, and the rules of all others. No credential is read here. Rewritten paths and contradictory rules are logged,
//! once each.

// Layer 8 of 10: decision.

use std::sync::Arc;

use http::Request;

use crate::error::{ConfigError, ConfigErrorKind};
use crate::path::whole_path;
use crate::principal::{Opened, Principal};
use crate::rules::{Denied, Match, Rules, check_exact, is_plain};
use crate::trace::{self, Once};

/// Paths that any client may call, compared byte for byte with the whole path as the client sent it.
///
/// A path that a router or a proxy might read in more than one way is never public.
#[derive(Debug, Clone, Default)]
struct PublicPaths {
    exact: Vec<Box<str>>,
    prefixes: Vec<Arc<str>>,
    rewrite_reported: Arc<Once>,
}

/// The public paths of a layer, and its rules.
#[derive(Debug, Clone, Default)]
pub(super) struct Guard {
    paths: PublicPaths,
    pub(super) rules: Option<Rules>,
}

impl Guard {
    pub(super) fn add_public_path(&mut self, path: &str) -> Result<(), ConfigError> {
        self.paths.add(path)
    }

    pub(super) fn add_public_prefix(&mut self, prefix: &str) -> Result<(), ConfigError> {
        self.paths.add_prefix(prefix)
    }

    /// Returns what makes a request public, if anything does. Rules that name its path decide; without a route, no client may.
    pub(super) fn opens<B>(&self, request: &Request<B>) -> Option<Opened> {
        let Some(rules) = &self.rules else { return self.paths.open(request) };
        match rules.find(request) {
            Match::Public(by) => Some(by),
            Match::Undeclared => self.paths.open(request),
            Match::NoRoute | Match::NoRouter | Match::Rewritten => None,
            Match::AnyKey | Match::Scopes(_) | Match::OtherMethod => {
                if whole_path(request).is_some_and(|path| self.paths.open_path(path).is_some()) {
                    rules.report_contradiction(request);
                }
                None
            }
        }
    }

    /// Returns whether the public paths open a path, whatever the rules say.
    #[cfg(feature = "openapi")]
    pub(super) fn opens_path(&self, path: &str) -> bool {
        self.paths.open_path(path).is_some()
    }

    /// Checks that the rules admit a caller.
    pub(super) fn check<B>(&self, principal: &Principal, request: &Request<B>) -> Result<(), Denied> {
        self.rules.as_ref().map_or(Ok(()), |rules| rules.find(request).check(principal, request))
    }
}

impl PublicPaths {
    fn add(&mut self, path: &str) -> Result<(), ConfigError> {
        self.exact.push(check_exact(path)?.into());
        Ok(())
    }

    fn add_prefix(&mut self, prefix: &str) -> Result<(), ConfigError> {
        let stem = prefix.strip_suffix('/').unwrap_or(prefix);
        if stem.is_empty() {
            let message = "a public prefix must not cover every path";
            return Err(ConfigError::new(ConfigErrorKind::Path, message));
        }
        self.prefixes.push(check_exact(stem)?.into());
        Ok(())
    }

    fn open<B>(&self, request: &Request<B>) -> Option<Opened> {
        match whole_path(request) {
            Some(path) => self.open_path(path),
            None => self.open_rewritten(),
        }
    }

    /// Opens nothing, and reports a layer that rewrites paths in the wrong place, once.
    #[cold]
    fn open_rewritten(&self) -> Option<Opened> {
        let is_empty = self.exact.is_empty() && self.prefixes.is_empty();
        if !is_empty && self.rewrite_reported.is_first() {
            trace::rewritten_path();
        }
        None
    }

    fn open_path(&self, path: &str) -> Option<Opened> {
        if !is_plain(path) {
            return None;
        }
        if self.exact.iter().any(|public| **public == *path) {
            return Some(Opened::Path);
        }
        let is_below = |prefix: &str| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let prefix = self.prefixes.iter().find(|prefix| is_below(prefix));
        prefix.map(|prefix| Opened::Prefix(Arc::clone(prefix)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_path_is_that_path_and_no_other_spelling_of_it() {
        let mut paths = PublicPaths::default();
        paths.add("/health").unwrap();
        assert!(matches!(paths.open_path("/health"), Some(Opened::Path)));
        for other in [
            "",
            "/",
            "*",
            "//health",
            "/health/",
            "/Health",
            "/healthz",
            "/health;x=/v1",
            "/health%00",
            "/%68ealth",
            "/health/../v1",
            "/health\\..\\v1",
            "health",
            "/health?",
            "/health\u{e9}",
        ] {
            assert!(paths.open_path(other).is_none(), "{other:?}");
        }
    }

    #[test]
    fn a_public_prefix_ends_at_a_segment() {
        let mut paths = PublicPaths::default();
        paths.add_prefix("/docs/").unwrap();
        for inside in ["/docs", "/docs/", "/docs/a", "/docs/a/b.html", "/docs/.git", "/docs/..."] {
            assert!(matches!(paths.open_path(inside), Some(Opened::Prefix(_))), "{inside:?}");
        }
        for outside in
            ["/docs-internal", "/doc", "/docs/../v1", "/docs/..", "/docs/.", "/docs//v1", "/docs/%2e%2e/v1"]
        {
            assert!(paths.open_path(outside).is_none(), "{outside:?}");
        }
    }

    #[test]
    fn a_path_that_could_never_match_is_an_error() {
        for path in
            ["", "health", "/a//b", "/a/../b", "/a%20b", "/a?b", "/\u{e9}", "/a/{id}", "/a/*", "/a/:id"]
        {
            assert_eq!(
                PublicPaths::default().add(path).unwrap_err().kind(),
                ConfigErrorKind::Path,
                "{path:?}"
            );
        }
        for prefix in ["", "/", "/a/{id}", "/a/*"] {
            assert!(PublicPaths::default().add_prefix(prefix).is_err(), "{prefix:?}");
        }
    }
}

//! Routes that need no key, and the rules of all others. No credential is read here.

use http::Request;

use crate::error::{ConfigError, ConfigErrorKind};
use crate::path::whole_path;
use crate::principal::Principal;
use crate::rules::{Denied, Match, Rules, check_exact, is_plain};

/// Paths that any client may call, compared byte for byte with the whole path as the client sent it.
///
/// A path that a router or a proxy might read in more than one way is never public.
#[derive(Debug, Clone, Default)]
struct PublicPaths {
    exact: Vec<Box<str>>,
    prefixes: Vec<Box<str>>,
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

    /// Returns whether any client may send this request. Rules that name its path decide; without a route, none do.
    pub(super) fn is_public<B>(&self, request: &Request<B>) -> bool {
        let Some(rules) = &self.rules else { return self.paths.contain(request) };
        match rules.find(request) {
            Match::Public => true,
            Match::Undeclared => self.paths.contain(request),
            Match::NoRoute | Match::NoRouter => false,
            Match::AnyKey | Match::Scopes(_) | Match::OtherMethod => {
                if self.paths.contain(request) {
                    rules.report_contradiction();
                }
                false
            }
        }
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

    fn contain<B>(&self, request: &Request<B>) -> bool {
        self.contain_path(whole_path(request))
    }

    fn contain_path(&self, path: &str) -> bool {
        let below = |prefix: &str| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        is_plain(path)
            && (self.exact.iter().any(|public| **public == *path)
                || self.prefixes.iter().any(|public| below(public)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_path_is_that_path_and_no_other_spelling_of_it() {
        let mut paths = PublicPaths::default();
        paths.add("/health").unwrap();
        assert!(paths.contain_path("/health"));
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
            assert!(!paths.contain_path(other), "{other:?}");
        }
    }

    #[test]
    fn a_public_prefix_ends_at_a_segment() {
        let mut paths = PublicPaths::default();
        paths.add_prefix("/docs/").unwrap();
        for inside in ["/docs", "/docs/", "/docs/a", "/docs/a/b.html"] {
            assert!(paths.contain_path(inside), "{inside:?}");
        }
        for outside in ["/docs-internal", "/doc", "/docs/../v1", "/docs/.git", "/docs//v1", "/docs/%2e%2e/v1"]
        {
            assert!(!paths.contain_path(outside), "{outside:?}");
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
